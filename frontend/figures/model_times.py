"""The time of one pass of a whole model: measured with its quartiles, predicted beside it."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import wrap
from typing import Any

import plotly.graph_objects as go

from frontend.figures.style import NEUTRAL, VARIANTS, Mark, figure_of, or_gap, row_axis, rows_height
from frontend.logic import words
from frontend.logic.models_measured import ModelRow, deviation_words
from frontend.logic.outcomes import words_of
from frontend.logic.run_words import pass_words

__all__ = ["step_alt", "step_figure"]

APART = 0.22
"""Of a row's height: the prediction stands as much below the row's middle as the measurement above."""


def step_figure(rows: Sequence[ModelRow]) -> go.Figure:
    """Draw median and quartiles (filled) and the prediction (open) of each model in one pass, in milliseconds."""
    labels = [row.label for row in rows]
    timed = [row for row in rows if row.median_ms is not None]
    end = max([_end(row) for row in rows], default=1.0) or 1.0
    unit, divisor = ("s", 1000.0) if end >= 10_000 else ("ms", 1.0)
    traces = [
        _measured([row for row in timed if row.variant == name], name, labels, divisor) for name in _variants(rows)
    ]
    traces += [_medians(timed, labels, divisor), _predicted(rows, labels, divisor)]
    notes = [
        {
            "x": 0,
            "y": labels.index(row.label),
            "text": words_of(row.outcome),
            "hovertext": row.detail,
            "showarrow": False,
            "xanchor": "left",
            "xshift": 8,
        }
        for row in rows
        if row.median_ms is None
    ]
    return figure_of(
        traces,
        height=rows_height(len(rows)) + 40,
        margin={"t": 72},
        xaxis={
            "range": [0, 1.5 * end / divisor],
            "title": f"time of the pass ({unit}, lower is faster), bars are quartiles",
            "showgrid": True,
            "zeroline": False,
        },
        yaxis={
            **row_axis([]),
            "type": "linear",
            "range": [len(labels) - 0.5, -0.5],
            "tickvals": list(range(len(labels))),
            "ticktext": labels,
        },
        annotations=notes,
    )


def _end(row: ModelRow) -> float:
    return max(row.q3_ms or 0.0, row.median_ms or 0.0, row.predicted_ms or 0.0)


def _variants(rows: Sequence[ModelRow]) -> list[str]:
    return list(dict.fromkeys(row.variant for row in rows))


def _mark(variant: str) -> Mark:
    return VARIANTS.get(variant) or Mark(variant.upper(), NEUTRAL, "circle")


def _measured(own: Sequence[ModelRow], variant: str, labels: Sequence[str], divisor: float) -> dict[str, Any]:
    mark = _mark(variant)
    return {
        "type": "scatter",
        "mode": "markers",
        "name": f"{mark.name}, measured",
        "x": or_gap([(row.median_ms or 0.0) / divisor for row in own]),
        "y": or_gap([labels.index(row.label) - APART for row in own]),
        "marker": {"color": mark.color, "symbol": mark.symbol, "size": 12},
        "cliponaxis": False,
        "error_x": {
            "type": "data",
            "symmetric": False,
            "array": [((row.q3_ms or 0.0) - (row.median_ms or 0.0)) / divisor for row in own],
            "arrayminus": [((row.median_ms or 0.0) - (row.q1_ms or 0.0)) / divisor for row in own],
            "color": mark.color,
            "thickness": 2.5,
            "width": 6,
        },
        "customdata": [_hover(row) for row in own],
        "hovertemplate": "%{customdata}<extra></extra>",
    }


def _medians(timed: Sequence[ModelRow], labels: Sequence[str], divisor: float) -> dict[str, Any]:
    """The figures, behind the quartiles, which would run through them."""
    return {
        "type": "scatter",
        "mode": "text",
        "x": or_gap([max(row.q3_ms or 0.0, row.median_ms or 0.0) / divisor for row in timed]),
        "y": or_gap([labels.index(row.label) - APART for row in timed]),
        "text": [f"   {words.milliseconds(row.median_ms)}" for row in timed],
        "textposition": "middle right",
        "cliponaxis": False,
        "showlegend": False,
        "hoverinfo": "skip",
    }


def _hover(row: ModelRow) -> str:
    rate = "" if row.tokens_per_s is None else f"<br>{words.count(row.tokens_per_s)} tokens per second"
    return (
        f"<b>{row.label}</b>, {pass_words(row.pass_name)}<br>median {words.milliseconds(row.median_ms)}, quartiles "
        f"{words.milliseconds(row.q1_ms)} to {words.milliseconds(row.q3_ms)}<br>{words.plural(row.samples, 'sample')}{rate}"
    )


def _predicted(rows: Sequence[ModelRow], labels: Sequence[str], divisor: float) -> dict[str, Any]:
    own = [(row, row.predicted_ms) for row in rows if row.predicted_ms is not None]
    return {
        "type": "scatter",
        "mode": "markers+text",
        "name": "predicted from its layers",
        "x": or_gap([time / divisor for _, time in own]),
        "y": or_gap([labels.index(row.label) + APART for row, _ in own]),
        "marker": {
            "color": [_mark(row.variant).color for row, _ in own] or NEUTRAL,
            "symbol": [f"{_mark(row.variant).symbol}-open" for row, _ in own] or "circle-open",
            "size": 12,
            "line": {"width": 2},
        },
        "text": [f"   {_said(row)}" for row, _ in own],
        "textposition": "middle right",
        "cliponaxis": False,
        "customdata": ["<br>".join(wrap(_words(row), 70)) for row, _ in own],
        "hovertemplate": "<b>predicted</b><br>%{customdata}<extra></extra>",
    }


def _words(row: ModelRow) -> str:
    return row.prediction["words"] if row.prediction else "the sum of its parts"


def _said(row: ModelRow) -> str:
    off = deviation_words(row)
    return words.milliseconds(row.predicted_ms) + (f", {off}" if off else "")


def step_alt(rows: Sequence[ModelRow]) -> str:
    """Say the chart in words."""
    parts = []
    for row in rows:
        text = f"{row.label} " + (
            words_of(row.outcome) if row.median_ms is None else f"measured {words.milliseconds(row.median_ms)}"
        )
        if row.predicted_ms is not None:
            text += f", predicted {_said(row)}"
        parts.append(text)
    name = pass_words(rows[0].pass_name) if rows else "pass"
    return f"Time of the {name}: " + ("; ".join(parts) or "nothing measured yet") + "."
