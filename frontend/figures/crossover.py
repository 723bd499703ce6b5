"""Where DYAD pays: speed-up over width and tokens, the 1.0x contour with its band of doubt, and every measured size.

Both axes are logarithmic. The heat map lies on positions log₂(size), because Plotly places the cells of a heat map
linearly.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import plotly.graph_objects as go

from frontend.figures.crossover_marks import INK, SYMBOLS, band, legend, line, marks
from frontend.figures.style import figure_of
from frontend.logic import words
from frontend.logic.crossover import Map
from frontend.logic.outcomes import outcome

__all__ = ["MOST_MAPS", "crossover_alt", "crossover_figure"]

MOST_MAPS = 4
"""Small multiples in one picture."""

SLOWER, EVEN, FASTER = "#D55E00", "#F2F2F2", "#0072B2"

NAMED_CELLS = {1: 12, 2: 7}
"""Columns up to which cells carry their figure, in a picture with so many maps side by side."""


def crossover_figure(maps: Sequence[Map]) -> go.Figure:
    """Draw up to four maps, with one scale of colours and one legend."""
    maps = list(maps)[:MOST_MAPS]
    across = 1 if len(maps) <= 1 else 2
    down = max(1, math.ceil(len(maps) / across))
    reach = _reach(maps)
    traces: list[dict[str, Any]] = []
    layout: dict[str, Any] = {}
    annotations = []
    gap_x, gap_y = 0.1, 0.2 if down > 1 else 0.0
    for place, each in enumerate(maps):
        column, row = place % across, place // across
        name = "" if place == 0 else str(place + 1)
        left, right = _share(column, across, gap_x)
        bottom, top = _share(down - 1 - row, down, gap_y)
        layout[f"xaxis{name}"] = _axis(each.widths, "width: in_features", [left, right], f"y{name}")
        layout[f"yaxis{name}"] = _axis(each.tokens, "tokens", [bottom, top], f"x{name}")
        axes = {"xaxis": f"x{name}", "yaxis": f"y{name}"}
        named = len(each.widths) <= NAMED_CELLS[across] and len(each.tokens) <= 12
        traces += [{**trace, **axes} for trace in _map(each, reach, named=named, first=place == 0)]
        annotations.append(
            {
                "x": left,
                "y": top,
                "xref": "paper",
                "yref": "paper",
                "xanchor": "left",
                "yanchor": "bottom",
                "showarrow": False,
                "text": f"<b>{each.key.label}</b>",
            }
        )
    traces += legend(maps)
    rest = {name: axis for name, axis in layout.items() if name not in ("xaxis", "yaxis")}
    return figure_of(
        traces,
        height=130 + 380 * down,
        margin={"t": 75, "r": 20},
        xaxis=layout.get("xaxis", {}),
        yaxis=layout.get("yaxis", {}),
        annotations=annotations,
        **rest,
    )


def _share(place: int, count: int, gap: float) -> tuple[float, float]:
    size = (1 - gap * (count - 1)) / count
    start = place * (size + gap)
    return start, min(1.0, start + size)


def _axis(values: Sequence[int], title: str, domain: Sequence[float], anchor: str) -> dict[str, Any]:
    places = [math.log2(value) for value in values]
    step = max(1, -(-len(values) // 9))
    low, high = _ends(places)
    return {
        "domain": list(domain),
        "anchor": anchor,
        "range": [low, high],
        "tickvals": places[::step],
        "ticktext": [str(value) for value in values][::step],
        "title": {"text": title, "standoff": 8},
        "showgrid": False,
        "zeroline": False,
        "ticks": "outside",
        "automargin": True,
    }


def _ends(places: Sequence[float]) -> tuple[float, float]:
    """The outer edges of the first and the last cell, half a step beyond; half a doubling where there is one cell only."""
    if len(places) == 1:
        return places[0] - 0.5, places[0] + 0.5
    return places[0] - (places[1] - places[0]) / 2, places[-1] + (places[-1] - places[-2]) / 2


def _reach(maps: Sequence[Map]) -> float:
    """Half the range of the colours, as a power of two, the same for all maps and on both sides of 1.0x."""
    known = [abs(math.log2(value)) for each in maps for row in each.speedup for value in row if value]
    return max([*known, 0.5])


def _map(each: Map, reach: float, *, named: bool, first: bool) -> list[dict[str, Any]]:
    xs, ys = [math.log2(width) for width in each.widths], [math.log2(count) for count in each.tokens]
    traces: list[dict[str, Any]] = [_heat(each, xs, ys, reach, first=first)]
    traces += band(each)
    for edge in [*each.low_lines, *each.high_lines]:
        traces += line(edge, name="edge of doubt", dash="dot", width=2)
    for contour in each.lines:
        traces += line(contour, name="1.0x", dash="solid", width=3.5)
    if named:
        traces.append(_figures(each, reach))
    for name in SYMBOLS:
        own = [point for point in each.points if point.outcome == name]
        if own:
            traces.append(marks(own, each, name))
    return traces


def _heat(each: Map, xs: Sequence[float], ys: Sequence[float], reach: float, *, first: bool) -> dict[str, Any]:
    ticks = _ticks(reach)
    said = [
        [_cell_words(each, width, count, value) for width, value in zip(each.widths, row, strict=True)]
        for count, row in zip(each.tokens, each.speedup, strict=True)
    ]
    return {
        "type": "heatmap",
        "x": xs,
        "y": ys,
        "z": [[math.log2(value) if value else None for value in row] for row in each.speedup],
        "zmin": -reach,
        "zmax": reach,
        "colorscale": [[0, SLOWER], [0.5, EVEN], [1, FASTER]],
        "showscale": first,
        "colorbar": {
            "thickness": 12,
            "outlinewidth": 0,
            "tickvals": ticks,
            "ticktext": [f"{2**tick:.2g}x" for tick in ticks],
            "title": {"text": "speed-up over dense", "side": "right"},
        },
        "xgap": 1,
        "ygap": 1,
        "text": said,
        "hovertemplate": "%{text}<extra></extra>",
        "hoverongaps": False,
    }


def _ticks(reach: float) -> list[float]:
    step = 1.0 if reach >= 1.5 else 0.5
    count = math.floor(reach / step)
    return [step * place for place in range(-count, count + 1)]


def _cell_words(each: Map, width: int, tokens: int, value: float | None) -> str:
    if value is None:
        return ""
    how = "measured" if each.measured_at(width, tokens) else "interpolated, its corners agree"
    return f"<b>width {width}, {words.count(tokens)} tokens</b><br>{words.factor(value)} of dense ({how})"


def _figures(each: Map, reach: float) -> dict[str, Any]:
    """The figure of every known cell, above its mark; interpolated ones in brackets."""
    cells = [
        (width, count, value)
        for count, row in zip(each.tokens, each.speedup, strict=True)
        for width, value in zip(each.widths, row, strict=True)
        if value
    ]
    return {
        "type": "scatter",
        "mode": "markers+text",
        "marker": {"size": 14, "opacity": 0},  # keeps the text clear of the mark of a measured size
        "x": [math.log2(width) for width, _, _ in cells] or [None],
        "y": [math.log2(count) for _, count, _ in cells] or [None],
        "text": [
            words.factor(value) if each.measured_at(width, count) else f"({words.factor(value)})"
            for width, count, value in cells
        ],
        "textposition": [
            "top center" if each.measured_at(width, count) else "middle center" for width, count, _ in cells
        ],
        "textfont": {
            "size": 11,
            "color": ["#ffffff" if math.log2(v) > 0.55 * reach else INK for _, _, v in cells] or INK,
        },
        "hoverinfo": "skip",
        "showlegend": False,
    }


def crossover_alt(maps: Sequence[Map]) -> str:
    """Say the maps in words."""
    parts = []
    for each in list(maps)[:MOST_MAPS]:
        counts = {name: sum(point.outcome == name for point in each.points) for name in SYMBOLS}
        listed = ", ".join(f"{count} {outcome(name).word}" for name, count in counts.items() if count)
        parts.append(f"{each.key.label}: {len(each.points)} measured sizes" + (f", {listed}" if listed else ""))
    return "Speed-up over width and tokens. " + "; ".join(parts) + "."
