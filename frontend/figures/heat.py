"""Heat maps between groups of inputs and groups of outputs: hops, and numbers of paths."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go

from frontend.figures.style import NEUTRAL, figure_of
from frontend.logic.arrays import decode_array
from frontend.logic.numbers import power_words
from frontend.schemas import FeatureSetJson
from frontend.schemas_chain import HeatMapsJson

__all__ = ["hops_alt", "hops_figure", "path_map_alt", "path_map_figure"]

# Steps of one hue, told apart in grey too, the first seen on white and on the dark background; the last holds every
# further number of hops.
HOPS = ["#2171b5", "#5aa0d2", "#94c4df", "#c6dbef", "#e8f1fa"]
NEVER = "#D55E00"
NAMED_UP_TO = 16
"""Groups that are named beside the rows, and half as many below the columns; beyond, every few."""


def hops_figure(maps: HeatMapsJson) -> go.Figure:
    """Draw after how many layers every input of a group reaches every output of another.

    The depths that can be compared are steps of colour; pairs of groups that are never joined stand out.
    """
    hops = _decoded(maps, "hops")
    depths = maps["compared_depths"]
    found = [depth for depth in depths if (hops == depth).any()]
    z = np.zeros(hops.shape, dtype=np.uint8)
    for place, depth in enumerate(found, start=1):
        z[hops == depth] = place
    steps = [NEVER, *(HOPS[min(place, len(HOPS) - 1)] for place in range(len(found)))]
    total = len(steps)
    scale = [[edge / total, color] for place, color in enumerate(steps) for edge in (place, place + 1)]
    names = ["not joined", *(f"{depth} layer{'' if depth == 1 else 's'}" for depth in found)]
    shown = [place for place in range(total) if (z == place).any()]
    traces: list[dict[str, Any]] = [
        {
            "type": "heatmap",
            "z": z,
            "zmin": -0.5,
            "zmax": total - 0.5,
            "colorscale": scale,
            "showscale": False,
            **_axes_labels(maps),
            "text": [[names[place] for place in row] for row in z.tolist()],
            "hovertemplate": "%{y}<br>%{x}<br><b>%{text}</b><extra></extra>",
        }
    ]
    traces += [_legend(names[place], steps[place]) for place in shown]
    return _map_figure(maps, traces)


def path_map_figure(maps: HeatMapsJson) -> go.Figure:
    """Draw the decimal logarithm of the number of paths between groups; white space means no path at all."""
    paths = _decoded(maps, "paths_log10")
    known = np.where(np.isfinite(paths), paths, np.nan)
    low, high, ticks, labels = _scale(known)
    traces: list[dict[str, Any]] = [
        {
            "type": "heatmap",
            "z": known.astype(np.float32),
            "zmin": low,
            "zmax": high,
            "colorscale": "Viridis",
            "colorbar": {
                "thickness": 10,
                "outlinewidth": 0,
                "tickvals": ticks,
                "ticktext": labels,
                "title": {"text": "mean paths of a pair" if maps["merged"] else "paths of a pair", "side": "right"},
            },
            **_axes_labels(maps),
            "text": [[power_words(value) for value in row] for row in paths.tolist()],
            "hovertemplate": "%{y}<br>%{x}<br><b>%{text}</b> paths<extra></extra>",
            "hoverongaps": True,
        }
    ]
    return _map_figure(maps, traces)


def _scale(known: Any) -> tuple[float, float, list[float], list[str]]:
    """Range and ticks of the colours; numbers that lie close together are told by how much they differ."""
    if not np.isfinite(known).any():
        return 0.0, 1.0, [], []
    low, high = float(np.nanmin(known)), float(np.nanmax(known))
    more = 10 ** (high - low) - 1
    if more < 1e-6:  # alike but for rounding
        return low - 0.5, high + 0.5, [(low + high) / 2], [power_words(low)]
    ticks = [low, (low + high) / 2, high]
    if more < 0.5:
        halfway = 10 ** ((high - low) / 2) - 1
        return low, high, ticks, [power_words(low), f"+ {100 * halfway:.2g} %", f"+ {100 * more:.2g} %"]
    return low, high, ticks, [power_words(tick) for tick in ticks]


def _decoded(maps: HeatMapsJson, name: str) -> Any:
    array = maps["hops"] if name == "hops" else maps["paths_log10"]
    return decode_array(array["values"], array["dtype"], (maps["rows"], maps["columns"]))


def _legend(name: str, color: str) -> dict[str, Any]:
    marker = {"color": color, "symbol": "square", "size": 12, "line": {"color": NEUTRAL, "width": 0.5}}
    return {"type": "scatter", "x": [None], "y": [None], "mode": "markers", "name": name, "marker": marker}


def _axes_labels(maps: HeatMapsJson) -> dict[str, Any]:
    return {
        "x": [f"outputs {_label(group)}" for group in maps["output_groups"]],
        "y": [f"inputs {_label(group)}" for group in maps["input_groups"]],
        "xgap": 1 if maps["columns"] <= 32 else 0,
        "ygap": 1 if maps["rows"] <= 32 else 0,
    }


def _label(group: FeatureSetJson) -> str:
    return f"{group['description']} ({group['count']})"


def _map_figure(maps: HeatMapsJson, traces: Sequence[dict[str, Any]]) -> go.Figure:
    return figure_of(
        traces,
        height=470,
        margin={"t": 40},
        showlegend=True,
        xaxis=_group_axis(maps["output_groups"], "outputs, by group", reverse=False),
        yaxis=_group_axis(maps["input_groups"], "inputs, by group", reverse=True),
    )


def _group_axis(groups: Sequence[FeatureSetJson], title: str, *, reverse: bool) -> dict[str, Any]:
    """Name groups by what they hold; where there are many, by the blocks of features that they lie in, and only a few."""
    count = len(groups)
    most = NAMED_UP_TO if reverse else NAMED_UP_TO // 2
    if count <= most:
        places = list(range(count))
        names = [groups[place]["description"].replace(": ", ": " if reverse else "<br>") for place in places]
    else:
        places = _apart(groups, most if reverse else NAMED_UP_TO // 4)
        names = [groups[place]["description"].split(": ")[0] for place in places]
        if not reverse:  # side by side there is room for the first feature alone
            names = [f"{name.split('–')[0]} …" for name in names]
    ends = [count - 0.5, -0.5] if reverse else [-0.5, count - 0.5]
    return {
        "type": "category",
        "tickmode": "array",
        "tickvals": places,
        "ticktext": names,
        "tickangle": 0,
        "tickfont": {"size": 10 if count > 8 else 11},
        "title": title,
        "range": ends,
        "showgrid": False,
        "zeroline": False,
        "ticksuffix": " " if reverse else "",
    }


def _apart(groups: Sequence[FeatureSetJson], most: int) -> list[int]:
    """First group of each block of features, at most ``most`` of them, evenly taken."""
    blocks = [group["description"].split(": ")[0] for group in groups]
    firsts = [place for place, block in enumerate(blocks) if place == 0 or blocks[place - 1] != block]
    return firsts[:: -(-len(firsts) // most)]


def hops_alt(maps: HeatMapsJson) -> str:
    """Say the hops in words."""
    hops = _decoded(maps, "hops")
    total = hops.size
    parts = [
        f"{int((hops == depth).sum())} of {total} pairs of groups after {depth} layers"
        for depth in maps["compared_depths"]
        if (hops == depth).any()
    ]
    if (hops == 0).any():
        parts.append(f"{int((hops == 0).sum())} not joined completely")
    return f"Hops between {maps['rows']} groups of inputs and {maps['columns']} of outputs: " + "; ".join(parts) + "."


def path_map_alt(maps: HeatMapsJson) -> str:
    """Say the range of the numbers of paths in words."""
    paths = _decoded(maps, "paths_log10")
    known = paths[np.isfinite(paths)]
    if not known.size:
        return "Numbers of paths between groups: none anywhere."
    return (
        f"Mean numbers of paths between {maps['rows']} groups of inputs and {maps['columns']} of outputs: from "
        f"{'none' if known.size < paths.size else power_words(float(known.min()))} to {power_words(float(known.max()))}."
    )
