"""A stack of layers by depth: reach, numbers of paths, evenness and connected parts, as charts of the same width."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import plotly.graph_objects as go

from frontend.figures.style import NEUTRAL, VARIANTS, Mark, faint, figure_of
from frontend.logic import words
from frontend.logic.numbers import count_log10, count_ticks, count_words, gap_of
from frontend.schemas_chain import DepthJson, ReachabilityJson

__all__ = [
    "SPREAD",
    "evenness_alt",
    "evenness_figure",
    "parts_alt",
    "parts_figure",
    "paths_alt",
    "paths_figure",
    "reach_alt",
    "reach_figure",
]

SPREAD: dict[str, Mark] = {
    "max": Mark("most", "#D55E00", "triangle-up"),
    "min": Mark("fewest", "#009E73", "triangle-down"),
    "median": Mark("median", "#0072B2", "circle"),
}


def _depth_axis(depths: Sequence[DepthJson]) -> dict[str, Any]:
    step = 1 if len(depths) <= 16 else 2 if len(depths) <= 26 else 4
    return {
        "title": "depth (layers)",
        "dtick": step,
        "tick0": step if step > 1 else 1,
        "range": [0.5, len(depths) + 0.5],
        "zeroline": False,
        "showgrid": False,
    }


def _line(depths: Sequence[DepthJson], y: Sequence[float | None], mark: Mark, **trace: Any) -> dict[str, Any]:
    return {
        "type": "scatter",
        "x": [entry["depth"] for entry in depths],
        "y": list(y),
        "name": mark.name,
        "mode": "lines+markers",
        "line": {"color": mark.color, "width": 2.5},
        "marker": {"color": mark.color, "symbol": mark.symbol, "size": 9 if len(depths) <= 26 else 6},
        **trace,
    }


def reach_figure(chain: ReachabilityJson) -> go.Figure:
    """Draw the reached share of all pairs by depth; a mark shows the first depth of full reach."""
    depths = chain["depths"]
    full = chain.get("first_full_depth")
    traces = [
        _line(
            depths,
            [100 * entry["reached_share"] for entry in depths],
            VARIANTS["it"],
            name="reached",
            showlegend=False,
            customdata=[
                f"{words.count(entry['reached_pairs'])} of {words.count(entry['total_pairs'])} pairs, "
                f"{entry['in_features']} → {entry['out_features']}"
                for entry in depths
            ],
            hovertemplate="after %{x} layers: %{y:.4g} %<br>%{customdata}<extra></extra>",
        )
    ]
    shapes, annotations = [], []
    if full is not None:
        line = {"color": NEUTRAL, "width": 1.5, "dash": "dot"}
        shapes.append({"type": "line", "x0": full, "x1": full, "y0": 0, "y1": 106, "line": line})
        right = full > 0.6 * len(depths)
        annotations.append(
            {
                "x": full,
                "y": 12,
                "text": f"full from depth {full}",
                "showarrow": False,
                "xanchor": "right" if right else "left",
                "xshift": -6 if right else 6,
            }
        )
    return figure_of(
        traces,
        height=320,
        margin={"t": 24},
        shapes=shapes,
        annotations=annotations,
        xaxis=_depth_axis(depths),
        yaxis={"title": "connected pairs (%)", "range": [0, 106], "zeroline": False, "ticksuffix": " "},
    )


def reach_alt(chain: ReachabilityJson) -> str:
    """Say the reach in words, exactly."""
    parts = [f"{entry['depth']}: {words.percent(entry['reached_share'], 2)}" for entry in chain["depths"]]
    return "Share of input-output pairs connected, by depth: " + "; ".join(parts) + "."


def paths_figure(depths: Sequence[DepthJson]) -> go.Figure:
    """Draw the fewest, the median and the most paths of a pair, by depth, on a logarithmic axis.

    Counts that came as logarithms are drawn at their place and marked by open symbols.
    """
    exact = [(paths := entry.get("paths")) is None or not paths["logarithmic"] for entry in depths]
    logs = {name: [count_log10(entry.get("paths"), name) for entry in depths] for name in SPREAD}
    highest = max((log for log in logs["max"] if log is not None and log > 0), default=0.0)
    gap = gap_of(highest)
    traces = []
    for name, mark in SPREAD.items():
        marker = {
            "color": mark.color,
            "symbol": [mark.symbol if known else f"{mark.symbol}-open" for known in exact],
            "size": 9 if len(depths) <= 26 else 6,
        }
        traces.append(
            _line(
                depths,
                [None if log is None else 0.0 if log == -math.inf else gap + log for log in logs[name]],
                mark,
                marker=marker,
                customdata=[count_words(entry.get("paths"), name) for entry in depths],
                hovertemplate=f"after %{{x}} layers: {mark.name} %{{customdata}}<extra></extra>",
            )
        )
    return figure_of(
        traces,
        height=320,
        margin={"t": 44},
        xaxis=_depth_axis(depths),
        yaxis={
            "title": "paths of a pair",
            "range": [-0.06 * (gap + highest), 1.08 * (gap + highest)],
            "zeroline": False,
            **count_ticks(highest),
        },
    )


def paths_alt(depths: Sequence[DepthJson]) -> str:
    """Say fewest, median and most paths in words."""
    parts = [
        f"{entry['depth']}: {' / '.join(count_words(entry.get('paths'), name) for name in ('min', 'median', 'max'))}"
        for entry in depths
    ]
    return "Fewest, median and most paths of a pair, by depth: " + "; ".join(parts) + "."


def evenness_figure(depths: Sequence[DepthJson]) -> go.Figure:
    """Draw how evenly the paths are spread over all pairs: 1 when every pair has as many as every other."""
    values = [None if (paths := entry.get("paths")) is None else paths["evenness"] for entry in depths]
    traces = [
        _line(
            depths,
            values,
            VARIANTS["dt"],
            name="evenness",
            showlegend=False,
            fill="tozeroy",
            fillcolor=faint(VARIANTS["dt"].color, 0.08),
            hovertemplate="after %{x} layers: evenness %{y:.4f}<extra></extra>",
        )
    ]
    return figure_of(
        traces,
        height=240,
        margin={"t": 24},
        xaxis=_depth_axis(depths),
        yaxis={"title": "evenness", "range": [0, 1.06], "zeroline": False, "ticksuffix": " "},
    )


def evenness_alt(depths: Sequence[DepthJson]) -> str:
    """Say the evenness in words."""
    parts = [f"{entry['depth']}: {paths['evenness']:.3f}" for entry in depths if (paths := entry.get("paths"))]
    return "Evenness of paths over pairs (1 is even), by depth: " + "; ".join(parts) + "."


def parts_figure(depths: Sequence[DepthJson]) -> go.Figure:
    """Draw into how many parts the layers up to each depth fall that no path connects."""
    most = max(entry["connected_parts"] for entry in depths)
    traces = [
        {
            "type": "bar",
            "x": [entry["depth"] for entry in depths],
            "y": [entry["connected_parts"] for entry in depths],
            "marker": {"color": faint(VARIANTS["bd"].color, 0.75), "line": {"color": NEUTRAL, "width": 0.5}},
            "hovertemplate": "%{x} layers fall into %{y} parts<extra></extra>",
            "showlegend": False,
        }
    ]
    return figure_of(
        traces,
        height=240,
        margin={"t": 24},
        bargap=0.45,
        xaxis=_depth_axis(depths),
        yaxis={
            "title": "connected parts",
            "range": [0, 1.15 * max(most, 2)],
            "dtick": max(1, -(-most // 4)),
            "zeroline": False,
            "ticksuffix": " ",
        },
    )


def parts_alt(depths: Sequence[DepthJson]) -> str:
    """Say the connected parts in words."""
    parts = [f"{entry['depth']}: {entry['connected_parts']}" for entry in depths]
    return "Parts that no path connects, by depth: " + "; ".join(parts) + "."
