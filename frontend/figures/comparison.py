"""Runs side by side: the ratio of each candidate to the same candidate of the first run, with its interval."""

from __future__ import annotations

import math
from collections.abc import Sequence

import plotly.graph_objects as go

from frontend.figures.style import NEUTRAL, SERIES, base_layout, factor_ticks, or_gap, rows_height
from frontend.logic import words
from frontend.logic.comparison import QUANTITIES, Ratio, finding_words

__all__ = ["comparison_alt", "comparison_figure"]

RUN_MARKS = [SERIES[name] for name in ("it", "ot", "dt", "bd", "low_rank", "monarch", "dense_again")]
"""The other runs, one after another."""


def comparison_figure(ratios: Sequence[Ratio], quantity: str) -> go.Figure:
    """Draw the ratios of one pass on a logarithmic axis; open marks are not distinguishable, words stand where none is."""
    rows = list(dict.fromkeys(ratio.row for ratio in ratios))
    others = list(dict.fromkeys(ratio.other for ratio in ratios))
    figure = go.Figure()
    for place, other in enumerate(others):
        own = [ratio for ratio in ratios if ratio.other == other and ratio.value is not None]
        figure.add_trace(_marks(own, other, rows, place, len(others)))
    base = ratios[0].base if ratios else "A"
    low, high = _range(ratios)
    for ratio in ratios:
        if ratio.value is None:
            height = _height(rows, ratio.row, others.index(ratio.other), len(others))
            text = f"{ratio.other}: {finding_words(ratio.finding)}"
            figure.add_annotation(
                x=0, y=height, text=text, hovertext=ratio.reason, showarrow=False, xanchor="left", xshift=8
            )
    figure.add_vline(x=1, line={"color": NEUTRAL, "width": 2})
    figure.add_annotation(x=0, y=1, yref="paper", yanchor="bottom", text=f"as in {base}", showarrow=False)
    base_layout(figure, height=rows_height(len(rows)) + 12 * len(rows) * (len(others) - 1), margin={"t": 60})
    better = "lower is faster" if quantity == "time" else "higher is better"
    ticks = factor_ticks(low, high)
    figure.update_xaxes(
        type="log",
        range=[math.log10(low), math.log10(high)],
        tickvals=ticks,
        ticktext=[f"{tick:.3g}x" for tick in ticks],
        tickangle=0,
        title=f"{QUANTITIES[quantity]}, ratio to {base} ({better})",
        showgrid=True,
        zeroline=False,
    )
    figure.update_yaxes(
        range=[len(rows) - 0.5, -0.5],
        tickvals=list(range(len(rows))),
        ticktext=[f"{row} " for row in rows],
        showgrid=False,
        zeroline=False,
    )
    return figure


def _height(rows: Sequence[str], row: str, place: int, count: int) -> float:
    """Where a run's mark stands in its row: several share it, one below another."""
    return rows.index(row) + (place - (count - 1) / 2) * 0.7 / max(1, count)


def _marks(own: Sequence[Ratio], other: str, rows: Sequence[str], place: int, count: int) -> go.Scatter:
    mark = RUN_MARKS[place % len(RUN_MARKS)]
    is_open = [ratio.finding == "not_distinguishable" for ratio in own]
    return go.Scatter(
        x=or_gap([ratio.value for ratio in own]),
        y=or_gap([_height(rows, ratio.row, place, count) for ratio in own]),
        name=f"run {other}",
        mode="markers+text",
        marker={
            "color": mark.color,
            "symbol": [f"{mark.symbol}-open" if each else mark.symbol for each in is_open] or mark.symbol,
            "size": 12,
            "line": {"color": mark.color, "width": [2 if each else 0 for each in is_open] or 0},
        },
        text=[f"{words.factor(ratio.value)} {finding_words(ratio.finding)}" for ratio in own],
        textposition=["top right" if (ratio.value or 0) >= 1 else "top left" for ratio in own],
        cliponaxis=False,
        error_x={
            "type": "data",
            "symmetric": False,
            "array": [max(0.0, (ratio.high or ratio.value or 0) - (ratio.value or 0)) for ratio in own],
            "arrayminus": [max(0.0, (ratio.value or 0) - (ratio.low or ratio.value or 0)) for ratio in own],
            "color": mark.color,
            "thickness": 2.5,
            "width": 6,
        },
        customdata=[_hover(ratio) for ratio in own],
        hovertemplate="%{customdata}<extra></extra>",
    )


def _hover(ratio: Ratio) -> str:
    interval = f"95 % interval {words.factor(ratio.low)} to {words.factor(ratio.high)}"
    return (
        f"<b>{ratio.label}</b>, {ratio.pass_name}<br>{ratio.other} is {words.factor(ratio.value)} of {ratio.base}<br>{interval}"
        f"<br>{finding_words(ratio.finding)}"
    )


def _range(ratios: Sequence[Ratio]) -> tuple[float, float]:
    known = [value for ratio in ratios for value in (ratio.low, ratio.value, ratio.high) if value]
    low, high = min([0.8, *(0.9 * value for value in known)]), max([1.25, *(1.1 * value for value in known)])
    # Room for the words beside a mark.
    room = (high / low) ** 0.35
    return low / room, high * room


def comparison_alt(ratios: Sequence[Ratio], quantity: str) -> str:
    """Say the ratios in words."""
    parts = [
        f"{ratio.label} in {ratio.other} "
        + (
            finding_words(ratio.finding)
            if ratio.value is None
            else f"{words.factor(ratio.value)} of {ratio.base} (95 % {words.factor(ratio.low)} to {words.factor(ratio.high)})"
        )
        for ratio in ratios
    ]
    return f"Ratios of {QUANTITIES[quantity]} between runs: " + ("; ".join(parts) or "none") + "."
