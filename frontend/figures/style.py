"""The visual language: one colour and one marker per variant, everywhere.

Colours are Okabe and Ito's (https://jfly.uni-koeln.de/color/), told apart under the common colour-vision deficiencies;
those used for marks have a contrast of at least 3 on white and on the dark background. Colour never stands alone: a
marker, a pattern or a label says the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import plotly.graph_objects as go

__all__ = [
    "COMPONENTS",
    "MEMORY_PARTS",
    "NEUTRAL",
    "VARIANTS",
    "Mark",
    "base_layout",
    "chart_config",
    "faint",
    "label_axis",
    "or_gap",
    "rows_height",
]

NEUTRAL = "#808080"
"""For the dense twin, limits and borders: contrast above 3.9 on white and 4.4 on the dark background."""


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

MEMORY_PARTS: dict[str, Mark] = {
    "parameters_bytes": Mark("parameters", "#0072B2", "square"),
    "inputs_bytes": Mark("inputs", NEUTRAL, "square", hatch="/"),
    "allocated_peak_bytes": Mark("allocated peak of the pass", "#E69F00", "square", hatch="."),
}


def faint(color: str, alpha: float) -> str:
    """Return a hexadecimal colour as ``rgba(...)`` with an opacity of ``alpha`` (0 to 1)."""
    red, green, blue = (int(color[start : start + 2], 16) for start in (1, 3, 5))
    return f"rgba({red},{green},{blue},{alpha:g})"


def rows_height(rows: int) -> int:
    """Return the height in pixels of a chart with ``rows`` horizontal rows, so that many rows stay on one screen."""
    return 160 + max(3, rows) * (44 if rows <= 8 else 32 if rows <= 20 else 20)


def base_layout(figure: go.Figure, *, height: int, **layout: Any) -> go.Figure:
    """Apply what every figure shares: fixed height, transparent background, legend above, no title."""
    figure.update_layout(
        height=height,
        margin={"l": 8, "r": 12, "t": 8, "b": 8},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        legend={
            "orientation": "h",
            "yref": "container",
            "yanchor": "top",
            "y": 1,
            "xanchor": "left",
            "x": 0,
            "title": None,
            "traceorder": "normal",
        },
        hoverlabel={"align": "left"},
        modebar={"bgcolor": "rgba(0,0,0,0)", "color": NEUTRAL, "activecolor": "#0072B2"},
        # Zoom and hidden series survive new data.
        uirevision="keep",
    )
    figure.update_layout(**layout)
    figure.update_xaxes(automargin=True)
    figure.update_yaxes(automargin=True)
    return figure


def or_gap(values: Sequence[Any]) -> list[Any]:
    """Return the values, or one gap: a trace without any point would vanish from the legend."""
    return list(values) or [None]


def label_axis(figure: go.Figure, labels: Sequence[str]) -> go.Figure:
    """Fix the rows: one per label, first on top, whether or not it has data."""
    figure.update_yaxes(
        type="category",
        categoryorder="array",
        categoryarray=list(labels),
        range=[len(labels) - 0.5, -0.5],
        title=None,
        showgrid=False,
        zeroline=False,
        ticksuffix=" ",
    )
    return figure


def chart_config(file_name: str) -> dict[str, Any]:
    """Return Plotly's options: a small tool bar whose camera saves a sharp SVG named ``file_name``."""
    return {
        "displaylogo": False,
        "modeBarButtonsToRemove": ["lasso2d", "zoomIn2d", "zoomOut2d", "autoScale2d"],
        "toImageButtonOptions": {"format": "svg", "filename": file_name},
        "scrollZoom": False,
    }
