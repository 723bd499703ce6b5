"""A measured model as rows that charts and tables share, one per candidate and pass, while it is measured and when it is done."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from frontend.logic.models_cost import candidate_label
from frontend.logic.outcomes import words_of
from frontend.logic.rows import MemoryRow, Row
from frontend.logic.run_words import pass_words
from frontend.schemas_models import ModelCandidateJson, PartTimeJson, PredictionJson

__all__ = [
    "ModelRow",
    "PartStack",
    "deviation_words",
    "measured_records",
    "memory_rows",
    "model_rows",
    "part_records",
    "part_stacks",
    "passes_measured",
]


@dataclass(frozen=True)
class ModelRow:
    """One model in one pass. Times in milliseconds; None where nothing was measured."""

    label: str
    variant: str
    n_blocks: int | None
    mode: str | None
    pass_name: str
    outcome: str
    detail: str = ""
    parameters: int | None = None
    median_ms: float | None = None
    q1_ms: float | None = None
    q3_ms: float | None = None
    samples: int = 0
    tokens_per_s: float | None = None
    speedup: float | None = None
    speedup_low: float | None = None
    speedup_high: float | None = None
    prediction: PredictionJson | None = None
    deviation: float | None = None
    error: float | None = None
    tolerance: float | None = None
    memory: Mapping[str, Any] | None = None
    memory_predicted: Mapping[str, Any] | None = None
    warnings: tuple[str, ...] = ()

    @property
    def is_dense(self) -> bool:
        """Whether this is the model as it is."""
        return self.variant == "dense"

    @property
    def predicted_ms(self) -> float | None:
        """What was foretold; of the dense model the sum of its parts, which only its deviation tells."""
        if self.prediction is not None:
            return self.prediction["predicted_ms"]
        if self.deviation is None or self.median_ms is None:
            return None
        return (1 + self.deviation) * self.median_ms


_PLAIN = (
    "parameters",
    "median_ms",
    "q1_ms",
    "q3_ms",
    "tokens_per_s",
    "speedup",
    "speedup_low",
    "speedup_high",
    "prediction",
    "deviation",
    "memory",
    "memory_predicted",
)


def model_rows(candidates: Iterable[ModelCandidateJson]) -> list[ModelRow]:
    """Return one row per candidate and pass, the dense model first in each pass."""
    rows = [_row(each) for each in candidates]
    order = list(dict.fromkeys(row.pass_name for row in rows))
    return sorted(rows, key=lambda row: (order.index(row.pass_name), not row.is_dense))


def _row(each: ModelCandidateJson) -> ModelRow:
    plain: dict[str, Any] = {name: each.get(name) for name in _PLAIN}
    correctness: Mapping[str, Any] = each.get("correctness") or {}
    return ModelRow(
        label=candidate_label(each["variant"], each.get("n_blocks"), each.get("mode")),
        variant=each["variant"],
        n_blocks=each.get("n_blocks"),
        mode=each.get("mode"),
        pass_name=each["pass"],
        outcome=each["outcome"],
        detail=each.get("detail") or "",
        samples=len(each.get("samples_ms") or ()),
        error=correctness.get("error"),
        tolerance=correctness.get("tolerance"),
        warnings=tuple(each.get("warnings") or ()),
        **plain,
    )


def passes_measured(rows: Iterable[ModelRow]) -> list[str]:
    """Return the passes, in the order of the result."""
    return list(dict.fromkeys(row.pass_name for row in rows))


def deviation_words(row: ModelRow) -> str:
    """Say how far the prediction is from what was measured; empty where there is none."""
    return "" if row.deviation is None else f"{100 * row.deviation:+.1f} %"


def measured_records(rows: Sequence[ModelRow]) -> list[dict[str, Any]]:
    """Return one record per row."""
    return [
        {
            "model": row.label,
            "pass": pass_words(row.pass_name),
            "outcome": words_of(row.outcome),
            "speed-up (x)": row.speedup,
            "95 % low (x)": row.speedup_low,
            "95 % high (x)": row.speedup_high,
            "median (ms)": row.median_ms,
            "quartile 1 (ms)": row.q1_ms,
            "quartile 3 (ms)": row.q3_ms,
            "predicted (ms)": row.predicted_ms,
            "prediction off by (%)": None if row.deviation is None else 100 * row.deviation,
            "tokens per s": row.tokens_per_s,
            "peak memory (MiB)": None if not row.memory else row.memory["peak_bytes"] / 2**20,
            "error": row.error,
            "error allowed": row.tolerance,
            "parameters": row.parameters,
            "samples": row.samples,
            "detail": row.detail or "; ".join(row.warnings),
        }
        for row in rows
    ]


def memory_rows(rows: Sequence[ModelRow], pass_name: str) -> list[Row]:
    """Return one pass as the rows that the chart of memory takes."""
    return [
        Row(
            label=row.label,
            variant=row.variant,
            n_blocks=row.n_blocks,
            grain=None,
            implementation="",
            pass_name=row.pass_name,
            outcome=row.outcome,
            limit=1.0,
            detail=row.detail,
            memory=_memory(row.memory),
            predicted=_memory(row.memory_predicted),
        )
        for row in rows
        if row.pass_name == pass_name
    ]


def _memory(use: Mapping[str, Any] | None) -> MemoryRow | None:
    if not use:
        return None
    found = {name: use.get(name) for name in MemoryRow.__dataclass_fields__}
    if found["saved_activations_bytes"] is not None and found["temporaries_bytes"] is None:
        # Arithmetic knows what is held and nothing that comes and goes.
        found |= {"outputs_bytes": found["outputs_bytes"] or 0, "temporaries_bytes": 0}
    return MemoryRow(**found)  # type: ignore[arg-type] # the first six are always there


@dataclass(frozen=True)
class PartStack:
    """One model in one pass, its step put together from parts that were measured by themselves.

    ``parts`` maps a part to its time in all (ms), ``counts`` to how often the step does it.
    """

    label: str
    parts: Mapping[str, float]
    counts: Mapping[str, int]
    measured_ms: float | None

    @property
    def total_ms(self) -> float:
        """Sum of the parts."""
        return sum(self.parts.values())


def part_stacks(parts: Sequence[PartTimeJson], rows: Sequence[ModelRow], pass_name: str) -> list[PartStack]:
    """Return the parts of the dense model and of every candidate of one pass whose parts were measured."""
    own = [part for part in parts if part["pass"] == pass_name]
    stacks = []
    for row in rows:
        if row.pass_name != pass_name:
            continue
        mine = [part for part in own if _belongs(part, row)]
        if not any(part["variant"] is not None for part in mine):
            continue  # nothing of what was replaced was measured: the sum would be no step
        times: dict[str, float] = {}
        counts: dict[str, int] = {}
        for part in mine:
            times[part["part"]] = times.get(part["part"], 0.0) + part["count"] * part["median_ms"]
            counts[part["part"]] = counts.get(part["part"], 0) + part["count"]
        stacks.append(PartStack(row.label, times, counts, row.median_ms))
    return stacks


def _belongs(part: PartTimeJson, row: ModelRow) -> bool:
    variant = part["variant"]
    if variant is None:
        return True
    if row.is_dense or variant == "dense":
        return row.is_dense and variant == "dense"
    return (variant, part["n_blocks"], part["mode"]) == (row.variant, row.n_blocks, row.mode)


def part_records(parts: Sequence[PartTimeJson]) -> list[dict[str, Any]]:
    """Return one record per measured part."""
    return [
        {
            "part": part["part"].replace("_", " "),
            "pass": pass_words(part["pass"]),
            "of": "every model"
            if part["variant"] is None
            else candidate_label(part["variant"], part["n_blocks"], part["mode"]),
            "times per step": part["count"],
            "median (ms)": part["median_ms"],
            "quartile 1 (ms)": part["q1_ms"],
            "quartile 3 (ms)": part["q3_ms"],
            "all of them (ms)": part["count"] * part["median_ms"],
            "samples": len(part.get("samples_ms") or ()),
        }
        for part in parts
    ]
