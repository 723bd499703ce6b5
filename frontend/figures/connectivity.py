"""Who meets whom in one layer: input blocks → the 2n blocks of the weight → output blocks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go

from frontend.figures.connectivity_words import Meeting
from frontend.figures.style import CHOSEN, COMPONENTS, NEUTRAL, faint, figure_of
from frontend.schemas import ConnectivityJson, FeatureSetJson, HubJson, NeighboursJson

__all__ = ["LINES_UP_TO", "connectivity_figure"]

INPUTS, HUBS, OUTPUTS = 0.0, 1.0, 2.0
LINES_UP_TO = 16
"""Up to this n every meeting is a line of its own, beyond it only where not all blocks meet all blocks."""


def connectivity_figure(
    connectivity: ConnectivityJson,
    chosen: NeighboursJson | None = None,
    pair: Meeting | None = None,
) -> go.Figure:
    """Draw the graph of one layer.

    On the left the n neighbourhood blocks of the inputs, in the middle the blocks of BLOCKDIAG and BLOCKTRANS (the
    hubs), on the right the n neighbourhood blocks of the outputs. A line means that features are shared.

    Args:
        connectivity: the layer.
        chosen: one feature whose lines are drawn strong while all others step back.
        pair: an input and an output: the way through each block that joins them is drawn over everything else.
    """
    n = connectivity["geometry"]["n_blocks"]
    hubs = _ordered(connectivity["hubs"])
    height = {index: _level(index, len(hubs)) for index in range(len(hubs))}
    own = {
        component: [(slot, hub) for slot, hub in enumerate(hubs) if hub["component"] == component]
        for component in ("blockdiag", "blocktrans")
    }
    present = [found for found in own.values() if found]
    traces: list[dict[str, Any]] = []
    for found in present:
        traces.append(_edges(found, connectivity["input_hub_shared"], INPUTS, height, n, dimmed=chosen is not None))
        traces.append(_edges(found, connectivity["output_hub_shared"], OUTPUTS, height, n, dimmed=chosen is not None))
    traces.sort(key=lambda trace: "fill" not in trace)  # faces lie below lines
    if chosen is not None:
        traces += [_strong(connectivity, chosen, found, height, n) for found in present]
    ends = {} if pair is None else _ends(connectivity, pair)
    if pair is not None and pair[2]:
        traces.append(_way(hubs, pair[2], ends, height, n))
    traces += [_hub_nodes(found, height, n) for found in present]
    traces += [_side_nodes(connectivity, n, INPUTS), _side_nodes(connectivity, n, OUTPUTS)]
    if chosen is not None:
        traces += [_chosen_node(side, feature, block, n) for side, (feature, block) in ends.items()] or [
            _chosen_node(
                chosen["side"], chosen["feature"], _block_of(connectivity, chosen["side"], chosen["feature"]), n
            )
        ]
    return figure_of(
        traces,
        height=min(1000, 150 + 34 * len(hubs)),
        hovermode="closest",
        margin={"t": 70},
        xaxis={
            "range": [-0.28, 2.28],
            "tickvals": [INPUTS, HUBS, OUTPUTS],
            "ticktext": ["input blocks", "weight blocks", "output blocks"],
            "showgrid": False,
            "zeroline": False,
            "side": "top",
            "fixedrange": True,
        },
        yaxis={"range": [1.03, -0.03] if n > 8 else [1.06, -0.06], "visible": False, "fixedrange": True},
    )


def _ordered(hubs: list[HubJson]) -> list[HubJson]:
    """BLOCKDIAG block b beside BLOCKTRANS block b, so that lines stay short."""
    return sorted(hubs, key=lambda hub: (hub["block"], hub["component"]))


def _level(slot: int, total: int) -> float:
    return (slot + 0.5) / max(1, total)


def _edges(
    own: list[tuple[int, HubJson]],
    shared: list[list[int]] | None,
    side: float,
    height: dict[int, float],
    n: int,
    *,
    dimmed: bool,
) -> dict[str, Any]:
    ends = [(block, slot) for slot, hub in own for block in range(n) if _shared(shared, hub, block)]
    mark = COMPONENTS[own[0][1]["component"]]
    if n > LINES_UP_TO and len(ends) == n * n:
        return _everything(side, mark.color, dimmed=dimmed)
    # n lines are told apart one by one, n² lines only as a texture.
    strength = min(0.8, max(0.1, 24 / len(ends)))
    line = {"color": faint(mark.color, strength / 3 if dimmed else strength), "width": 2 if len(ends) <= 64 else 1}
    return _lines([(side, _level(block, n), HUBS, height[slot]) for block, slot in ends], line)


def _everything(side: float, color: str, *, dimmed: bool) -> dict[str, Any]:
    """One faint face instead of the n² lines of "every block meets every block", which would take a browser a second."""
    return {
        "type": "scatter",
        "x": [side, HUBS, HUBS, side],
        "y": [0.0, 0.0, 1.0, 1.0],
        "mode": "lines",
        "line": {"width": 0},
        "fill": "toself",
        "fillcolor": faint(color, 0.1 if dimmed else 0.2),
        "hoverinfo": "skip",
        "showlegend": False,
    }


def _lines(ends: list[tuple[float, float, float, float]], line: dict[str, Any]) -> dict[str, Any]:
    """One trace of separate lines x0, y0 → x1, y1; a gap after each. float32 halves what is sent."""
    points = np.full((len(ends), 3, 2), np.nan, dtype=np.float32)
    points[:, :2] = np.asarray(ends, dtype=np.float32).reshape(len(ends), 2, 2)
    x, y = points.reshape(-1, 2).T
    return {
        "type": "scatter",
        "x": x.copy(),
        "y": y.copy(),
        "mode": "lines",
        "line": line,
        "hoverinfo": "skip",
        "showlegend": False,
    }


def _strong(
    connectivity: ConnectivityJson,
    chosen: NeighboursJson,
    own: list[tuple[int, HubJson]],
    height: dict[int, float],
    n: int,
) -> dict[str, Any]:
    """Lines from the chosen feature's block to its hub of one component and on to the blocks on the other side."""
    near, far = (INPUTS, OUTPUTS) if chosen["side"] == "input" else (OUTPUTS, INPUTS)
    shared = connectivity["output_hub_shared" if far == OUTPUTS else "input_hub_shared"]
    hubs = {partner["hub"] for partner in chosen["components"]}
    here = _level(_block_of(connectivity, chosen["side"], chosen["feature"]), n)
    ends: list[tuple[float, float, float, float]] = []
    for slot, hub in own:
        if hub["index"] in hubs:
            ends.append((near, here, HUBS, height[slot]))
            ends += [(far, _level(block, n), HUBS, height[slot]) for block in range(n) if _shared(shared, hub, block)]
    mark = COMPONENTS[own[0][1]["component"]]
    return {**_lines(ends, {"color": mark.color, "width": 3 if n <= 16 else 2}), "legendgroup": "chosen"}


def _ends(connectivity: ConnectivityJson, pair: Meeting) -> dict[str, tuple[int, int]]:
    """Feature and neighbourhood block of the input and of the output."""
    named = zip(("input", "output"), pair[:2], strict=True)
    return {side: (feature, _block_of(connectivity, side, feature)) for side, feature in named}


def _way(
    hubs: list[HubJson],
    blocks: Sequence[tuple[str, int]],
    ends: dict[str, tuple[int, int]],
    height: dict[int, float],
    n: int,
) -> dict[str, Any]:
    """From the input's block through each block that joins the two to the output's block."""
    start, stop = (_level(ends[side][1], n) for side in ("input", "output"))
    points = [height[slot] for slot, hub in enumerate(hubs) if (hub["component"], hub["block"]) in blocks]
    lines = [line for y in points for line in ((INPUTS, start, HUBS, y), (HUBS, y, OUTPUTS, stop))]
    return {**_lines(lines, {"color": CHOSEN, "width": 5}), "name": "the way", "legendgroup": "way"}


def _block_of(connectivity: ConnectivityJson, side: str, feature: int) -> int:
    geometry = connectivity["geometry"]
    features = geometry["in_features" if side == "input" else "out_features"]
    return feature // (features // geometry["n_blocks"])


def _chosen_node(side: str, feature: int, block: int, n: int) -> dict[str, Any]:
    name = f"{side} {feature}"
    return {
        "type": "scatter",
        "x": [INPUTS if side == "input" else OUTPUTS],
        "y": [_level(block, n)],
        "name": name,
        "mode": "markers",
        "marker": {
            "symbol": "star",
            "size": 20 if n <= 16 else 14,
            "color": CHOSEN,
            "line": {"color": NEUTRAL, "width": 1},
        },
        "hovertemplate": f"{name} lies in this block<extra></extra>",
        "cliponaxis": False,
    }


def _shared(matrix: list[list[int]] | None, hub: HubJson, block: int) -> int:
    """Features of neighbourhood block ``block`` on one side of ``hub``; rows of the matrix are BLOCKDIAG blocks."""
    if hub["component"] == "blockdiag" or matrix is None:
        return int(hub["block"] == block)
    return matrix[block][hub["block"]]


def _hub_nodes(own: list[tuple[int, HubJson]], height: dict[int, float], n: int) -> dict[str, Any]:
    mark = COMPONENTS[own[0][1]["component"]]
    diagonal = own[0][1]["component"] == "blockdiag"
    return {
        "type": "scatter",
        "x": [HUBS] * len(own),
        "y": [height[slot] for slot, _ in own],
        "name": mark.name,
        "mode": "markers+text" if n <= 8 else "markers",
        "text": [f"{hub['block']}" for _, hub in own],
        "textposition": "middle center",
        "textfont": {"color": "white" if diagonal else "black"},
        "marker": _node(n, color=mark.color, symbol="square" if diagonal else "circle"),
        "customdata": [_hub_words(hub) for _, hub in own],
        "hovertemplate": "%{customdata}<extra></extra>",
    }


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


def _side_nodes(connectivity: ConnectivityJson, n: int, side: float) -> dict[str, Any]:
    geometry = connectivity["geometry"]
    noun, features = ("inputs", geometry["in_features"]) if side == INPUTS else ("outputs", geometry["out_features"])
    block = features // n
    spans = [f"{b * block}–{(b + 1) * block - 1}" for b in range(n)]
    # Beyond 16 blocks only every few are named, so that no two names touch.
    step = 1 if n <= 16 else -(-n // 16)
    return {
        "type": "scatter",
        "x": [side] * n,
        "y": [_level(b, n) for b in range(n)],
        "mode": "markers+text",
        "text": [_spaced(span, n, side) if b % step == 0 else "" for b, span in enumerate(spans)],
        "textposition": "bottom center" if n <= 8 else "middle left" if side == INPUTS else "middle right",
        "textfont": {"size": 12 if n <= 16 else 10},
        "marker": _node(n, color=NEUTRAL, symbol="circle"),
        "customdata": [f"{noun} {span}" for span in spans],
        "hovertemplate": "%{customdata}<extra></extra>",
        "showlegend": False,
        "cliponaxis": False,
    }


def _spaced(span: str, n: int, side: float) -> str:
    """A name beside its mark, with room for the star of a chosen feature."""
    if n <= 8:
        return span
    return f"{span}\u2002" if side == INPUTS else f"\u2002{span}"
