"""How fast: speed-up over the dense twin, its interval, its limit, and how the comparison came out."""

from __future__ import annotations

import math
from collections.abc import Sequence

import plotly.graph_objects as go

from frontend.figures.style import NEUTRAL, SERIES, base_layout, factor_ticks, faint, label_axis, or_gap, rows_height
from frontend.logic import words
from frontend.logic.outcomes import outcome, words_of
from frontend.logic.rows import Row

__all__ = ["speedup_alt", "speedup_figure"]


def speedup_figure(rows: Sequence[Row]) -> go.Figure:
    """Draw the speed-up of each candidate of one pass, its 95 % interval and its limit.

    A filled mark is faster or slower than dense, an open one not distinguishable from it; the words say the same.

    The scale is logarithmic: twice as fast and half as fast are equally far from 1.0x, and limits double with n.
    Rows without a speed stay as empty rows with the outcome in words.
    """
    candidates = [row for row in rows if not row.is_dense]
    figure = go.Figure()
    for variant, mark in SERIES.items():
        own = [row for row in candidates if row.variant == variant]
        measured = [row for row in own if row.speedup is not None]
        if not own or variant == "dense":
            continue
        figure.add_trace(_stems(measured, mark.color))
        figure.add_trace(
            go.Scatter(
                x=or_gap([row.speedup for row in measured]),
                y=or_gap([row.label for row in measured]),
                name=mark.name,
                mode="markers+text",
                marker={
                    "color": mark.color,
                    "symbol": [_symbol(mark.symbol, row) for row in measured] or mark.symbol,
                    "size": 12,
                    "line": {"color": mark.color, "width": [2 if _is_open(row) else 0 for row in measured] or 0},
                },
                text=[_said(row) for row in measured],
                # Away from the 1.0x line, which would run through the figure.
                textposition=["top right" if (row.speedup or 0) >= 1 else "top left" for row in measured],
                cliponaxis=False,
                error_x={
                    "type": "data",
                    "symmetric": False,
                    "array": [_gap(row.speedup_high, row.speedup) for row in measured],
                    "arrayminus": [_gap(row.speedup, row.speedup_low) for row in measured],
                    "color": mark.color,
                    "thickness": 2.5,
                    "width": 6,
                },
                customdata=[_speed_hover(row) for row in measured],
                hovertemplate="%{customdata}<extra></extra>",
            )
        )
    figure.add_trace(_limits(candidates))
    for row in candidates:
        if row.speedup is None:
            figure.add_annotation(
                x=0,
                y=row.label,
                text=words_of(row.outcome),
                hovertext=row.detail or outcome(row.outcome).meaning,
                showarrow=False,
                xanchor="left",
                xshift=8,
            )
    figure.add_vline(x=1, line={"color": NEUTRAL, "width": 2})
    figure.add_annotation(x=0, y=1, yref="paper", yanchor="bottom", text="dense = 1.0x", showarrow=False)
    low, high = _speed_range(candidates)
    ticks = factor_ticks(low, high)
    base_layout(figure, height=rows_height(len(rows)), margin={"t": 70})
    figure.update_xaxes(
        type="log",
        range=[math.log10(low), math.log10(high)],
        tickvals=ticks,
        ticktext=[f"{tick:.3g}x" for tick in ticks],
        tickangle=0,
        title="speed-up over the dense twin (x, higher is faster)",
        showgrid=True,
        zeroline=False,
    )
    return label_axis(figure, [row.label for row in candidates])


def _is_open(row: Row) -> bool:
    return row.outcome == "not_distinguishable"


def _symbol(symbol: str, row: Row) -> str:
    return f"{symbol}-open" if _is_open(row) else symbol


def _said(row: Row) -> str:
    """``▲ 1.87x faster``; a row with a speed that nothing was compared with says its speed alone."""
    known = outcome(row.outcome)
    return (
        words.factor(row.speedup)
        if row.outcome == "measured"
        else f"{known.mark} {words.factor(row.speedup)} {known.short or known.word}"
    )


def _stems(rows: Sequence[Row], color: str) -> go.Scatter:
    """Lines from 1.0x to each median: how far from dense, seen at a glance."""
    x: list[float | None] = []
    y: list[str | None] = []
    for row in rows:
        x += [1.0, row.speedup, None]
        y += [row.label, row.label, None]
    line = {"color": faint(color, 0.35), "width": 5}
    return go.Scatter(x=or_gap(x), y=or_gap(y), mode="lines", line=line, hoverinfo="skip", showlegend=False)


def _limits(rows: Sequence[Row]) -> go.Scatter:
    """The limit of every row, named where it changes; a second dense twin has none to reach."""
    rows = [row for row in rows if row.variant != "dense_again"]
    before = [None, *(row.limit for row in rows)]
    return go.Scatter(
        x=[row.limit for row in rows],
        y=[row.label for row in rows],
        name="limit n/2 (BD: n)",
        mode="markers+text",
        marker={"symbol": "line-ns", "size": 24, "line": {"color": NEUTRAL, "width": 3}, "color": NEUTRAL},
        text=["" if row.limit == last else f"limit {row.limit:g}x" for row, last in zip(rows, before, strict=False)],
        textposition="bottom right",
        textfont={"size": 11},
        cliponaxis=False,
        hovertemplate="%{y}: limit %{x:.3g}x, the ratio of multiply-adds<extra></extra>",
    )


def _gap(upper: float | None, lower: float | None) -> float:
    return 0.0 if upper is None or lower is None else max(0.0, upper - lower)


def _speed_hover(row: Row) -> str:
    correct = (
        ""
        if row.error is None
        else f"<br>agrees with the oracle within {row.error:.1e} (allowed {row.tolerance or 0:.1e})"
    )
    interval = f"95 % interval {words.factor(row.speedup_low)} to {words.factor(row.speedup_high)}"
    return (
        f"<b>{row.label}</b> ({row.implementation}, {row.pass_name})<br>"
        f"{words.factor(row.speedup)} as fast as dense, {interval}<br>"
        f"{words.percent(row.share_of_limit)} of its limit {row.limit:g}x<br>"
        f"median {words.milliseconds(row.median_ms)} from {len(row.samples_ms)} samples<br>"
        f"{outcome(row.outcome).meaning}{correct}"
    )


def _speed_range(rows: Sequence[Row]) -> tuple[float, float]:
    """Range from the limits, known before anything is measured; wider only where a result needs it."""
    lows = [row.speedup_low or row.speedup or 1.0 for row in rows]
    highs = [max(row.limit, row.speedup_high or row.speedup or 0.0) for row in rows]
    low = min([0.7, *(0.85 * value for value in lows if value > 0)])
    high = max([1.5, *highs])
    high *= (high / low) ** 0.3
    # Words stand left of a mark below 1.0x, and take this share of the width.
    shares = [(row.speedup, 0.42 if _is_open(row) else 0.25) for row in rows if row.speedup and row.speedup < 1]
    left = [(speedup / high**share) ** (1 / (1 - share)) for speedup, share in shares]
    return min([low, *left]), high


def speedup_alt(rows: Sequence[Row]) -> str:
    """Say the speed-up chart in words."""
    parts = [
        f"{row.label} {_said(row)} (95 % {words.factor(row.speedup_low)} to {words.factor(row.speedup_high)}, "
        f"limit {row.limit:g}x)"
        if row.speedup is not None
        else f"{row.label} {words_of(row.outcome)}"
        for row in rows
        if not row.is_dense
    ]
    return "Speed-up over the dense twin: " + "; ".join(parts) + "."
