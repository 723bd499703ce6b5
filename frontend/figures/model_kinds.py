"""Parameters, arithmetic or activations of a model by kind of layer: dense, and with each candidate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import plotly.graph_objects as go

from frontend.figures.model_marks import KINDS, Stack, stacked
from frontend.logic import words
from frontend.logic.models_cost import QUANTITIES, CostRow, Quantity, flops_words, kind_words, large

__all__ = ["kinds_alt", "kinds_figure"]


def kinds_figure(rows: Sequence[CostRow], quantity: str) -> go.Figure:
    """Draw a stacked bar per model; a dotted line marks dense, a candidate that cannot be built is an empty row.

    Args:
        rows: dense first.
        quantity: a key of :data:`frontend.logic.models_cost.QUANTITIES`.
    """
    what = QUANTITIES[quantity]
    totals = _totals(rows, what)
    stacks = [
        Stack(
            row.label,
            {kind: each[what.field] / what.divisor for kind, each in row.kinds.items()},
            _said(row, totals, what),
            {kind: _hover(each, what) for kind, each in row.kinds.items()},
        )
        for row in rows
        if row.cost is not None
    ]
    return stacked(stacks, KINDS, title=what.title, empty=_empty(rows))


def _empty(rows: Sequence[CostRow]) -> dict[str, str]:
    return {row.label: "∅ cannot be built: see the table" for row in rows if row.cost is None}


def _totals(rows: Sequence[CostRow], what: Quantity) -> dict[str, float]:
    return {row.label: sum(each[what.field] for each in row.kinds.values()) for row in rows if row.cost is not None}


def _said(row: CostRow, totals: Mapping[str, float], what: Quantity) -> str:
    total, dense = totals[row.label], next(iter(totals.values()))
    text = _number(total, what)
    return text if row.is_dense or not dense else f"{text} ({words.percent(total / dense)})"


def _number(value: float, what: Quantity) -> str:
    if what.unit == "GFLOP":
        return flops_words(value)
    return large(value) if what.unit == "M" else words.data_size(value)


def _hover(each: Mapping[str, Any], what: Quantity) -> str:
    return f"{_number(each[what.field], what)} in {words.plural(each['modules'], 'layer')}"


def kinds_alt(rows: Sequence[CostRow], quantity: str) -> str:
    """Say the chart in words."""
    what = QUANTITIES[quantity]
    totals = _totals(rows, what)
    parts = []
    for row in rows:
        if row.cost is None:
            parts.append(f"{row.label} cannot be built")
            continue
        shares = ", ".join(
            f"{kind_words(kind)} {_number(row.kinds[kind][what.field], what)}"
            for kind in KINDS
            if row.kinds.get(kind, {}).get(what.field)
        )
        parts.append(f"{row.label} {_said(row, totals, what)}: {shares}")
    return (
        f"{what.name[:1].upper()}{what.name[1:]} by kind of layer, share of dense in brackets: "
        + "; ".join(parts)
        + "."
    )
