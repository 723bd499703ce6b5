"""How much faster the whole model is: every pass of every candidate with its interval, its prediction and its ceiling."""

from __future__ import annotations

import math
from collections.abc import Sequence
from textwrap import wrap
from typing import Any

import plotly.graph_objects as go

from frontend.figures.model_marks import PASSES
from frontend.figures.style import NEUTRAL, Mark, factor_ticks, figure_of, or_gap, row_axis, rows_height
from frontend.logic import words
from frontend.logic.models_measured import ModelRow
from frontend.logic.outcomes import outcome, words_of
from frontend.logic.run_words import pass_words

__all__ = ["whole_alt", "whole_figure"]


def whole_figure(rows: Sequence[ModelRow]) -> go.Figure:
    """Draw the speed-up of each candidate and pass on a logarithmic axis.

    A filled mark is faster or slower than dense, an open one not distinguishable from it; a tick marks the ceiling, a
    thin cross the prediction.
    """
    shown = [row for row in rows if not row.is_dense]
    passes = list(dict.fromkeys(row.pass_name for row in shown))
    labels = [_row_label(row, len(passes) > 1) for row in shown]
    places = {id(row): at for at, row in enumerate(shown)}
    low, high = _range(shown)
    ticks = factor_ticks(low, high)
    traces = [_marks([row for row in shown if row.pass_name == name], name, places) for name in passes]
    return figure_of(
        [*traces, _predictions(shown, places), _ceilings(shown, places)],
        height=rows_height(len(shown)) + 24,
        margin={"t": 84},
        xaxis={
            "type": "log",
            "range": [math.log10(low), math.log10(high)],
            "tickvals": ticks,
            "ticktext": [f"{tick:.3g}x" for tick in ticks],
            "tickangle": 0,
            "title": "speed-up over the dense model (x, higher is faster)",
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
        shapes=[
            {
                "type": "line",
                "yref": "paper",
                "y0": 0,
                "y1": 1,
                "x0": 1,
                "x1": 1,
                "line": {"color": NEUTRAL, "width": 2},
            }
        ],
        annotations=[
            *(_missing(row, places[id(row)]) for row in shown if row.speedup is None),
            {
                "x": 0,
                "y": 1,
                "yref": "paper",
                "yanchor": "bottom",
                "yshift": 8,
                "text": "dense = 1.0x",
                "showarrow": False,
            },
        ],
    )


def _row_label(row: ModelRow, several: bool) -> str:
    return f"{row.label}, {pass_words(row.pass_name)}" if several else row.label


def _missing(row: ModelRow, place: int) -> dict[str, Any]:
    return {
        "x": 0,
        "xref": "paper",
        "y": place,
        "text": words_of(row.outcome),
        "hovertext": row.detail or outcome(row.outcome).meaning,
        "showarrow": False,
        "xanchor": "left",
        "xshift": 8,
    }


def _said(row: ModelRow) -> str:
    known = outcome(row.outcome)
    if row.outcome == "measured":
        return words.factor(row.speedup)
    return f"{known.mark} {words.factor(row.speedup)} {known.short or known.word}"


def _marks(own: Sequence[ModelRow], name: str, places: dict[int, int]) -> dict[str, Any]:
    mark = PASSES.get(name) or Mark(name.replace("_", " "), NEUTRAL, "circle")
    timed = [row for row in own if row.speedup is not None]
    is_open = [row.outcome == "not_distinguishable" for row in timed]
    return {
        "type": "scatter",
        "mode": "markers+text",
        "name": mark.name,
        "x": or_gap([row.speedup for row in timed]),
        "y": or_gap([places[id(row)] for row in timed]),
        "marker": {
            "color": mark.color,
            "symbol": [f"{mark.symbol}-open" if each else mark.symbol for each in is_open] or mark.symbol,
            "size": 12,
            "line": {"color": mark.color, "width": [2 if each else 0 for each in is_open] or 0},
        },
        "text": [_said(row) for row in timed],
        # Away from the 1.0x line, which would run through the figure.
        "textposition": ["top right" if (row.speedup or 0) >= 1 else "top left" for row in timed],
        "cliponaxis": False,
        "error_x": {
            "type": "data",
            "symmetric": False,
            "array": [max(0.0, (row.speedup_high or row.speedup or 0) - (row.speedup or 0)) for row in timed],
            "arrayminus": [max(0.0, (row.speedup or 0) - (row.speedup_low or row.speedup or 0)) for row in timed],
            "color": mark.color,
            "thickness": 2.5,
            "width": 6,
        },
        "customdata": [_hover(row) for row in timed],
        "hovertemplate": "%{customdata}<extra></extra>",
    }


def _hover(row: ModelRow) -> str:
    correct = (
        ""
        if row.error is None
        else f"<br>agrees with the oracle within {row.error:.1e} (allowed {row.tolerance or 0:.1e})"
    )
    return (
        f"<b>{row.label}</b>, {pass_words(row.pass_name)}<br>{words.factor(row.speedup)} as fast as dense, 95 % interval "
        f"{words.factor(row.speedup_low)} to {words.factor(row.speedup_high)}<br>{outcome(row.outcome).meaning}{correct}"
    )


def _predictions(rows: Sequence[ModelRow], places: dict[int, int]) -> dict[str, Any]:
    own = [(row, row.prediction) for row in rows if row.prediction is not None]
    return {
        "type": "scatter",
        "mode": "markers",
        "name": "predicted",
        "x": or_gap([prediction["speedup"] for _, prediction in own]),
        "y": or_gap([places[id(row)] for row, _ in own]),
        "marker": {"symbol": "x-thin", "size": 13, "line": {"color": "#E69F00", "width": 3}, "color": "#E69F00"},
        "customdata": ["<br>".join(wrap(prediction["words"], 70)) for _, prediction in own],
        "hovertemplate": "predicted %{x:.3g}x<br>%{customdata}<extra></extra>",
    }


def _ceilings(rows: Sequence[ModelRow], places: dict[int, int]) -> dict[str, Any]:
    own = [(row, row.prediction) for row in rows if row.prediction is not None]
    return {
        "type": "scatter",
        "mode": "markers",
        "name": "ceiling: layers that cost nothing",
        "x": or_gap([prediction["ceiling"] for _, prediction in own]),
        "y": or_gap([places[id(row)] for row, _ in own]),
        "marker": {"symbol": "line-ns", "size": 14, "line": {"color": NEUTRAL, "width": 3}, "color": NEUTRAL},
        "hovertemplate": "never more than %{x:.3g}x<extra></extra>",
    }


def _range(rows: Sequence[ModelRow]) -> tuple[float, float]:
    lows = [row.speedup_low or row.speedup or 1.0 for row in rows]
    highs = [row.speedup_high or row.speedup or 1.0 for row in rows]
    for row in rows:
        if row.prediction is not None:
            lows.append(row.prediction["speedup"])
            highs.append(row.prediction["ceiling"])
    low = min([0.7, *(0.85 * value for value in lows if value > 0)])
    high = max([1.5, *highs])
    # Room for the words beside a mark, on either side.
    if any(row.speedup is not None and row.speedup < 1 for row in rows):
        low /= (high / low) ** 0.3
    return low, high * (high / low) ** 0.3


def whole_alt(rows: Sequence[ModelRow]) -> str:
    """Say the chart in words."""
    parts = []
    for row in rows:
        if row.is_dense:
            continue
        name = f"{row.label} in the {pass_words(row.pass_name)}"
        if row.speedup is None:
            parts.append(f"{name} {words_of(row.outcome)}")
            continue
        text = f"{name} {_said(row)} (95 % {words.factor(row.speedup_low)} to {words.factor(row.speedup_high)})"
        if row.prediction is not None:
            text += f", predicted {words.factor(row.prediction['speedup'])}, ceiling {words.factor(row.prediction['ceiling'])}"
        parts.append(text)
    return "Speed-up over the dense model: " + ("; ".join(parts) or "nothing measured yet") + "."
