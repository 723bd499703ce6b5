"""Where DYAD pays: speed-up over width and tokens, the 1.0x contour with its band of doubt, and every measured size.

Both axes are logarithmic. The heat map lies on positions log₂(size), because Plotly places the cells of a heat map
linearly.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import plotly.graph_objects as go

from frontend.figures.style import NEUTRAL, faint, figure_of
from frontend.logic import words
from frontend.logic.crossover import Line, Map, Point, point_words
from frontend.logic.outcomes import outcome

__all__ = ["MOST_MAPS", "crossover_alt", "crossover_figure"]

MOST_MAPS = 4
"""Small multiples in one picture."""

SLOWER, EVEN, FASTER = "#D55E00", "#F2F2F2", "#0072B2"
INK = "#141414"
LINE = "#000000"
HALO = "rgba(255,255,255,0.75)"

SYMBOLS = {
    "faster": "triangle-up",
    "slower": "triangle-down",
    "not_distinguishable": "circle-open",
    "measured": "circle",
    "incorrect": "x",
    "out_of_memory": "square-open",
    "unsupported": "hexagon-open",
    "failed": "asterisk-open",
}
"""One mark per outcome; the legend names it."""

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
    traces += _legend(maps)
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
    traces += _band(each)
    for line in [*each.low_lines, *each.high_lines]:
        traces += _line(line, name="edge of doubt", dash="dot", width=2)
    for line in each.lines:
        traces += _line(line, name="1.0x", dash="solid", width=3.5)
    if named:
        traces.append(_figures(each, reach))
    for name in SYMBOLS:
        own = [point for point in each.points if point.outcome == name]
        if own:
            traces.append(_marks(own, each, name))
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


def _marks(own: Sequence[Point], each: Map, name: str) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "markers",
        "x": [math.log2(point.width) for point in own],
        "y": [math.log2(point.tokens) for point in own],
        "marker": _marker(name, on_map=True),
        "customdata": [point_words(point, each.key) for point in own],
        "hovertemplate": "%{customdata}<extra></extra>",
        "showlegend": False,
    }


def _marker(name: str, *, on_map: bool) -> dict[str, Any]:
    """Dark with a light rim on the map, which is seen on every colour of it; neutral in the legend."""
    color = INK if on_map else NEUTRAL
    symbol = SYMBOLS[name]
    is_open = symbol.endswith("-open")
    rim = {"color": color, "width": 2} if is_open else {"color": "#ffffff" if on_map else NEUTRAL, "width": 1}
    return {"symbol": symbol, "color": color, "size": 9, "line": rim}


def _line(line: Line, *, name: str, dash: str, width: float) -> list[dict[str, Any]]:
    """A dark line on a light one, seen on every colour of the map and on both backgrounds."""
    shared = {
        "type": "scatter",
        "mode": "lines",
        "x": [math.log2(place[0]) for place in line],
        "y": [math.log2(place[1]) for place in line],
        "name": name,
        "showlegend": False,
    }
    return [
        {**shared, "line": {"color": HALO, "width": width + 2.5}, "hoverinfo": "skip"},
        {**shared, "line": {"color": LINE, "width": width, "dash": dash}, "hovertemplate": f"{name}<extra></extra>"},
    ]


def _band(each: Map) -> list[dict[str, Any]]:
    """The band of doubt as an area, where it is one piece with two edges."""
    if len(each.low_lines) != 1 or len(each.high_lines) != 1:
        return []
    low, high = each.low_lines[0], each.high_lines[0]
    border = [*low, *high] if _apart(low[-1], high[0]) < _apart(low[-1], high[-1]) else [*low, *reversed(high)]
    return [
        {
            "type": "scatter",
            "mode": "lines",
            "x": [math.log2(place[0]) for place in border],
            "y": [math.log2(place[1]) for place in border],
            "fill": "toself",
            "fillcolor": faint(LINE, 0.18),
            "line": {"width": 0},
            "hoverinfo": "skip",
            "showlegend": False,
        }
    ]


def _apart(one: tuple[float, float], other: tuple[float, float]) -> float:
    return abs(math.log2(one[0] / other[0])) + abs(math.log2(one[1] / other[1]))


def _legend(maps: Sequence[Map]) -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = []
    if any(each.lines for each in maps):
        entries.append({"mode": "lines", "name": "1.0x", "line": {"color": NEUTRAL, "width": 3.5}})
    if any(each.low_lines or each.high_lines for each in maps):
        dotted = {"color": NEUTRAL, "width": 1.5, "dash": "dot"}
        entries.append({"mode": "lines", "name": "edges of its band of doubt (95 %)", "line": dotted})
    found = {point.outcome for each in maps for point in each.points}
    entries += [
        {"mode": "markers", "name": outcome(name).word, "marker": _marker(name, on_map=False)}
        for name in SYMBOLS
        if name in found or name in ("faster", "slower", "not_distinguishable")
    ]
    return [{"type": "scatter", "x": [None], "y": [None], "showlegend": True, **entry} for entry in entries]


def crossover_alt(maps: Sequence[Map]) -> str:
    """Say the maps in words."""
    parts = []
    for each in list(maps)[:MOST_MAPS]:
        counts = {name: sum(point.outcome == name for point in each.points) for name in SYMBOLS}
        listed = ", ".join(f"{count} {outcome(name).word}" for name, count in counts.items() if count)
        parts.append(f"{each.key.label}: {len(each.points)} measured sizes" + (f", {listed}" if listed else ""))
    return "Speed-up over width and tokens. " + "; ".join(parts) + "."
