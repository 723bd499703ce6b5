"""The numerical rank of a chain by depth, beside what it can be at most."""

from __future__ import annotations

import plotly.graph_objects as go

from frontend.figures.style import NEUTRAL, VARIANTS, figure_of
from frontend.schemas_chain import RankJson

__all__ = ["rank_alt", "rank_figure"]


def rank_figure(found: RankJson) -> go.Figure:
    """Draw rank and bound by depth."""
    depths = found["depths"]
    x = [entry["depth"] for entry in depths]
    traces = [
        {
            "type": "scatter",
            "x": x,
            "y": [entry[name] for entry in depths],
            "name": title,
            "mode": "lines+markers",
            "line": {"color": color, "width": width, "dash": dash},
            "marker": {"color": color, "symbol": symbol, "size": 9},
            "hovertemplate": f"after %{{x}} layers: {title} %{{y:,}}<extra></extra>",
        }
        for name, title, color, width, dash, symbol in (
            ("bound", "at most", NEUTRAL, 1.5, "dot", "line-ew-open"),
            ("rank", "rank", VARIANTS["it"].color, 2.5, "solid", "circle"),
        )
    ]
    highest = max(entry["bound"] for entry in depths)
    return figure_of(
        traces,
        height=320,
        margin={"t": 48},
        xaxis={"title": "depth (layers)", "dtick": 1 if len(x) <= 16 else 4, "zeroline": False, "showgrid": False},
        yaxis={"title": "rank", "range": [0, 1.08 * highest], "zeroline": False, "ticksuffix": " "},
    )


def rank_alt(found: RankJson) -> str:
    """Say the ranks in words."""
    parts = [f"{entry['depth']}: {entry['rank']} of {entry['bound']}" for entry in found["depths"]]
    return "Numerical rank by depth: " + "; ".join(parts) + "."
