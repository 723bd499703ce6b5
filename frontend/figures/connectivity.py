"""Who meets whom in one layer: input blocks → the 2n blocks of the weight → output blocks."""

from __future__ import annotations

from typing import Any

import plotly.graph_objects as go

from frontend.figures.style import COMPONENTS, NEUTRAL, base_layout, faint
from frontend.logic import words
from frontend.schemas import ConnectivityJson, FeatureSetJson, HubJson, SpreadJson

__all__ = ["connectivity_alt", "connectivity_figure", "spread_words"]

INPUTS, HUBS, OUTPUTS = 0.0, 1.0, 2.0


def connectivity_figure(connectivity: ConnectivityJson) -> go.Figure:
    """Draw the graph of one layer.

    On the left the n neighbourhood blocks of the inputs, in the middle the blocks of BLOCKDIAG and BLOCKTRANS (the
    hubs), on the right the n neighbourhood blocks of the outputs. A line means that features are shared.
    """
    n = connectivity["geometry"]["n_blocks"]
    hubs = connectivity["hubs"]
    height = {index: _level(index, len(hubs)) for index in range(len(hubs))}
    figure = go.Figure()
    for component in ("blockdiag", "blocktrans"):
        own = [(slot, hub) for slot, hub in enumerate(_ordered(hubs)) if hub["component"] == component]
        if own:
            figure.add_trace(_edges(own, connectivity["input_hub_shared"], INPUTS, height, n))
            figure.add_trace(_edges(own, connectivity["output_hub_shared"], OUTPUTS, height, n))
    for component in ("blockdiag", "blocktrans"):
        own = [(slot, hub) for slot, hub in enumerate(_ordered(hubs)) if hub["component"] == component]
        if own:
            figure.add_trace(_hub_nodes(own, height, n))
    figure.add_trace(_side_nodes(connectivity, n, INPUTS))
    figure.add_trace(_side_nodes(connectivity, n, OUTPUTS))
    base_layout(figure, height=min(760, 150 + 34 * len(hubs)), hovermode="closest", margin={"t": 70})
    figure.update_xaxes(
        range=[-0.28, 2.28],
        tickvals=[INPUTS, HUBS, OUTPUTS],
        ticktext=["input blocks", "weight blocks", "output blocks"],
        showgrid=False,
        zeroline=False,
        side="top",
        fixedrange=True,
    )
    figure.update_yaxes(range=[1.06, -0.06], visible=False, fixedrange=True)
    return figure


def _ordered(hubs: list[HubJson]) -> list[HubJson]:
    """BLOCKDIAG block b beside BLOCKTRANS block b, so that lines stay short."""
    return sorted(hubs, key=lambda hub: (hub["block"], hub["component"]))


def _level(slot: int, total: int) -> float:
    return (slot + 0.5) / max(1, total)


def _edges(
    own: list[tuple[int, HubJson]], shared: list[list[int]] | None, side: float, height: dict[int, float], n: int
) -> go.Scatter:
    x: list[float | None] = []
    y: list[float | None] = []
    for slot, hub in own:
        for block in range(n):
            if _shared(shared, hub, block):
                x += [side, HUBS, None]
                y += [_level(block, n), height[slot], None]
    mark = COMPONENTS[own[0][1]["component"]]
    # n lines are told apart one by one, n² lines only as a texture.
    lines = len(x) // 3
    line = {"color": faint(mark.color, min(0.8, max(0.1, 24 / lines))), "width": 2 if lines <= 64 else 1}
    return go.Scatter(x=x, y=y, mode="lines", line=line, hoverinfo="skip", showlegend=False)


def _shared(matrix: list[list[int]] | None, hub: HubJson, block: int) -> int:
    """Features of neighbourhood block ``block`` on one side of ``hub``; rows of the matrix are BLOCKDIAG blocks."""
    if hub["component"] == "blockdiag" or matrix is None:
        return int(hub["block"] == block)
    return matrix[block][hub["block"]]


def _hub_nodes(own: list[tuple[int, HubJson]], height: dict[int, float], n: int) -> go.Scatter:
    mark = COMPONENTS[own[0][1]["component"]]
    return go.Scatter(
        x=[HUBS] * len(own),
        y=[height[slot] for slot, _ in own],
        name=mark.name,
        mode="markers+text" if n <= 8 else "markers",
        text=[f"{hub['block']}" for _, hub in own],
        textposition="middle center",
        textfont={"color": "white" if own[0][1]["component"] == "blockdiag" else "black"},
        marker=_node(n, color=mark.color, symbol="square" if own[0][1]["component"] == "blockdiag" else "circle"),
        customdata=[_hub_words(hub) for _, hub in own],
        hovertemplate="%{customdata}<extra></extra>",
    )


def _node(n: int, **marker: Any) -> dict[str, Any]:
    return {"size": 24 if n <= 8 else 12 if n <= 16 else 6, "line": {"color": NEUTRAL, "width": 0.5}, **marker}


def _hub_words(hub: HubJson) -> str:
    name = COMPONENTS[hub["component"]].name
    return (
        f"<b>{name} block {hub['block']}</b><br>reads {_set_words(hub['inputs'])}<br>feeds {_set_words(hub['outputs'])}"
    )


def _set_words(features: FeatureSetJson) -> str:
    first = ", ".join(str(index) for index in features["first"])
    more = ", …" if features["count"] > len(features["first"]) else ""
    return f"{features['count']} features: {features['description']}<br>  ({first}{more})"


def _side_nodes(connectivity: ConnectivityJson, n: int, side: float) -> go.Scatter:
    geometry = connectivity["geometry"]
    noun, features = ("inputs", geometry["in_features"]) if side == INPUTS else ("outputs", geometry["out_features"])
    block = features // n
    names = [f"{noun} {b * block}–{(b + 1) * block - 1}" for b in range(n)]
    return go.Scatter(
        x=[side] * n,
        y=[_level(b, n) for b in range(n)],
        mode="markers+text" if n <= 16 else "markers",
        text=[f"{b * block}–{(b + 1) * block - 1}" for b in range(n)],
        textposition="bottom center" if n <= 8 else "middle left" if side == INPUTS else "middle right",
        marker=_node(n, color=NEUTRAL, symbol="circle"),
        customdata=names,
        hovertemplate="%{customdata}<extra></extra>",
        showlegend=False,
        cliponaxis=False,
    )


def spread_words(spread: SpreadJson) -> str:
    """Write a count that may differ between features: ``336`` or ``330 to 338``."""
    low, high = words.count(spread["min"]), words.count(spread["max"])
    return low if low == high else f"{low} to {high}"


def connectivity_alt(connectivity: ConnectivityJson) -> str:
    """Say the graph in words."""
    geometry = connectivity["geometry"]
    return (
        f"Graph of {geometry['variant'].upper()} with n = {geometry['n_blocks']}: each output reads "
        f"{spread_words(connectivity['reads_per_output'])} of {geometry['in_features']} inputs, each input feeds "
        f"{spread_words(connectivity['feeds_per_input'])} of {geometry['out_features']} outputs."
    )
