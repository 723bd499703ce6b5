"""What lies on a heat map of a sweep: a mark per measured size, the 1.0x contour, its band of doubt, and their legend."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from frontend.figures.style import NEUTRAL, faint
from frontend.logic.crossover import Line, Map, Point, point_words
from frontend.logic.outcomes import outcome

__all__ = ["INK", "SYMBOLS", "band", "legend", "line", "marks"]

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


def marks(own: Sequence[Point], each: Map, name: str) -> dict[str, Any]:
    """The measured sizes of one outcome, with everything about them in the hover."""
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


def line(places: Line, *, name: str, dash: str, width: float) -> list[dict[str, Any]]:
    """A dark line on a light one, seen on every colour of the map and on both backgrounds."""
    shared = {
        "type": "scatter",
        "mode": "lines",
        "x": [math.log2(place[0]) for place in places],
        "y": [math.log2(place[1]) for place in places],
        "name": name,
        "showlegend": False,
    }
    return [
        {**shared, "line": {"color": HALO, "width": width + 2.5}, "hoverinfo": "skip"},
        {**shared, "line": {"color": LINE, "width": width, "dash": dash}, "hovertemplate": f"{name}<extra></extra>"},
    ]


def band(each: Map) -> list[dict[str, Any]]:
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


def legend(maps: Sequence[Map]) -> list[dict[str, Any]]:
    """Lines and marks by name; what most maps hold is always there, so that the legend keeps still."""
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
