"""An estimate as tables for the terminal: the candidates, what each kind of layer costs, the linear layers. Needs rich."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from rich.box import SIMPLE_HEAD
from rich.table import Table

from dyad_core.models.cost.reading import best_candidate, short_bytes, short_count
from dyad_core.models.presets import Preset
from dyad_core.models.records import CandidateCost, LayerRow, ModelCost, ModelEstimate

__all__ = ["candidate_table", "kind_table", "layer_table", "preset_table", "refusals"]

KIND_WORDS = {"feed_forward": "feed-forward", "head": "head and loss"}


def candidate_table(found: ModelEstimate) -> Table:
    """The dense model and each candidate, a row each."""
    spec = found.spec
    checkpointed = ", checkpointed" if spec.checkpointing else ""
    table = _table(
        f"{found.name}, {spec.batch} × {spec.sequence} tokens, {spec.dtype}, {spec.optimizer}{checkpointed}",
        "model",
        ("parameters", "share", "FLOP/step", "share", "training", "inference"),
    )
    table.add_row("dense", *_cells(found.dense, found.dense))
    for candidate in found.candidates:
        if candidate.cost is not None:
            table.add_row(_label(candidate), *_cells(candidate.cost, found.dense))
    return table


def refusals(found: ModelEstimate) -> Iterator[str]:
    """Yield why candidates cannot be built, a sentence for each."""
    for candidate in found.candidates:
        if candidate.cost is None:
            yield f"{_label(candidate)} cannot be built: {'; '.join(candidate.problems)}"


def kind_table(found: ModelEstimate) -> Table:
    """What each kind of layer costs, dense and in the best candidate."""
    best = best_candidate(found)
    after = found.dense if best is None or best.cost is None else best.cost
    name = "dense" if best is None else _label(best)
    table = _table(
        f"A forward by kind, dense → {name}; kept: for backward",
        "kind",
        ("modules", "parameters", "→", "FLOP", "→", "kept", "→"),
    )
    with_dyad = {kind.kind: kind for kind in after.kinds}
    for kind in found.dense.kinds:
        other = with_dyad.get(kind.kind, kind)
        table.add_row(
            KIND_WORDS.get(kind.kind, kind.kind),
            str(kind.modules),
            short_count(kind.parameters),
            short_count(other.parameters),
            short_count(kind.flops_forward),
            short_count(other.flops_forward),
            short_bytes(kind.activations_bytes),
            short_bytes(other.activations_bytes),
        )
    return table


def layer_table(rows: Sequence[LayerRow]) -> Table:
    """The linear layers, alike ones in one row."""
    table = _table("Linear layers", "name", ())
    for column in ("layers", "in → out", "replaced", "n"):
        table.add_column(column, justify="right" if column == "layers" else "left")
    groups: dict[tuple[str, int, int, bool, str], list[LayerRow]] = {}
    for row in rows:
        pattern = re.sub(r"(^|(?<=\.))\d+(?=\.|$)", "*", row.name)
        groups.setdefault((pattern, row.in_features, row.out_features, row.picked, row.reason), []).append(row)
    for (pattern, size_in, size_out, picked, reason), alike in groups.items():
        legal = ", ".join(map(str, alike[0].legal_n_blocks))
        sizes = f"{size_in} → {size_out}"
        table.add_row(pattern, str(len(alike)), sizes, "yes" if picked else f"no: {reason}", legal)
    return table


def preset_table(presets: Iterable[Preset]) -> Table:
    """The presets with their sizes and where they were published."""
    table = _table("Models by name", "name", ())
    for column in ("architecture", "parameters", "published"):
        table.add_column(column, justify="right" if column == "parameters" else "left")
    for preset in presets:
        table.add_row(preset.name, preset.model_type, short_count(preset.parameters), preset.source)
    return table


def _table(title: str, first: str, figures: Sequence[str]) -> Table:
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column(first, no_wrap=True)
    for figure in figures:
        table.add_column(figure, justify="right", no_wrap=True)
    return table


def _label(candidate: CandidateCost) -> str:
    mode = ", as one" if candidate.mode == "feed_forward" else ""
    return f"{candidate.variant} n={candidate.n_blocks}{mode}"


def _cells(cost: ModelCost, dense: ModelCost) -> list[str]:
    return [
        short_count(cost.parameters),
        f"{cost.parameters / dense.parameters:.2f}",
        short_count(cost.flops_train_step),
        f"{cost.flops_train_step / dense.flops_train_step:.2f}",
        short_bytes(cost.memory.train_bytes),
        short_bytes(cost.memory.inference_bytes),
    ]
