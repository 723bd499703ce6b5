"""Where the time of a step goes: its parts, each measured by itself, stacked, and the measured whole beside them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import plotly.graph_objects as go

from frontend.figures.model_marks import PARTS, UNKNOWN, Stack, stacked
from frontend.figures.style import NEUTRAL, Mark, or_gap
from frontend.logic import words
from frontend.logic.models_measured import PartStack
from frontend.logic.run_words import pass_words

__all__ = ["parts_alt", "parts_figure"]


def parts_figure(stacks: Sequence[PartStack]) -> go.Figure:
    """Draw a bar of parts per model in milliseconds; a thick mark is the whole as it was measured."""
    end = max([*(stack.total_ms for stack in stacks), *(stack.measured_ms or 0.0 for stack in stacks)], default=1.0)
    unit, divisor = ("s", 1000.0) if end >= 10_000 else ("ms", 1.0)
    bars = [
        Stack(
            stack.label,
            {part: time / divisor for part, time in stack.parts.items()},
            _said(stack),
            {part: _hover(stack, part) for part in stack.parts},
        )
        for stack in stacks
    ]
    timed = [stack for stack in stacks if stack.measured_ms is not None]
    whole = {
        "type": "scatter",
        "mode": "markers",
        "name": "the whole, measured",
        "x": or_gap([(stack.measured_ms or 0.0) / divisor for stack in timed]),
        "y": or_gap([stack.label for stack in timed]),
        "marker": {"symbol": "line-ns", "size": 24, "color": NEUTRAL, "line": {"color": NEUTRAL, "width": 4}},
        "customdata": [words.milliseconds(stack.measured_ms) for stack in timed],
        "hovertemplate": "<b>%{y}</b><br>the whole, measured %{customdata}<extra></extra>",
    }
    most = max((stack.measured_ms or 0.0 for stack in timed), default=0.0) / divisor
    return stacked(bars, marks(stacks), title=f"sum of the parts ({unit})", extra=[whole], extra_end=most)


def marks(stacks: Sequence[PartStack]) -> Mapping[str, Mark]:
    """Every part that occurs with its look; unknown ones after the known."""
    unknown = [part for part in dict.fromkeys(part for stack in stacks for part in stack.parts) if part not in PARTS]
    looks = {
        part: Mark(part.replace("_", " "), look.color, look.symbol, look.hatch)
        for at, part in enumerate(unknown)
        for look in [UNKNOWN[at % len(UNKNOWN)]]
    }
    return {**PARTS, **looks}


def _said(stack: PartStack) -> str:
    text = words.milliseconds(stack.total_ms)
    return text if stack.measured_ms is None else f"{text} (measured {words.milliseconds(stack.measured_ms)})"


def _hover(stack: PartStack, part: str) -> str:
    time, count = stack.parts[part], stack.counts[part]
    once = f", {count} × {words.milliseconds(time / count)}" if count > 1 else ""
    share = words.percent(time / stack.total_ms) if stack.total_ms else "–"
    return f"{words.milliseconds(time)}{once}: {share} of the sum"


def parts_alt(stacks: Sequence[PartStack], pass_name: str) -> str:
    """Say the chart in words."""
    named = marks(stacks)
    parts = [
        f"{stack.label} {_said(stack)}: "
        + ", ".join(f"{named[part].name} {words.milliseconds(time)}" for part, time in stack.parts.items())
        for stack in stacks
    ]
    return f"Parts of the {pass_words(pass_name)}: " + ("; ".join(parts) or "none was measured") + "."
