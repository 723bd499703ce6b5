"""What the figures of whole models share: marks of kinds, of memory and of parts of a step, and stacked bars with their sums.

Colours keep their meaning: the feed-forward is the same blue as parameters, by kind, and as a part of a step.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import plotly.graph_objects as go

from frontend.figures.style import MEMORY_PARTS, NEUTRAL, Mark, figure_of, or_gap, row_axis, rows_height

__all__ = ["KINDS", "MEMORY", "PARTS", "PASSES", "UNKNOWN", "Stack", "stacked"]

KINDS: dict[str, Mark] = {
    "embedding": Mark("embedding", "#8B6BC4", "square", hatch="x"),
    "attention": Mark("attention", "#009E73", "square", hatch="/"),
    "feed_forward": Mark("feed-forward", "#0072B2", "square"),
    "norm": Mark("norms", NEUTRAL, "square", hatch="|"),
    "head": Mark("head", "#D55E00", "square", hatch="\\"),
    "other": Mark("other", "#A6761D", "square", hatch="."),
}
"""What a layer is for; ``hatch`` is the pattern of the bar."""

MEMORY: dict[str, Mark] = {
    "weights_bytes": Mark("weights", MEMORY_PARTS["parameters_bytes"].color, "square"),
    "gradients_bytes": MEMORY_PARTS["gradients_bytes"],
    "optimizer_bytes": MEMORY_PARTS["optimizer_state_bytes"],
    "activations_bytes": Mark("activations", MEMORY_PARTS["saved_activations_bytes"].color, "square", hatch="-"),
    "kv_cache_bytes": Mark("cache of keys and values", "#E69F00", "square", hatch="."),
}
"""What memory is for."""

PARTS: dict[str, Mark] = {
    "feed_forward": Mark("what is replaced", "#0072B2", "square"),
    "optimizer": Mark("its optimizer step", "#56B4E9", "square", hatch="-"),
    "rest_of_block": Mark("rest of the blocks", "#009E73", "square", hatch="/"),
    "outside_of_blocks": Mark("outside of the blocks", "#D55E00", "square", hatch="\\"),
    "optimizer_rest": Mark("rest of the optimizer step", "#CC79A7", "square", hatch="x"),
}
"""The parts of a step; what changes stands first."""

UNKNOWN = [Mark("", "#A6761D", "square", hatch="."), Mark("", NEUTRAL, "square", hatch="|")]
"""For parts that only a newer service knows, in turn."""

PASSES: dict[str, Mark] = {
    "train_step": Mark("training step", "#0072B2", "circle"),
    "prefill": Mark("prefill", "#D55E00", "diamond"),
    "decode": Mark("decode", "#009E73", "square"),
}
"""What a model does."""


class Stack:
    """One horizontal bar: its parts in the order of the legend, and what stands behind its end."""

    def __init__(
        self, label: str, parts: Mapping[str, float], said: str, hover: Mapping[str, str] | None = None
    ) -> None:
        """Keep sizes in the unit of the axis; ``hover`` words each part, ``said`` the whole."""
        self.label = label
        self.parts = dict(parts)
        self.said = said
        self.hover = dict(hover or {})

    @property
    def total(self) -> float:
        """End of the bar."""
        return sum(self.parts.values())


def stacked(
    stacks: Sequence[Stack],
    marks: Mapping[str, Mark],
    *,
    title: str,
    empty: Mapping[str, str] | None = None,
    extra: Sequence[Mapping[str, Any]] = (),
    extra_end: float = 0.0,
    room: float = 1.45,
    legend_rows: int = 2,
) -> go.Figure:
    """Draw bars of parts, a dotted line at the end of the first, and words behind each.

    Args:
        stacks: from top to bottom; the first is what the others are held against.
        marks: every part with its look, in the order of the stack; one that no bar has is left out.
        title: of the horizontal axis, with its unit.
        empty: rows without a bar and the words that stand there instead.
        extra: further traces.
        extra_end: how far those reach.
        room: width of the axis as a multiple of the longest bar, for the words behind it.
        legend_rows: lines that the legend takes on a narrow chart.
    """
    known = {part: mark for part, mark in marks.items() if any(stack.parts.get(part) for stack in stacks)}
    labels = [*(stack.label for stack in stacks), *(empty or {})]
    end = max([extra_end, *(stack.total for stack in stacks)], default=0.0) or 1.0
    figure = figure_of(
        [*(_bars(part, mark, stacks) for part, mark in known.items()), _sums(stacks, extra_end), *extra],
        height=rows_height(len(labels)) + 24 * legend_rows,
        margin={"t": 24 + 24 * legend_rows},
        barmode="stack",
        bargap=0.35,
        xaxis={"title": title, "range": [0, room * end], "showgrid": True, "zeroline": False},
        yaxis=row_axis(labels),
    )
    if stacks:
        figure.add_vline(x=stacks[0].total, line={"color": NEUTRAL, "width": 2, "dash": "dot"})
    for label, text in (empty or {}).items():
        figure.add_annotation(x=0, y=label, text=text, showarrow=False, xanchor="left", xshift=8)
    return figure


def _bars(part: str, mark: Mark, stacks: Sequence[Stack]) -> dict[str, Any]:
    return {
        "type": "bar",
        "orientation": "h",
        "name": mark.name,
        "x": or_gap([stack.parts.get(part, 0.0) for stack in stacks]),
        "y": or_gap([stack.label for stack in stacks]),
        "marker": {
            "color": mark.color,
            "line": {"color": NEUTRAL, "width": 0.5},
            "pattern": {
                "shape": mark.hatch,
                "solidity": 0.25,
                "fgcolor": "rgba(255,255,255,0.7)",
                "fillmode": "overlay",
            },
        },
        "customdata": [stack.hover.get(part, "") for stack in stacks],
        "hovertemplate": f"<b>%{{y}}</b><br>{mark.name} %{{customdata}}<extra></extra>",
    }


def _sums(stacks: Sequence[Stack], extra_end: float) -> dict[str, Any]:
    """The words behind the bars, beyond the dotted line, which would run through them."""
    end = max([extra_end, stacks[0].total if stacks else 0.0])
    return {
        "type": "scatter",
        "mode": "text",
        "x": or_gap([max(stack.total, end) for stack in stacks]),
        "y": or_gap([stack.label for stack in stacks]),
        "text": ["  " + stack.said for stack in stacks],
        "textposition": "middle right",
        "cliponaxis": False,
        "showlegend": False,
        "hoverinfo": "skip",
    }
