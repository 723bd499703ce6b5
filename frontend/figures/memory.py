"""How much memory and what for, stacked, beside the dense twin; measured and predicted side by side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import plotly.graph_objects as go

from frontend.figures.style import (
    MEMORY_PARTS,
    NEUTRAL,
    UNSPLIT_PART,
    base_layout,
    faint,
    label_axis,
    or_gap,
    rows_height,
)
from frontend.logic import words
from frontend.logic.outcomes import words_of
from frontend.logic.rows import MemoryRow, Row

__all__ = ["memory_alt", "memory_figure"]

MIB = 2**20
PREDICTED = "predicted"


class _Bar(NamedTuple):
    label: str
    use: MemoryRow
    said: str
    faint: bool


def memory_figure(rows: Sequence[Row], *, predicted: bool = True) -> go.Figure:
    """Draw the bytes of each row of one pass by what they are for, in MiB; a line marks the peak of the dense twin.

    Where a prediction is known and ``predicted`` says so, it stands in a fainter row below, with its difference. The
    parts need not all be alive at one moment: the thick mark is the peak.
    """
    bars = _bars(rows, predicted)
    figure = go.Figure()
    for part, mark in MEMORY_PARTS.items():
        figure.add_trace(_part(part, mark, bars))
    if any(not bar.use.is_split for bar in bars):
        figure.add_trace(_part("allocated_peak_bytes", UNSPLIT_PART, bars))
    peaks = [bar.use.peak_bytes / MIB for bar in bars]
    figure.add_trace(_peaks(bars))
    ends = [max(bar.use.peak_bytes, sum(_sizes(bar.use).values())) / MIB for bar in bars]
    figure.add_trace(
        go.Scatter(
            x=or_gap([max(ends, default=0.0)] * len(bars)),
            y=or_gap([bar.label for bar in bars]),
            mode="text",
            text=["  " + bar.said for bar in bars],
            textposition="middle right",
            cliponaxis=False,
            showlegend=False,
            hoverinfo="skip",
        )
    )
    dense = next((row for row in rows if row.is_dense), None)
    if dense is not None and dense.peak_bytes is not None:
        figure.add_vline(x=dense.peak_bytes / MIB, line={"color": NEUTRAL, "width": 2, "dash": "dot"})
    labels = _labels(rows, bars)
    for row in rows:
        if row.memory is None:
            place = {"xanchor": "left", "xshift": 8}
            figure.add_annotation(x=0, y=row.label, text=words_of(row.outcome), showarrow=False, **place)
    base_layout(figure, height=rows_height(len(labels)) + 20, margin={"t": 90}, barmode="stack", bargap=0.35)
    highest = max([*ends, *peaks], default=1.0)
    figure.update_xaxes(
        range=[0, 1.6 * highest], title="peak memory (MiB, lower is better; share of dense)", showgrid=True
    )
    return label_axis(figure, labels)


def _bars(rows: Sequence[Row], predicted: bool) -> list[_Bar]:
    bars = []
    for row in rows:
        if row.memory is not None:
            bars.append(_Bar(row.label, row.memory, words.data_size(row.peak_bytes) + _relative(row, rows), False))
        if predicted and row.predicted is not None:
            said = words.data_size(row.predicted.peak_bytes) + _difference(row)
            bars.append(_Bar(_predicted_label(row), row.predicted, said, True))
    return bars


def _predicted_label(row: Row) -> str:
    return f"{row.label} {PREDICTED}"


def _labels(rows: Sequence[Row], bars: Sequence[_Bar]) -> list[str]:
    known = {bar.label for bar in bars}
    return [
        label
        for row in rows
        for label in (row.label, _predicted_label(row))
        if label == row.label or _predicted_label(row) in known
    ]


def _sizes(use: MemoryRow) -> dict[str, int]:
    """What is stacked: the parts, or what there is of them in an older file."""
    if not use.is_split:
        return {name: getattr(use, name) for name in ("parameters_bytes", "inputs_bytes", "allocated_peak_bytes")}
    return {name: getattr(use, name) or 0 for name in MEMORY_PARTS}


def _part(part: str, mark: Any, bars: Sequence[_Bar]) -> go.Bar:
    own = [(bar, _sizes(bar.use).get(part, 0)) for bar in bars]
    pattern = {"shape": mark.hatch, "solidity": 0.25, "fgcolor": "rgba(255,255,255,0.7)", "fillmode": "overlay"}
    return go.Bar(
        x=or_gap([size / MIB for _, size in own]),
        y=or_gap([bar.label for bar, _ in own]),
        name=mark.name,
        orientation="h",
        marker={
            "color": [faint(mark.color, 0.5) if bar.faint else mark.color for bar, _ in own] or mark.color,
            "pattern": pattern,
            "line": {"color": NEUTRAL, "width": 0.5},
        },
        customdata=[f"{words.data_size(size)}<br>{bar.use.method}" for bar, size in own],
        hovertemplate=f"<b>%{{y}}</b><br>{mark.name} %{{customdata}}<extra></extra>",
    )


def _peaks(bars: Sequence[_Bar]) -> go.Scatter:
    return go.Scatter(
        x=or_gap([bar.use.peak_bytes / MIB for bar in bars]),
        y=or_gap([bar.label for bar in bars]),
        name="peak",
        mode="markers",
        marker={"symbol": "line-ns", "size": 22, "color": NEUTRAL, "line": {"color": NEUTRAL, "width": 4}},
        customdata=[words.data_size(bar.use.peak_bytes) for bar in bars],
        hovertemplate="<b>%{y}</b><br>peak %{customdata}: not all parts are alive at one moment<extra></extra>",
    )


def _relative(row: Row, rows: Sequence[Row]) -> str:
    dense = next((other for other in rows if other.is_dense), None)
    if row.is_dense or dense is None or not dense.peak_bytes or row.peak_bytes is None:
        return ""
    return f" ({words.percent(row.peak_bytes / dense.peak_bytes)})"


def _difference(row: Row) -> str:
    """How far the prediction is from what was measured."""
    if row.predicted is None or not row.peak_bytes:
        return ""
    share = (row.predicted.peak_bytes - row.peak_bytes) / row.peak_bytes
    return ", as measured" if abs(share) < 0.0005 else f", {100 * share:+.1f} %"


def memory_alt(rows: Sequence[Row]) -> str:
    """Say the memory chart in words."""
    parts = [
        f"{row.label} {words.data_size(row.peak_bytes)}{_relative(row, rows)}"
        + (f", predicted {words.data_size(row.predicted.peak_bytes)}{_difference(row)}" if row.predicted else "")
        for row in rows
        if row.peak_bytes is not None
    ]
    return "Peak memory, share of dense in brackets: " + ("; ".join(parts) or "nothing measured yet") + "."
