"""What a whole model needs of memory and what for: training with and without checkpointing, and generating."""

from __future__ import annotations

from collections.abc import Sequence

import plotly.graph_objects as go

from frontend.figures.model_marks import MEMORY, Stack, stacked
from frontend.logic import words
from frontend.logic.models_cost import CostRow
from frontend.schemas_models import MemoryCostJson

__all__ = ["model_memory_alt", "model_memory_figure"]

UNITS = {"MiB": 2**20, "GiB": 2**30}
CHECKPOINTED = "checkpointed"
TRAINED = ("weights_bytes", "gradients_bytes", "optimizer_bytes")


def model_memory_figure(rows: Sequence[CostRow], *, training: bool = True) -> go.Figure:
    """Draw a stacked bar per model, in training a second one with checkpointing below; a dotted line marks dense.

    Args:
        rows: dense first.
        training: weights, gradients, optimizer and activations; else weights and the cache of keys and values.
    """
    found = _uses(rows, training)
    largest = max((sum(parts.values()) for _, parts in found), default=0)
    unit = "GiB" if largest >= 2**30 else "MiB"
    dense = sum(found[0][1].values()) if found else 0
    stacks = [
        Stack(
            label,
            {name: size / UNITS[unit] for name, size in parts.items()},
            _said(sum(parts.values()), dense, first=at == 0),
            {name: words.data_size(size) for name, size in parts.items()},
        )
        for at, (label, parts) in enumerate(found)
    ]
    what = "memory of a training step" if training else "memory while generating"
    empty = {row.label: "∅ cannot be built: see the table" for row in rows if row.cost is None}
    return stacked(stacks, MEMORY, title=f"{what} ({unit}; share of dense)", empty=empty)


def _uses(rows: Sequence[CostRow], training: bool) -> list[tuple[str, dict[str, int]]]:
    found = []
    for row in rows:
        if row.memory is None:
            continue
        if not training:
            found.append((row.label, _generating(row.memory)))
            continue
        found.append((row.label, _training(row.memory, "activations_bytes")))
        found.append((f"{row.label} {CHECKPOINTED}", _training(row.memory, "activations_checkpointed_bytes")))
    return found


def _training(memory: MemoryCostJson, activations: str) -> dict[str, int]:
    held: dict[str, int] = {**memory}  # type: ignore[dict-item] # every field of it is a number of bytes
    return {**{name: held[name] for name in TRAINED}, "activations_bytes": held[activations]}


def _generating(memory: MemoryCostJson) -> dict[str, int]:
    return {"weights_bytes": memory["weights_bytes"], "kv_cache_bytes": memory["kv_cache_bytes"]}


def _said(total: float, dense: float, *, first: bool) -> str:
    text = words.data_size(total)
    return text if first or not dense else f"{text} ({words.percent(total / dense)})"


def model_memory_alt(rows: Sequence[CostRow], *, training: bool = True) -> str:
    """Say the chart in words."""
    found = _uses(rows, training)
    dense = sum(found[0][1].values()) if found else 0
    parts = [
        f"{label} {_said(sum(use.values()), dense, first=at == 0)}: "
        + ", ".join(f"{MEMORY[name].name} {words.data_size(size)}" for name, size in use.items())
        for at, (label, use) in enumerate(found)
    ]
    parts += [f"{row.label} cannot be built" for row in rows if row.cost is None]
    what = "a training step" if training else "generating"
    return f"Memory of {what}, share of dense in brackets: " + "; ".join(parts) + "."
