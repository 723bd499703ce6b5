"""From the replaced layers to the whole: Amdahl's law for the measured share of each pass, every candidate a mark on it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from textwrap import wrap
from typing import Any

import plotly.graph_objects as go

from frontend.figures.model_marks import PASSES
from frontend.figures.style import NEUTRAL, VARIANTS, Mark, factor_ticks, faint, figure_of
from frontend.logic import words
from frontend.logic.run_words import pass_words
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
    """Draw the speed-up of the whole over that of the replaced layers, for the share that they have in one pass.

    Open marks are predicted and lie on the curve; filled ones with an interval are measured. The dotted line is the
    ceiling: layers that cost nothing.
    """
    low, high = _reach([point.prediction["replaced_speedup"] for point in points])
    bottom, top = _heights(points)
    first = points[0].prediction
    ticks_x, ticks_y = factor_ticks(low, high), factor_ticks(bottom, top)
    return figure_of(
        [_curve(first, low, high), _ceiling(first, low, high), _predicted(points), *_measured(points)],
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
    # Room on the left for the name of the first mark, and on the right to see the curve bend.
    return min(0.5, *(0.4 * each for each in speedups)), max(4.0, *(1.5 * each for each in speedups))


def _heights(points: Sequence[Point]) -> tuple[float, float]:
    """From the marks and the ceiling; a wide interval may leave the picture."""
    known = [value for point in points for value in (point.prediction["speedup"], point.measured) if value]
    highest = max(known)
    ceilings = [point.prediction["ceiling"] for point in points if point.prediction["ceiling"] <= 3 * highest]
    return min(0.7, *(0.8 * each for each in known)), max([1.5, 1.25 * highest, *(1.25 * each for each in ceilings)])


def whole(share: float, speedup: float) -> float:
    """Amdahl's law: the speed-up of the whole where ``share`` of it becomes ``speedup`` times as fast."""
    return 1.0 / ((1.0 - share) + share / speedup)


def _curve(prediction: PredictionJson, low: float, high: float) -> dict[str, Any]:
    mark = PASSES.get(prediction["pass"]) or Mark(prediction["pass"].replace("_", " "), "#0072B2", "circle")
    share = prediction["replaced_share"]
    steps = [low * (high / low) ** (at / POINTS) for at in range(POINTS + 1)]
    return {
        "type": "scatter",
        "mode": "lines",
        "name": f"{mark.name}: replaced share {words.percent(share)}",
        "x": steps,
        "y": [whole(share, step) for step in steps],
        "line": {"color": faint(NEUTRAL, 0.8), "width": 2.5},
        "hovertemplate": f"{mark.name}, f = {share:.2f}<br>layers %{{x:.3g}}x, whole %{{y:.3g}}x<extra></extra>",
    }


def _ceiling(prediction: PredictionJson, low: float, high: float) -> dict[str, Any]:
    ceiling = prediction["ceiling"]
    return {
        "type": "scatter",
        "mode": "lines",
        "x": [low, high],
        "y": [ceiling, ceiling],
        "name": f"ceiling {words.factor(ceiling)}",
        "line": {"color": NEUTRAL, "width": 1.5, "dash": "dot"},
        "hovertemplate": f"never more than {words.factor(ceiling)}, with layers that cost nothing<extra></extra>",
    }


def _predicted(points: Sequence[Point]) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "markers+text",
        "name": "predicted",
        "x": [point.prediction["replaced_speedup"] for point in points],
        "y": [point.prediction["speedup"] for point in points],
        "text": _names(points),
        # The curve rises, so that nothing runs through what stands above it on the left.
        "textposition": "top left",
        "marker": {
            "size": 13,
            "symbol": [f"{_mark(point.variant).symbol}-open" for point in points],
            "color": [_mark(point.variant).color for point in points],
            "line": {"width": 2},
        },
        "cliponaxis": False,
        "customdata": ["<br>".join(wrap(f"{point.label}: {point.prediction['words']}", 70)) for point in points],
        "hovertemplate": "%{customdata}<extra></extra>",
    }


def _names(points: Sequence[Point]) -> list[str]:
    """A name for each mark; of those that nearly lie on one another the first bears the name, and says how many there are."""
    texts = [""] * len(points)
    placed: list[tuple[float, float, int]] = []
    others: dict[int, int] = {}
    for at, point in enumerate(points):
        x, y = point.prediction["replaced_speedup"], point.prediction["speedup"]
        near = next(
            (first for other_x, other_y, first in placed if _near(x, other_x, 1.3) and _near(y, other_y, 1.06)), None
        )
        if near is None:
            placed.append((x, y, at))
            others[at] = 0
        else:
            others[near] += 1
    for at, more in others.items():
        texts[at] = points[at].label + (f" and {more} more" if more else "")
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
                "thickness": 1.5,
                "width": 4,
                "color": NEUTRAL,
            },
            "customdata": [point.label for point in own],
            "hovertemplate": "%{customdata}<br>measured: %{y:.3g}x<extra></extra>",
        }
    ]


def amdahl_alt(points: Sequence[Point]) -> str:
    """Say the chart in words."""
    parts = []
    for point in points:
        each = point.prediction
        text = (
            f"{point.label} in the {pass_words(each['pass'])}: {words.percent(each['replaced_share'])} of the dense time "
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
