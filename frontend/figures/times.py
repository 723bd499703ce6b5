"""The times themselves: every sample, quartiles and median of each candidate."""

from __future__ import annotations

import math
from collections.abc import Sequence

import plotly.graph_objects as go

from frontend.figures.style import NEUTRAL, SERIES, base_layout, faint, label_axis, or_gap, rows_height
from frontend.logic import words
from frontend.logic.outcomes import words_of
from frontend.logic.rows import Row

__all__ = ["time_alt", "time_figure"]

MAX_SAMPLE_MARKS = 4000


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
    for variant, mark in SERIES.items():
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
                    "array": [(row.q3_ms or 0.0) - (row.median_ms or 0.0) for row in own],
                    "arrayminus": [(row.median_ms or 0.0) - (row.q1_ms or 0.0) for row in own],
                    "color": mark.color,
                    "thickness": 2.5,
                    "width": 6,
                },
                customdata=[_time_hover(row) for row in own],
                hovertemplate="%{customdata}<extra></extra>",
            )
        )
    for row in rows:
        if row.median_ms is None:
            text, shift = words_of(row.outcome), {"xanchor": "left", "xshift": 8}
            figure.add_annotation(x=0, y=row.label, text=text, hovertext=row.detail, showarrow=False, **shift)
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


def time_alt(rows: Sequence[Row]) -> str:
    """Say the time chart in words."""
    parts = [f"{row.label} {words.milliseconds(row.median_ms)}" for row in rows if row.median_ms is not None]
    return "Median time per call: " + ("; ".join(parts) or "nothing measured yet") + "."
