"""Actual weights as a picture: magnitude in one hue, sign between two, nothing where there is no weight."""

from __future__ import annotations

from typing import Any

import plotly.graph_objects as go

from frontend.figures.pattern import feature_axis
from frontend.figures.style import NEUTRAL, faint, figure_of
from frontend.logic.picture import WeightGrid, span_labels

__all__ = ["PARTS", "weights_alt", "weights_figure"]

POSITIVE, NEGATIVE = "#0072B2", "#D55E00"
PARTS = {"all": "the matrix", "kept": "what the pattern keeps", "dropped": "what the pattern drops"}


def weights_figure(
    grid: WeightGrid,
    show: str,
    *,
    blocks: tuple[int, int, int],
    largest: float | None = None,
    height: int = 460,
    names: Any = None,
) -> go.Figure:
    """Draw mean magnitude or mean sign per cell; outputs run downwards, inputs to the right.

    Args:
        grid: the values.
        show: ``magnitude`` or ``sign``.
        blocks: outputs and inputs of one block, and n, for the axes.
        largest: magnitude of the strongest colour, so that two pictures can be compared; None takes the picture's own.
        height: of the figure, in pixels.
        names: the stored parameter behind each cell, (R, C), for the hover text; None says none.
    """
    block_out, block_in, n = blocks
    rows, columns = grid.magnitude.shape
    return figure_of(
        [
            {
                "type": "heatmap",
                "x": span_labels("input", grid.column_edges),
                "y": span_labels("output", grid.row_edges),
                **_named(_magnitude(grid, largest) if show == "magnitude" else _sign(grid), names),
            }
        ],
        height=height,
        margin={"t": 24},
        xaxis={
            **feature_axis(grid.column_edges, block_in, n, "input feature (index)", level=True),
            "range": [-0.5, columns - 0.5],
        },
        yaxis={
            **feature_axis(grid.row_edges, block_out, n, "output feature (index)"),
            "range": [rows - 0.5, -0.5],
        },
    )


def _magnitude(grid: WeightGrid, largest: float | None) -> dict[str, Any]:
    name = "|w|" if grid.single_entries else "mean |w|"
    return {
        "z": grid.magnitude,
        "zmin": 0,
        "zmax": largest or float(grid.magnitude.max()) or 1.0,
        "colorscale": [[0, faint(POSITIVE, 0.03)], [0.5, faint(POSITIVE, 0.6)], [1, POSITIVE]],
        "colorbar": _bar(name),
        "hovertemplate": f"%{{y}}<br>%{{x}}<br>{name} %{{z:.4g}}<extra></extra>",
    }


def _sign(grid: WeightGrid) -> dict[str, Any]:
    name = "sign" if grid.single_entries else "mean sign"
    reach = 1.0 if grid.single_entries else max(float(abs(grid.sign).max()), 1e-6)
    return {
        "z": grid.sign,
        "zmin": -reach,
        "zmax": reach,
        "colorscale": [[0, NEGATIVE], [0.5, faint(NEUTRAL, 0.05)], [1, POSITIVE]],
        "colorbar": _bar(name),
        "hovertemplate": f"%{{y}}<br>%{{x}}<br>{name} %{{z:.3f}}<extra></extra>",
    }


def _named(trace: dict[str, Any], names: Any) -> dict[str, Any]:
    """The trace with the stored parameter in its hover text."""
    if names is None:
        return trace
    hover = trace["hovertemplate"].replace("<extra>", "<br>%{text}<extra>")
    return {**trace, "text": names, "hovertemplate": hover}


def _bar(name: str) -> dict[str, Any]:
    return {"title": {"text": name, "side": "right"}, "thickness": 10, "outlinewidth": 0, "len": 0.9}


def weights_alt(grid: WeightGrid, show: str) -> str:
    """Say the picture in words."""
    where = (
        f"outputs {grid.row_edges[0]} to {grid.row_edges[-1] - 1} by inputs {grid.column_edges[0]} to "
        f"{grid.column_edges[-1] - 1}"
    )
    text = f"{show.capitalize()} of {PARTS[grid.part]}, {where}: "
    if show == "magnitude":
        return (
            text
            + f"mean |w| per cell up to {float(grid.magnitude.max()):.4g}, {float(grid.magnitude.mean()):.4g} overall."
        )
    return text + f"mean sign per cell from {float(grid.sign.min()):.2f} to {float(grid.sign.max()):.2f}."
