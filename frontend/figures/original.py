"""How much of a published speed-up is structure and how much is precision: factors as lengths on a logarithmic axis."""

from __future__ import annotations

import math
from collections.abc import Sequence

import plotly.graph_objects as go

from frontend.figures.style import NEUTRAL, base_layout, label_axis, or_gap, rows_height
from frontend.logic import words
from frontend.logic.original import Split

__all__ = ["original_alt", "original_figure"]

STRUCTURE, PRECISION = (
    ("structure (float32 against float32)", "#0072B2", ""),
    ("precision (float16 against float32)", "#E69F00", "/"),
)


def original_figure(splits: Sequence[Split]) -> go.Figure:
    """Draw each headline as two lengths that add up, because factors multiply: log structure + log precision.

    Lengths are drawn on log₂ positions; a factor below 1 goes to the left and the other starts where it ends.
    """
    labels = [each.label for each in splits]
    figure = go.Figure()
    for name, color, hatch in (STRUCTURE, PRECISION):
        first = name == STRUCTURE[0]
        values = [each.structure if first else each.precision for each in splits]
        figure.add_trace(
            go.Bar(
                x=[math.log2(value) for value in values],
                base=[0.0 if first else math.log2(each.structure) for each in splits],
                y=labels,
                name=name,
                orientation="h",
                marker={
                    "color": color,
                    "pattern": {
                        "shape": hatch,
                        "fgcolor": "rgba(255,255,255,0.6)",
                        "solidity": 0.2,
                        "fillmode": "overlay",
                    },
                },
                text=[words.factor(value) for value in values],
                textposition="inside",
                insidetextanchor="middle",
                textangle=0,
                textfont={"color": "#ffffff" if first else "#141414"},
                customdata=[each.arithmetic for each in splits],
                hovertemplate="<b>%{y}</b><br>" + name + " %{text}<br>%{customdata}<extra></extra>",
            )
        )
    ends = [max(0.0, math.log2(each.structure), math.log2(each.headline)) for each in splits]
    figure.add_trace(
        go.Scatter(
            x=or_gap(ends),
            y=or_gap(labels),
            mode="text",
            text=[
                f"  {words.factor(each.headline)} = {words.factor(each.structure)} × {words.factor(each.precision)}"
                for each in splits
            ],
            textposition="middle right",
            cliponaxis=False,
            showlegend=False,
            hoverinfo="skip",
        )
    )
    low = min([0.0, *(math.log2(each.structure) for each in splits)]) - 0.1
    high = max([1.0, *ends]) * 1.5
    ticks = [tick for tick in (0.5, 0.7, 1, 1.5, 2, 3, 4, 6, 8) if low <= math.log2(tick) <= high]
    figure.add_vline(x=0, line={"color": NEUTRAL, "width": 2})
    base_layout(figure, height=rows_height(len(labels)) + 10, margin={"t": 55}, barmode="overlay", bargap=0.35)
    figure.update_xaxes(
        range=[low, high],
        tickvals=[math.log2(tick) for tick in ticks],
        ticktext=[f"{tick:g}x" for tick in ticks],
        title="times as fast as dense in float32 (logarithmic: lengths add up where factors multiply)",
        showgrid=True,
        zeroline=False,
    )
    return label_axis(figure, labels)


def original_alt(splits: Sequence[Split]) -> str:
    """Say the chart in words."""
    parts = [
        f"{each.label}: {words.factor(each.headline)} is {words.factor(each.structure)} of structure times "
        f"{words.factor(each.precision)} of precision"
        for each in splits
    ]
    return (
        "Not like for like, float16 DYAD against float32 dense. " + ("; ".join(parts) or "Nothing to take apart") + "."
    )
