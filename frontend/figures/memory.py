"""How much memory: parameters, inputs and what the pass itself allocates, stacked, beside the dense twin."""

from __future__ import annotations

from collections.abc import Sequence

import plotly.graph_objects as go

from frontend.figures.style import MEMORY_PARTS, NEUTRAL, base_layout, label_axis, or_gap, rows_height
from frontend.logic import words
from frontend.logic.rows import Row

__all__ = ["memory_alt", "memory_figure"]

MIB = 2**20


def memory_figure(rows: Sequence[Row]) -> go.Figure:
    """Draw the bytes of each row of one pass in MiB; a line marks the peak of the dense twin."""
    measured = [row for row in rows if row.peak_bytes is not None]
    figure = go.Figure()
    for part, mark in MEMORY_PARTS.items():
        sizes = [getattr(row, part) for row in measured]
        figure.add_trace(
            go.Bar(
                x=or_gap([size / MIB for size in sizes]),
                y=or_gap([row.label for row in measured]),
                name=mark.name,
                orientation="h",
                marker={
                    "color": mark.color,
                    "pattern": {
                        "shape": mark.hatch,
                        "solidity": 0.25,
                        "fgcolor": "rgba(255,255,255,0.7)",
                        "fillmode": "overlay",
                    },
                    "line": {"color": NEUTRAL, "width": 0.5},
                },
                customdata=[words.data_size(size) for size in sizes],
                hovertemplate=f"<b>%{{y}}</b><br>{mark.name} %{{customdata}}<extra></extra>",
            )
        )
    peaks = [(row.peak_bytes or 0) / MIB for row in measured]
    figure.add_trace(
        go.Scatter(
            x=or_gap([max(peaks, default=0.0)] * len(measured)),
            y=or_gap([row.label for row in measured]),
            mode="text",
            text=["  " + words.data_size(row.peak_bytes) + _relative(row, measured) for row in measured],
            textposition="middle right",
            cliponaxis=False,
            showlegend=False,
            hoverinfo="skip",
        )
    )
    dense = next((row for row in measured if row.is_dense), None)
    if dense is not None and dense.peak_bytes is not None:
        figure.add_vline(x=dense.peak_bytes / MIB, line={"color": NEUTRAL, "width": 2, "dash": "dot"})
    base_layout(figure, height=rows_height(len(rows)), margin={"t": 70}, barmode="stack", bargap=0.4)
    figure.update_xaxes(
        range=[0, 1.45 * max(peaks, default=1.0)], title="peak memory (MiB, lower is better)", showgrid=True
    )
    return label_axis(figure, [row.label for row in rows])


def _relative(row: Row, rows: Sequence[Row]) -> str:
    dense = next((other for other in rows if other.is_dense), None)
    if row.is_dense or dense is None or not dense.peak_bytes or row.peak_bytes is None:
        return ""
    return f" ({words.percent(row.peak_bytes / dense.peak_bytes)})"


def memory_alt(rows: Sequence[Row]) -> str:
    """Say the memory chart in words."""
    measured = [row for row in rows if row.peak_bytes is not None]
    parts = [f"{row.label} {words.data_size(row.peak_bytes)}{_relative(row, measured)}" for row in measured]
    return "Peak memory, share of dense in brackets: " + ("; ".join(parts) or "nothing measured yet") + "."
