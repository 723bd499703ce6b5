"""The same chain made of other structures of equal cost, by depth."""

from __future__ import annotations

from collections.abc import Sequence

import plotly.graph_objects as go

from frontend.figures.style import STRUCTURES, figure_of
from frontend.logic import words
from frontend.schemas_chain import AlternativeJson

__all__ = ["alternatives_alt", "alternatives_figure"]


def alternatives_figure(alternatives: Sequence[AlternativeJson]) -> go.Figure:
    """Draw the reached share of each structure by depth; those that lie on one another differ in mark and dash."""
    traces = []
    for one in reversed(alternatives):
        mark = STRUCTURES[one["name"]]
        strong = one["name"] == "dyad"
        depths = list(range(1, len(one["reached_share"]) + 1))
        traces.append(
            {
                "type": "scatter",
                "x": depths,
                "y": [100 * share for share in one["reached_share"]],
                "name": mark.name,
                "mode": "lines+markers",
                "line": {"color": mark.color, "width": 3 if strong else 2, "dash": mark.hatch or "solid"},
                "marker": {"color": mark.color, "symbol": mark.symbol, "size": 11 if strong else 8},
                "opacity": 1 if strong else 0.8,
                "hovertemplate": f"<b>{mark.name}</b> after %{{x}} layers: %{{y:.4g}} %<extra></extra>",
            }
        )
    deepest = max(len(one["reached_share"]) for one in alternatives)
    return figure_of(
        traces,
        height=360,
        margin={"t": 64},
        xaxis={
            "title": "depth (layers)",
            "dtick": 1 if deepest <= 16 else 2 if deepest <= 26 else 4,
            "range": [0.5, deepest + 0.5],
            "zeroline": False,
            "showgrid": False,
        },
        yaxis={"title": "connected pairs (%)", "range": [0, 106], "zeroline": False, "ticksuffix": " "},
    )


def alternatives_alt(alternatives: Sequence[AlternativeJson]) -> str:
    """Say the comparison in words."""
    parts = [
        f"{STRUCTURES[one['name']].name}: {words.percent(one['reached_share'][0], 1)} after one layer, "
        + (
            f"full from depth {full}"
            if (full := one["first_full_depth"])
            else f"{words.percent(one['reached_share'][-1], 1)} at the end"
        )
        for one in alternatives
    ]
    return "Reached share of the same chain made of other structures: " + "; ".join(parts) + "."
