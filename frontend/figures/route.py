"""One path through a chain, block by block, over all the blocks that it could have taken."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import plotly.graph_objects as go

from frontend.figures.style import CHOSEN, COMPONENTS, NEUTRAL, faint, figure_of, or_gap
from frontend.schemas import GeometryJson
from frontend.schemas_chain import StepJson, TraceJson

__all__ = ["route_alt", "route_figure"]

ALL_BLOCKS_UP_TO = 64


def route_figure(trace: TraceJson, layers: Sequence[GeometryJson]) -> go.Figure:
    """Draw the path: a feature between two layers by its relative place, a block in a layer by its number.

    Features lie at whole depths, blocks half-way between; every block of a layer is a faint mark.
    """
    steps = trace["path"]
    xs, ys, texts = [0.0], [_place(steps[0]["input"], layers[0]["in_features"])], [f"input {steps[0]['input']}"]
    for step, layer in zip(steps, layers, strict=False):
        depth = step["layer"]
        xs += [depth - 0.5, depth]
        ys += [_place(step["block"], layer["n_blocks"]), _place(step["output"], layer["out_features"])]
        name = COMPONENTS[step["component"]].name
        where = "output" if depth == len(steps) else "feature"
        texts += [f"layer {depth}: {name} block {step['block']}", f"{where} {step['output']} after layer {depth}"]
    few = len(steps) <= 12
    traces = [
        *_all_blocks(steps, layers),
        {
            "type": "scatter",
            "x": xs,
            "y": ys,
            "mode": "lines",
            "line": {"color": CHOSEN, "width": 3},
            "hoverinfo": "skip",
            "showlegend": False,
        },
        *_blocks_taken(steps, layers, texts),
        {
            "type": "scatter",
            "x": xs[::2],
            "y": ys[::2],
            "name": "feature",
            "mode": "markers+text" if few else "markers",
            "text": [text.split(" after")[0].replace("feature ", "") for text in texts[::2]],
            "textposition": "top center",
            "marker": {"color": CHOSEN, "symbol": "circle", "size": 11, "line": {"color": NEUTRAL, "width": 1}},
            "customdata": texts[::2],
            "hovertemplate": "%{customdata}<extra></extra>",
            "cliponaxis": False,
        },
    ]
    return figure_of(
        traces,
        height=380,
        margin={"t": 48},
        hovermode="closest",
        xaxis={
            "title": "after layer",
            "range": [-0.35, len(steps) + 0.35],
            "dtick": 1 if len(steps) <= 24 else 4,
            "zeroline": False,
            "showgrid": False,
        },
        yaxis={"title": "relative place", "range": [1.06, -0.12], "zeroline": False, "ticksuffix": " "},
    )


def _place(index: int, size: int) -> float:
    return (index + 0.5) / size


def _all_blocks(steps: Sequence[StepJson], layers: Sequence[GeometryJson]) -> list[dict[str, Any]]:
    x: list[float | None] = []
    y: list[float | None] = []
    for step, layer in zip(steps, layers, strict=False):
        if layer["n_blocks"] <= ALL_BLOCKS_UP_TO:
            x += [step["layer"] - 0.5] * layer["n_blocks"]
            y += [_place(block, layer["n_blocks"]) for block in range(layer["n_blocks"])]
    many = max((layer["n_blocks"] for layer in layers), default=1) > 16
    marker = {"color": faint(NEUTRAL, 0.5), "symbol": "square", "size": 3 if many else 7}
    return [
        {
            "type": "scatter",
            "x": or_gap(x),
            "y": or_gap(y),
            "name": "blocks of the layer",
            "mode": "markers",
            "marker": marker,
            "hoverinfo": "skip",
        }
    ]


def _blocks_taken(
    steps: Sequence[StepJson], layers: Sequence[GeometryJson], texts: Sequence[str]
) -> list[dict[str, Any]]:
    found = []
    for component, symbol in (("blockdiag", "square"), ("blocktrans", "circle")):
        own = [at for at, step in enumerate(steps) if step["component"] == component]
        mark = COMPONENTS[component]
        found.append(
            {
                "type": "scatter",
                "x": or_gap([steps[at]["layer"] - 0.5 for at in own]),
                "y": or_gap([_place(steps[at]["block"], layers[at]["n_blocks"]) for at in own]),
                "name": f"through {mark.name}",
                "mode": "markers",
                "marker": {
                    "color": mark.color,
                    "symbol": symbol,
                    "size": 15,
                    "line": {"color": NEUTRAL, "width": 1},
                },
                "customdata": [texts[2 * at + 1] for at in own],
                "hovertemplate": "%{customdata}<extra></extra>",
            }
        )
    return found


def route_alt(trace: TraceJson) -> str:
    """Say the path in words."""
    steps = "; ".join(
        f"layer {step['layer']}: {step['input']} through {COMPONENTS[step['component']].name} block {step['block']} to {step['output']}"
        for step in trace["path"]
    )
    return f"One path from input {trace['input']} to output {trace['output']}: {steps}."
