"""How fast: speed-up over the dense twin with its interval and limit, and the times themselves."""

from __future__ import annotations

import math
from collections.abc import Sequence

import plotly.graph_objects as go

from frontend.figures.style import NEUTRAL, VARIANTS, base_layout, faint, label_axis, or_gap, rows_height
from frontend.logic import words
from frontend.logic.rows import OUTCOMES, Row

__all__ = ["speedup_alt", "speedup_figure", "time_alt", "time_figure"]

MAX_SAMPLE_MARKS = 4000


def speedup_figure(rows: Sequence[Row]) -> go.Figure:
    """Draw the median speed-up of each candidate of one pass, its 95 % interval and its limit.

    The scale is logarithmic: twice as fast and half as fast are equally far from 1.0x, and limits double with n.
    Rows without a speed stay as empty rows with the outcome in words.
    """
    candidates = [row for row in rows if not row.is_dense]
    figure = go.Figure()
    for variant, mark in VARIANTS.items():
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
                marker={"color": mark.color, "symbol": mark.symbol, "size": 12},
                text=[words.factor(row.speedup) for row in measured],
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
                x=0, y=row.label, text=OUTCOMES[row.outcome], showarrow=False, xanchor="left", xshift=8
            )
    figure.add_vline(x=1, line={"color": NEUTRAL, "width": 2})
    figure.add_annotation(x=0, y=1, yref="paper", yanchor="bottom", text="dense = 1.0x", showarrow=False)
    low, high = _speed_range(candidates)
    ticks = _speed_ticks(low, high)
    base_layout(figure, height=rows_height(len(rows)), margin={"t": 70})
    figure.update_xaxes(
        type="log",
        range=[math.log10(low), math.log10(high)],
        tickvals=ticks,
        ticktext=[f"{tick:g}x" for tick in ticks],
        title="speed-up over the dense twin (x, higher is faster)",
        showgrid=True,
        zeroline=False,
    )
    return label_axis(figure, [row.label for row in candidates])


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
    return go.Scatter(
        x=[row.limit for row in rows],
        y=[row.label for row in rows],
        name="limit n/2 (BD: n)",
        mode="markers+text",
        marker={"symbol": "line-ns", "size": 24, "line": {"color": NEUTRAL, "width": 3}, "color": NEUTRAL},
        text=[f"limit {row.limit:g}x" for row in rows],
        textposition="bottom right",
        textfont={"size": 11},
        cliponaxis=False,
        hovertemplate="%{y}: limit %{x:.3g}x, the ratio of multiply-adds<extra></extra>",
    )


def _gap(upper: float | None, lower: float | None) -> float:
    return 0.0 if upper is None or lower is None else max(0.0, upper - lower)


def _speed_hover(row: Row) -> str:
    interval = f"95 % interval {words.factor(row.speedup_low)} to {words.factor(row.speedup_high)}"
    return (
        f"<b>{row.label}</b> ({row.implementation}, {row.pass_name})<br>"
        f"{words.factor(row.speedup)} as fast as dense, {interval}<br>"
        f"{words.percent(row.share_of_limit)} of its limit {row.limit:g}x<br>"
        f"median {words.milliseconds(row.median_ms)} from {len(row.samples_ms)} samples"
    )


def _speed_range(rows: Sequence[Row]) -> tuple[float, float]:
    """Range from the limits, known before anything is measured; wider only where a result needs it."""
    lows = [row.speedup_low or row.speedup or 1.0 for row in rows]
    highs = [max(row.limit, row.speedup_high or row.speedup or 0.0) for row in rows]
    low = min([0.7, *(0.85 * value for value in lows if value > 0)])
    high = max([1.5, *highs])
    return low, high * (high / low) ** 0.18


def _speed_ticks(low: float, high: float) -> list[float]:
    powers = [2.0**exponent for exponent in range(-8, 14)]
    ticks = [tick for tick in powers if low <= tick <= high]
    if len(ticks) < 5:
        ticks = sorted({*ticks, *(1.5 * tick for tick in powers if low <= 1.5 * tick <= high)})
    return ticks


def time_figure(rows: Sequence[Row]) -> go.Figure:
    """Draw the time per call of each row of one pass: every sample, the quartiles and the median, in milliseconds."""
    measured = [row for row in rows if row.median_ms is not None]
    total = sum(len(row.samples_ms) for row in measured)
    step = max(1, math.ceil(total / MAX_SAMPLE_MARKS))
    figure = go.Figure()
    figure.add_trace(
        go.Scatter(
            x=or_gap([sample for row in measured for sample in row.samples_ms[::step]]),
            y=or_gap([row.label for row in measured for _ in row.samples_ms[::step]]),
            name="samples" if step == 1 else f"samples (each {step}th)",
            mode="markers",
            marker={"symbol": "line-ns", "size": 14, "line": {"color": faint(NEUTRAL, 0.45), "width": 1}},
            hovertemplate="%{y}: one sample, %{x:.4g} ms<extra></extra>",
        )
    )
    for variant, mark in VARIANTS.items():
        own = [row for row in measured if row.variant == variant]
        if not any(row.variant == variant for row in rows):
            continue
        figure.add_trace(
            go.Scatter(
                x=or_gap([row.median_ms for row in own]),
                y=or_gap([row.label for row in own]),
                name=mark.name,
                mode="markers+text",
                marker={"color": mark.color, "symbol": mark.symbol, "size": 12},
                text=[words.milliseconds(row.median_ms) for row in own],
                textposition="top center",
                cliponaxis=False,
                error_x={
                    "type": "data",
                    "symmetric": False,
                    "array": [_gap(row.q3_ms, row.median_ms) for row in own],
                    "arrayminus": [_gap(row.median_ms, row.q1_ms) for row in own],
                    "color": mark.color,
                    "thickness": 2.5,
                    "width": 6,
                },
                customdata=[_time_hover(row) for row in own],
                hovertemplate="%{customdata}<extra></extra>",
            )
        )
    highest = max([row.q3_ms or row.median_ms or 0.0 for row in measured], default=1.0)
    base_layout(figure, height=rows_height(len(rows)), margin={"t": 70})
    figure.update_xaxes(
        range=[0, 1.25 * highest], title="time per call (ms, lower is faster), bars are quartiles", showgrid=True
    )
    return label_axis(figure, [row.label for row in rows])


def _time_hover(row: Row) -> str:
    return (
        f"<b>{row.label}</b> ({row.implementation}, {row.pass_name})<br>"
        f"median {words.milliseconds(row.median_ms)}, quartiles {words.milliseconds(row.q1_ms)} "
        f"to {words.milliseconds(row.q3_ms)}<br>{len(row.samples_ms)} samples"
    )


def speedup_alt(rows: Sequence[Row]) -> str:
    """Say the speed-up chart in words."""
    parts = [
        f"{row.label} {words.factor(row.speedup)} (95 % {words.factor(row.speedup_low)} to {words.factor(row.speedup_high)}, "
        f"limit {row.limit:g}x)"
        if row.speedup is not None
        else f"{row.label} {OUTCOMES[row.outcome]}"
        for row in rows
        if not row.is_dense
    ]
    return "Speed-up over the dense twin: " + "; ".join(parts) + "."


def time_alt(rows: Sequence[Row]) -> str:
    """Say the time chart in words."""
    parts = [f"{row.label} {words.milliseconds(row.median_ms)}" for row in rows if row.median_ms is not None]
    return "Median time per call: " + ("; ".join(parts) or "nothing measured yet") + "."
