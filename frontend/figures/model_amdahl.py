"""From the replaced layers to the whole: Amdahl's law for the measured share of each pass, every candidate a mark on it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import plotly.graph_objects as go

from frontend.figures.model_marks import PASSES
from frontend.figures.style import NEUTRAL, VARIANTS, Mark, factor_ticks, faint, figure_of
from frontend.logic import words
from frontend.schemas_models import PredictionJson

__all__ = ["Point", "amdahl_alt", "amdahl_figure", "point_records"]

POINTS = 60


@dataclass(frozen=True)
class Point:
    """One candidate in one pass; the measured speed-up of the whole with its interval where it is known."""

    label: str
    variant: str
    prediction: PredictionJson
    measured: float | None = None
    low: float | None = None
    high: float | None = None


def amdahl_figure(points: Sequence[Point]) -> go.Figure:
    """Draw the speed-up of the whole over that of the replaced layers: a curve and its ceiling per pass.

    Open marks are predicted and lie on the curve; filled ones with an interval are measured.
    """
    passes = list(dict.fromkeys(point.prediction["pass"] for point in points))
    low, high = _reach([point.prediction["replaced_speedup"] for point in points])
    bottom, top = _heights(points)
    traces: list[dict[str, Any]] = []
    for name in passes:
        own = [point for point in points if point.prediction["pass"] == name]
        traces.append(_curve(name, own[0].prediction, low, high))
        traces.append(_ceiling(own[0].prediction, low, high, top))
    traces += [_predicted(points, passes), *_measured(points)]
    ticks_x, ticks_y = factor_ticks(low, high), factor_ticks(bottom, top)
    return figure_of(
        traces,
        height=420,
        margin={"t": 84},
        xaxis={
            "type": "log",
            "range": [math.log10(low), math.log10(high)],
            "tickvals": ticks_x,
            "ticktext": [f"{tick:.3g}x" for tick in ticks_x],
            "tickangle": 0,
            "title": "speed-up of the replaced layers (x)",
            "zeroline": False,
        },
        yaxis={
            "type": "log",
            "range": [math.log10(bottom), math.log10(top)],
            "tickvals": ticks_y,
            "ticktext": [f"{tick:.3g}x " for tick in ticks_y],
            "title": "speed-up of the whole (x)",
            "zeroline": False,
        },
        shapes=[
            {
                "type": "line",
                "xref": "paper",
                "x0": 0,
                "x1": 1,
                "y0": 1,
                "y1": 1,
                "line": {"color": NEUTRAL, "width": 2},
            }
        ],
    )


def _reach(speedups: Sequence[float]) -> tuple[float, float]:
    return min(0.5, *(0.8 * each for each in speedups)), max(4.0, *(1.5 * each for each in speedups))


def _heights(points: Sequence[Point]) -> tuple[float, float]:
    known = [
        value
        for point in points
        for value in (point.prediction["speedup"], point.measured, point.low, point.high)
        if value
    ]
    highest = max(known)
    ceilings = [point.prediction["ceiling"] for point in points if point.prediction["ceiling"] <= 3 * highest]
    return min(0.7, *(0.9 * each for each in known)), max([2.0, 1.25 * highest, *(1.25 * each for each in ceilings)])


def whole(share: float, speedup: float) -> float:
    """Amdahl's law: the speed-up of the whole where ``share`` of it becomes ``speedup`` times as fast."""
    return 1.0 / ((1.0 - share) + share / speedup)


def _curve(name: str, prediction: PredictionJson, low: float, high: float) -> dict[str, Any]:
    mark = _pass_mark(name)
    share = prediction["replaced_share"]
    steps = [low * (high / low) ** (at / POINTS) for at in range(POINTS + 1)]
    return {
        "type": "scatter",
        "mode": "lines",
        "name": f"{mark.name}: replaced share {words.percent(share)}",
        "x": steps,
        "y": [whole(share, step) for step in steps],
        "line": {"color": mark.color, "width": 2.5, "dash": mark.hatch},
        "hovertemplate": f"{mark.name}, f = {share:.2f}<br>layers %{{x:.3g}}x, whole %{{y:.3g}}x<extra></extra>",
    }


def _ceiling(prediction: PredictionJson, low: float, high: float, top: float) -> dict[str, Any]:
    """Where the curve goes when the layers cost nothing; left out where it lies above the picture."""
    ceiling = prediction["ceiling"]
    mark = _pass_mark(prediction["pass"])
    return {
        "type": "scatter",
        "mode": "lines+text",
        "x": [low, high],
        "y": [ceiling, ceiling] if ceiling < top else [None, None],
        "text": [f"ceiling {words.factor(ceiling)}", ""],
        "textposition": "top right",
        "cliponaxis": False,
        "line": {"color": faint(mark.color, 0.6), "width": 1.5, "dash": "dot"},
        "showlegend": False,
        "hovertemplate": f"{mark.name}: never more than {words.factor(ceiling)}, with layers that cost nothing<extra></extra>",
    }


def _pass_mark(name: str) -> Mark:
    return PASSES.get(name) or Mark(name.replace("_", " "), NEUTRAL, "circle", hatch="solid")


def _predicted(points: Sequence[Point], passes: Sequence[str]) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "markers+text",
        "name": "predicted",
        "x": [point.prediction["replaced_speedup"] for point in points],
        "y": [point.prediction["speedup"] for point in points],
        "text": _names(points, several=len(passes) > 1),
        # The curve rises, so that nothing runs through what stands above it on the left.
        "textposition": "top left",
        "marker": {
            "size": 13,
            "symbol": [f"{_mark(point.variant).symbol}-open" for point in points],
            "color": [_mark(point.variant).color for point in points],
            "line": {"width": 2},
        },
        "cliponaxis": False,
        "customdata": [f"{_name(point, True)}<br>{point.prediction['words']}" for point in points],
        "hovertemplate": "%{customdata}<extra></extra>",
    }


def _name(point: Point, several: bool) -> str:
    return f"{point.label}, {_pass_mark(point.prediction['pass']).name}" if several else point.label


def _names(points: Sequence[Point], *, several: bool) -> list[str]:
    """A name for each mark; of those that nearly lie on one another the first bears the names of all."""
    texts: list[str] = []
    first: list[tuple[float, float, int, list[str]]] = []
    for at, point in enumerate(points):
        x, y = point.prediction["replaced_speedup"], point.prediction["speedup"]
        near = next((one for one in first if _near(x, one[0], 1.12) and _near(y, one[1], 1.12)), None)
        if near is None:
            near = (x, y, at, [])
            first.append(near)
        near[3].append(_name(point, several))
        texts.append("")
    for _, _, at, found in first:
        texts[at] = found[0] if len(found) == 1 else f"{found[0]} and {len(found) - 1} more"
    return texts


def _near(one: float, other: float, factor: float) -> bool:
    return 1 / factor < one / other < factor


def _mark(variant: str) -> Mark:
    return VARIANTS.get(variant) or Mark(variant.upper(), NEUTRAL, "circle")


def _measured(points: Sequence[Point]) -> list[dict[str, Any]]:
    own = [point for point in points if point.measured is not None]
    if not own:
        return []
    return [
        {
            "type": "scatter",
            "mode": "markers",
            "name": "measured, 95 % interval",
            "x": [point.prediction["replaced_speedup"] for point in own],
            "y": [point.measured for point in own],
            "marker": {
                "size": 10,
                "symbol": [_mark(point.variant).symbol for point in own],
                "color": [_mark(point.variant).color for point in own],
            },
            "error_y": {
                "type": "data",
                "symmetric": False,
                "array": [max(0.0, (point.high or 0.0) - (point.measured or 0.0)) for point in own],
                "arrayminus": [max(0.0, (point.measured or 0.0) - (point.low or 0.0)) for point in own],
                "thickness": 2,
                "width": 6,
                "color": NEUTRAL,
            },
            "customdata": [_name(point, True) for point in own],
            "hovertemplate": "%{customdata}<br>measured: %{y:.3g}x<extra></extra>",
        }
    ]


def amdahl_alt(points: Sequence[Point]) -> str:
    """Say the chart in words."""
    parts = []
    for point in points:
        each = point.prediction
        text = (
            f"{point.label} in the {_pass_mark(each['pass']).name}: {words.percent(each['replaced_share'])} of the dense time "
            f"becomes {words.factor(each['replaced_speedup'])} as fast, so the whole {words.factor(each['speedup'])}, "
            f"at most {words.factor(each['ceiling'])}"
        )
        if point.measured is not None:
            text += f", measured {words.factor(point.measured)}"
        parts.append(text)
    return "From the replaced layers to the whole: " + ("; ".join(parts) or "nothing measured yet") + "."


def point_records(points: Sequence[Point]) -> list[dict[str, Any]]:
    """Return one record per candidate and pass."""
    return [
        {
            "model": point.label,
            **{name: value for name, value in point.prediction.items() if name != "words"},
            "measured_speedup": point.measured,
            "measured_low": point.low,
            "measured_high": point.high,
        }
        for point in points
    ]
