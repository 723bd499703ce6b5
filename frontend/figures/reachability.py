"""Which share of inputs can reach which outputs after 1, 2, … layers."""

from __future__ import annotations

from collections.abc import Mapping

import plotly.graph_objects as go

from frontend.figures.style import VARIANTS, figure_of
from frontend.logic import words
from frontend.schemas_chain import ReachabilityJson

__all__ = ["reachability_alt", "reachability_figure"]


def reachability_figure(chains: Mapping[str, ReachabilityJson], chosen: str) -> go.Figure:
    """Draw the reached share over depth, one line per variant, the chosen one strong and drawn last."""
    traces = []
    for variant in sorted(chains, key=lambda name: name == chosen):
        mark, depths = VARIANTS[variant], chains[variant]["depths"]
        strong = variant == chosen
        traces.append(
            {
                "type": "scatter",
                "x": [entry["depth"] for entry in depths],
                "y": [100 * entry["reached_share"] for entry in depths],
                "name": mark.name,
                "mode": "lines+markers",
                "opacity": 1.0 if strong else 0.55,
                "line": {"color": mark.color, "width": 3 if strong else 1.5},
                "marker": {"color": mark.color, "symbol": mark.symbol, "size": 11 if strong else 7},
                "customdata": [
                    f"{words.count(entry['reached_pairs'])} of {words.count(entry['total_pairs'])} pairs"
                    for entry in depths
                ],
                "hovertemplate": f"<b>{variant.upper()}</b> after %{{x}} layers: %{{y:.4g}} %<br>%{{customdata}}<extra></extra>",
            }
        )
    deepest = max((len(chain["depths"]) for chain in chains.values()), default=1)
    return figure_of(
        traces,
        height=380,
        margin={"t": 64},
        xaxis={
            "title": "depth (layers)",
            "dtick": 1,
            "range": [0.6, deepest + 0.4],
            "zeroline": False,
            "showgrid": False,
        },
        yaxis={"title": "connected input-output pairs (%)", "range": [0, 106], "zeroline": False, "ticksuffix": " "},
    )


def reachability_alt(chain: ReachabilityJson, variant: str) -> str:
    """Say the chosen line in words, exactly."""
    parts = [f"{entry['depth']}: {words.percent(entry['reached_share'], 2)}" for entry in chain["depths"]]
    return f"Share of input-output pairs connected by {variant.upper()}, by depth: " + "; ".join(parts) + "."
