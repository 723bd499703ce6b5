"""Numbers of paths against the distance of input and output: whether near dimensions are favoured."""

from __future__ import annotations

from typing import Any

import plotly.graph_objects as go

from frontend.figures.stack import SPREAD
from frontend.figures.style import NEUTRAL, faint, figure_of
from frontend.logic.locality import ratio_label, relative
from frontend.schemas_chain import LocalityJson

__all__ = ["locality_alt", "locality_figure"]

NEARLY_EVEN = 0.15
"""Differences from the mean below which the axis does not begin at 0."""

EVEN = 1e-5
"""Differences that are none: logarithms are good to ten digits."""


def locality_figure(curve: LocalityJson) -> go.Figure:
    """Draw the mean number of paths at each distance, as a multiple of the mean over all pairs; fewest and most around it.

    The line at 1 is an even spread. The scale is linear: what is favoured stands above the line by how much. It begins
    at 0, but where all is nearly even it shows what difference there is.
    """
    shown = relative(curve)
    unit = curve["in_features"] / curve["cells"]
    x = [distance * unit for distance in curve["distance"]]
    color = SPREAD["median"].color
    band: dict[str, Any] = {
        "type": "scatter",
        "x": x,
        "mode": "lines",
        "line": {"width": 0},
        "hoverinfo": "skip",
        "showlegend": False,
    }
    traces: list[dict[str, Any]] = [
        {**band, "y": shown["max"]},
        {
            **band,
            "y": shown["min"],
            "fill": "tonexty",
            "fillcolor": faint(color, 0.15),
            "name": "fewest to most",
            "showlegend": True,
        },
        {
            "type": "scatter",
            "x": x,
            "y": shown["mean"],
            "name": "mean",
            "mode": "lines+markers",
            "line": {"color": color, "width": 2.5},
            "marker": {"color": color, "size": 5},
            "customdata": [
                [ratio_label(low), ratio_label(high), pairs]
                for low, high, pairs in zip(shown["min"], shown["max"], curve["pairs"], strict=True)
            ],
            "hovertemplate": "inputs and outputs %{x:,.0f} apart:<br>%{y:.4g} times the mean of all pairs<br>"
            "fewest %{customdata[0]}, most %{customdata[1]}, %{customdata[2]:,} pairs<extra></extra>",
        },
    ]
    scale = _scale(min([1.0, *shown["min"]]), max([1.0, *shown["max"]]))
    line = {"color": NEUTRAL, "width": 1.5, "dash": "dot"}
    return figure_of(
        traces,
        height=400,
        margin={"t": 44},
        hovermode="x",
        shapes=[{"type": "line", "x0": 0, "x1": 1, "xref": "paper", "y0": 1, "y1": 1, "line": line}],
        annotations=[
            {
                "x": 1,
                "xref": "paper",
                "y": 1,
                "yanchor": "bottom",
                "xanchor": "right",
                "text": "even spread",
                "showarrow": False,
            }
        ],
        xaxis={"title": "distance of input and output (input features)", "zeroline": False, "showgrid": False},
        yaxis={
            **scale,
            "zeroline": False,
            "ticksuffix": " ",
        },
    )


def _scale(lowest: float, highest: float) -> dict[str, Any]:
    """Title and range of the axis: from 0, or near 1 where differences from 1 would else not be seen."""
    title = "paths, as a multiple of the mean"
    off = max(highest - 1, 1 - lowest)
    if not EVEN < off < NEARLY_EVEN:
        return {"title": title, "range": [0, 1.08 * highest]}
    return {"title": f"{title}<br>(not from 0)", "range": [1 - 1.25 * off, 1 + 1.25 * off]}


def locality_alt(curve: LocalityJson) -> str:
    """Say the curve in words."""
    shown = relative(curve)
    return (
        f"Paths against distance, as multiples of the mean over all pairs: {ratio_label(curve['near_over_mean'])} at distance 0, "
        f"{ratio_label(shown['mean'][len(shown['mean']) // 2])} in the middle, {ratio_label(shown['mean'][-1])} at the largest."
    )
