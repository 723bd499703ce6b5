"""An estimate as rows that charts and tables share: the dense model and every candidate, by kind of layer and kind of memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from frontend.logic import words
from frontend.schemas_models import EstimateJson, MemoryCostJson, ModelCostJson, PredictionJson

__all__ = [
    "KINDS",
    "MODES",
    "QUANTITIES",
    "CostRow",
    "Quantity",
    "candidate_label",
    "compared_records",
    "cost_rows",
    "flops_words",
    "kind_records",
    "large",
    "memory_records",
]

KINDS = ("embedding", "attention", "feed_forward", "norm", "head", "other")

KIND_WORDS = {"feed_forward": "feed-forward", "norm": "norms"}


@dataclass(frozen=True)
class Quantity:
    """Something that is counted by kind of layer: its field, axis, and unit as a divisor."""

    name: str
    field: str
    title: str
    unit: str
    divisor: float


QUANTITIES: dict[str, Quantity] = {
    "parameters": Quantity("parameters", "parameters", "parameters (millions)", "M", 1e6),
    "flops": Quantity("multiply-adds", "flops_forward", "one forward (GFLOP, two per multiply-add)", "GFLOP", 1e9),
    "activations": Quantity(
        "activations", "activations_bytes", "kept for backward, without checkpointing (MiB)", "MiB", 2**20
    ),
}
"""What the chart of kinds can show."""

MODES = {"layers": "", "feed_forward": " pair"}
"""What a label says of how a candidate is put into the model."""


@dataclass(frozen=True)
class CostRow:
    """The dense model or one candidate; ``cost`` is None where it cannot be built, and ``problems`` say why."""

    label: str
    variant: str
    n_blocks: int | None
    mode: str | None
    cost: ModelCostJson | None
    problems: tuple[str, ...] = ()
    predictions: tuple[PredictionJson, ...] = ()
    lines: str = ""
    kinds: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @property
    def is_dense(self) -> bool:
        """Whether this is the model as it is."""
        return self.variant == "dense"

    @property
    def memory(self) -> MemoryCostJson | None:
        """Bytes by what they are for."""
        return None if self.cost is None else self.cost["memory"]


def candidate_label(variant: str, n_blocks: int | None, mode: str | None) -> str:
    """``IT n=4``, with a word behind it where a pair is replaced as one; ``dense`` for the model as it is."""
    if variant == "dense":
        return "dense"
    return f"{variant.upper()} n={n_blocks}{MODES.get(mode or 'layers', f' {mode}')}"


def cost_rows(estimate: EstimateJson) -> list[CostRow]:
    """Return the dense model and then every candidate, in the order of the answer."""
    dense = estimate["dense"]
    rows = [CostRow("dense", "dense", None, None, dense, kinds=_kinds(dense))]
    for each in estimate["candidates"]:
        cost = each["cost"]
        rows.append(
            CostRow(
                label=candidate_label(each["variant"], each["n_blocks"], each["mode"]),
                variant=each["variant"],
                n_blocks=each["n_blocks"],
                mode=each["mode"],
                cost=cost,
                problems=tuple(each.get("problems") or ()),
                predictions=tuple(each.get("predictions") or ()),
                lines=each.get("lines") or "",
                kinds=_kinds(cost),
            )
        )
    return rows


def _kinds(cost: ModelCostJson | None) -> dict[str, Mapping[str, Any]]:
    return {} if cost is None else {each["kind"]: each for each in cost["kinds"]}


def kind_words(kind: str) -> str:
    """Return a kind of layer as people say it."""
    return KIND_WORDS.get(kind, kind.replace("_", " "))


def large(value: float) -> str:
    """Write a large number in words of thousands, millions or milliards: ``125.2 M``."""
    for unit, size in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if abs(value) >= size:
            return f"{_three(value / size)} {unit}"
    return f"{value:.0f}"


def flops_words(flops: float) -> str:
    """Write floating-point operations with their unit: ``64.1 GFLOP``."""
    for unit, size in (("PFLOP", 1e15), ("TFLOP", 1e12), ("GFLOP", 1e9), ("MFLOP", 1e6)):
        if abs(flops) >= size:
            return f"{_three(flops / size)} {unit}"
    return f"{flops:.0f} FLOP"


def _three(value: float) -> str:
    return f"{value:.2f}" if abs(value) < 10 else f"{value:.1f}"


def compared_records(rows: Sequence[CostRow]) -> list[dict[str, Any]]:
    """Return one record per row: parameters, arithmetic and memory, each with its share of dense."""
    dense = rows[0].cost
    return [_compared(row, dense) for row in rows]


def _compared(row: CostRow, dense: ModelCostJson | None) -> dict[str, Any]:
    cost, memory = row.cost, row.memory
    base = None if dense is None else dense["memory"]
    if cost is None or memory is None or dense is None or base is None:
        return {"model": row.label, "why not": "; ".join(row.problems) or "cannot be built"}
    fastest = {each["pass"]: each["speedup"] for each in row.predictions}
    return {
        "model": row.label,
        "parameters (M)": cost["parameters"] / 1e6,
        "parameters (% of dense)": _share(cost["parameters"], dense["parameters"]),
        "training memory (MiB)": memory["train_bytes"] / 2**20,
        "training memory (% of dense)": _share(memory["train_bytes"], base["train_bytes"]),
        "inference memory (MiB)": memory["inference_bytes"] / 2**20,
        "inference memory (% of dense)": _share(memory["inference_bytes"], base["inference_bytes"]),
        "training step (GFLOP)": cost["flops_train_step"] / 1e9,
        "training step (% of dense)": _share(cost["flops_train_step"], dense["flops_train_step"]),
        "one token (GFLOP)": cost["flops_decode"] / 1e9,
        **{f"predicted {name.replace('_', ' ')} (x)": value for name, value in fastest.items()},
    }


def _share(value: float, of: float) -> float | None:
    return 100 * value / of if of else None


def kind_records(rows: Sequence[CostRow]) -> list[dict[str, Any]]:
    """Return one record per model and kind of layer."""
    return [
        {"model": row.label, **{name: value for name, value in each.items() if name != "kind"}, "kind": kind}
        for row in rows
        for kind, each in row.kinds.items()
    ]


def memory_records(rows: Sequence[CostRow]) -> list[dict[str, Any]]:
    """Return one record per model: bytes by what they are for."""
    return [{"model": row.label, **row.memory} for row in rows if row.memory is not None]


def saving_words(rows: Sequence[CostRow]) -> str:
    """Say parameters of dense and of every candidate in one line: ``125.2 M dense → 96.9 M IT n=4``."""
    built = [row for row in rows if row.cost is not None]
    return ", ".join(f"{large(row.cost['parameters'])} {row.label}" for row in built if row.cost is not None) or "–"


def memory_words(row: CostRow) -> str:
    """Say the memory of one model in words: all of it while training, and while it generates."""
    if row.memory is None:
        return f"{row.label} cannot be built"
    return (
        f"{row.label} {words.data_size(row.memory['train_bytes'])} training, "
        f"{words.data_size(row.memory['inference_bytes'])} generating"
    )
