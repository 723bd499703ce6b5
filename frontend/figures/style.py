"""The visual language: one colour and one marker per variant, everywhere.

Colours are Okabe and Ito's (https://jfly.uni-koeln.de/color/), told apart under the common colour-vision deficiencies;
those used for marks have a contrast of at least 3 on white and on the dark background. Colour never stands alone: a
marker, a pattern or a label says the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from textwrap import wrap
from typing import Any

import plotly.graph_objects as go

__all__ = [
    "CHOSEN",
    "COMPONENTS",
    "MEMORY_PARTS",
    "NEUTRAL",
    "PEERS",
    "SERIES",
    "SPECTRA",
    "STRUCTURES",
    "UNSPLIT_PART",
    "VARIANTS",
    "Mark",
    "base_layout",
    "chart_config",
    "factor_ticks",
    "faint",
    "figure_of",
    "footnote",
    "label_axis",
    "or_gap",
    "row_axis",
    "rows_height",
]

NEUTRAL = "#808080"
"""For the dense twin, limits and borders: contrast above 3.9 on white and 4.4 on the dark background."""

FOOT_CHARACTERS = {False: 60, True: 130}
"""Of a line below a chart that takes half of the page, and all of it."""

FOOT_ROW = 15

CHOSEN = "#009E73"
"""What a person chose: a feature, and the path from it."""


@dataclass(frozen=True)
class Mark:
    """How one series looks and what it is called."""

    name: str
    color: str
    symbol: str
    hatch: str = ""


VARIANTS: dict[str, Mark] = {
    "it": Mark("IT", "#0072B2", "circle"),
    "ot": Mark("OT", "#D55E00", "diamond"),
    "dt": Mark("DT", "#009E73", "square"),
    "bd": Mark("BD (ablation)", "#CC79A7", "triangle-up"),
    "dense": Mark("dense", NEUTRAL, "x"),
}

COMPONENTS: dict[str, Mark] = {
    "blockdiag": Mark("BLOCKDIAG", "#0072B2", "square"),
    "blocktrans": Mark("BLOCKTRANS", "#E69F00", "square"),
    "both": Mark("both (summed)", "#CC79A7", "square"),
}

STRUCTURES: dict[str, Mark] = {
    "dyad": Mark("DYAD", "#0072B2", "circle"),
    "block_diagonal": Mark("block-diagonal", "#CC79A7", "triangle-up", hatch="dot"),
    "low_rank": Mark("low rank", "#D55E00", "diamond", hatch="dash"),
    "monarch": Mark("Monarch", "#E69F00", "square", hatch="dashdot"),
    "dense": Mark("dense", NEUTRAL, "x", hatch="longdash"),
}
"""DYAD and what it is held against; ``hatch`` is the dash of the line."""

SPECTRA: dict[str, Mark] = {
    "original": Mark("matrix", NEUTRAL, "circle"),
    "kept": Mark("its projection", "#0072B2", "circle", hatch="dash"),
    "dropped": Mark("what is dropped", "#D55E00", "circle", hatch="dot"),
}
"""The parts of a projection; ``hatch`` is the dash of the line."""

PEERS: dict[str, Mark] = {
    "low_rank": Mark("low rank (peer)", "#8B6BC4", "pentagon"),
    "monarch": Mark("Monarch (peer)", "#A6761D", "star"),
    "dense_again": Mark("dense again (A/A)", "#5B8DA8", "cross"),
}
"""What is measured beside DYAD and is none."""

SERIES: dict[str, Mark] = {**VARIANTS, **PEERS}
"""Everything that a run can hold."""

MEMORY_PARTS: dict[str, Mark] = {
    "parameters_bytes": Mark("parameters", "#0072B2", "square"),
    "gradients_bytes": Mark("gradients", "#56B4E9", "square", hatch="\\"),
    "optimizer_state_bytes": Mark("optimizer state", "#8B6BC4", "square", hatch="x"),
    "inputs_bytes": Mark("inputs", NEUTRAL, "square", hatch="/"),
    "outputs_bytes": Mark("outputs", "#BFBFBF", "square", hatch="|"),
    "saved_activations_bytes": Mark("saved activations", "#009E73", "square", hatch="-"),
    "temporaries_bytes": Mark("temporaries", "#E69F00", "square", hatch="."),
}
"""The split of the memory of one pass; ``hatch`` is the pattern of the bar."""

UNSPLIT_PART = Mark("allocated peak of the pass", "#E69F00", "square", hatch=".")
"""Of files that do not split what a pass allocates."""


def faint(color: str, alpha: float) -> str:
    """Return a hexadecimal colour as ``rgba(...)`` with an opacity of ``alpha`` (0 to 1)."""
    red, green, blue = (int(color[start : start + 2], 16) for start in (1, 3, 5))
    return f"rgba({red},{green},{blue},{alpha:g})"


def rows_height(rows: int) -> int:
    """Return the height in pixels of a chart with ``rows`` horizontal rows, so that many rows stay on one screen."""
    return 160 + max(3, rows) * (44 if rows <= 8 else 32 if rows <= 20 else 20)


def _shared(height: int) -> dict[str, Any]:
    return {
        "height": height,
        "margin": {"l": 8, "r": 12, "t": 8, "b": 8},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "legend": {
            "orientation": "h",
            "yref": "container",
            "yanchor": "top",
            "y": 1,
            "xanchor": "left",
            "x": 0,
            "title": None,
            "traceorder": "normal",
        },
        "hoverlabel": {"align": "left"},
        "modebar": {"bgcolor": "rgba(0,0,0,0)", "color": NEUTRAL, "activecolor": "#0072B2"},
        # Zoom and hidden series survive new data.
        "uirevision": "keep",
    }


def base_layout(figure: go.Figure, *, height: int, **layout: Any) -> go.Figure:
    """Apply what every figure shares: fixed height, transparent background, legend above, no title."""
    figure.update_layout(**_shared(height))
    figure.update_layout(**layout)
    figure.update_xaxes(automargin=True)
    figure.update_yaxes(automargin=True)
    return figure


def figure_of(
    traces: Sequence[Mapping[str, Any]],
    *,
    height: int,
    xaxis: Mapping[str, Any],
    yaxis: Mapping[str, Any],
    margin: Mapping[str, int] | None = None,
    **layout: Any,
) -> go.Figure:
    """Build a figure with the layout that every figure shares.

    Built in one go from plain dictionaries: the same figure made by single updates takes five to ten times as long,
    and a picture has to follow a control within 300 ms.

    Args:
        traces: each with its ``type``.
        height: in pixels.
        xaxis: settings of the horizontal axis.
        yaxis: settings of the vertical axis.
        margin: single margins in pixels that differ from the shared ones.
        layout: anything else, in place of what is shared.
    """
    shared = _shared(height)
    axes = {"xaxis": {"automargin": True, **xaxis}, "yaxis": {"automargin": True, **yaxis}}
    return go.Figure(
        data=list(traces), layout={**shared, "margin": {**shared["margin"], **(margin or {})}, **axes, **layout}
    )


def footnote(figure: go.Figure, lines: Sequence[str], *, below: int = 58, wide: bool = False) -> go.Figure:
    """Write lines under the horizontal axis, into the picture itself, so that a saved one carries its conditions.

    Long lines are broken, later where the chart is ``wide``. ``below`` is the height in pixels of the axis with its title. A line that begins with an
    exclamation mark is a warning and stands in bold.
    """
    rows = [(line.startswith("!"), part) for line in lines if line for part in wrap(line, FOOT_CHARACTERS[wide])]
    if not rows:
        return figure
    text = "<br>".join(f"<b>{part}</b>" if loud else part for loud, part in rows)
    height = below + FOOT_ROW * len(rows)
    grown = height - max(below, figure.layout.margin.b or 0)
    figure.update_layout(height=(figure.layout.height or 400) + grown, margin={"b": height})
    figure.add_annotation(
        x=0,
        y=0,
        xref="paper",
        yref="paper",
        xanchor="left",
        yanchor="top",
        yshift=-below,
        text=text,
        align="left",
        showarrow=False,
        font={"size": 11},
    )
    return figure


def factor_ticks(low: float, high: float) -> list[float]:
    """Ticks of a logarithmic axis of factors: powers of two, with halves between where there is room, fewer where not."""
    powers = [exponent for exponent in range(-16, 17) if low <= 2.0**exponent <= high]
    if len(powers) >= 5:
        step = next(step for step in (1, 2, 4, 8, 16, 32) if len(powers) <= 8 * step)
        return [2.0**exponent for exponent in powers if exponent % step == 0]
    for fine in ([1.5], [1.25, 1.5, 1.75], [1.1, 1.2, 1.3, 1.4, 1.5, 1.6, 1.7, 1.8, 1.9]):
        every = [part * 2.0**exponent for exponent in range(-16, 17) for part in (1.0, *fine)]
        ticks = sorted(tick for tick in every if low <= tick <= high)
        if len(ticks) >= 4:
            break
    return ticks


def or_gap(values: Sequence[Any]) -> list[Any]:
    """Return the values, or one gap: a trace without any point would vanish from the legend."""
    return list(values) or [None]


def label_axis(figure: go.Figure, labels: Sequence[str]) -> go.Figure:
    """Fix the rows: one per label, first on top, whether or not it has data."""
    figure.update_yaxes(**row_axis(labels))
    return figure


def row_axis(labels: Sequence[str]) -> dict[str, Any]:
    """Return an axis of fixed rows, one per label, first on top."""
    return {
        "type": "category",
        "categoryorder": "array",
        "categoryarray": list(labels),
        "range": [len(labels) - 0.5, -0.5],
        "title": None,
        "showgrid": False,
        "zeroline": False,
        "ticksuffix": " ",
    }


def chart_config(file_name: str, form: str = "svg") -> dict[str, Any]:
    """Return Plotly's options: a small tool bar whose camera saves ``file_name`` as ``svg`` or as a ``png`` of twice the size."""
    return {
        "displaylogo": False,
        "modeBarButtonsToRemove": ["lasso2d", "zoomIn2d", "zoomOut2d", "autoScale2d"],
        "toImageButtonOptions": {"format": form, "filename": file_name, "scale": 2 if form == "png" else 1},
        "scrollZoom": False,
    }
