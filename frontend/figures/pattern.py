"""The weight pattern: a small heat map of palette indices, whatever the width of the layer.

Each cell's colour mixes the three component colours by their counts, its opacity grows with the covered share. The
distinct mixtures form a palette, so the map is one byte per cell; the exact counts travel as the smallest integer that
holds them, and block and position as one label per row and per column. A 256 × 256 map stays below 1 MB.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import plotly.graph_objects as go

from frontend.figures.style import COMPONENTS, NEUTRAL, figure_of
from frontend.logic import words
from frontend.logic.pattern import PatternGrid, parameter_names, range_labels

__all__ = ["LINES_UP_TO", "feature_axis", "pattern_alt", "pattern_figure"]

LINES_UP_TO = 16
"""Block borders are lines up to this n; beyond they would hide the pattern and are ticks."""

NAMES_UP_TO = 96 * 96
MAX_COLORS = 250
BESIDE = 0.05
"""Cells between a border and its name: exactly on it, Plotly names the cell there by the tick in hover texts."""


def pattern_figure(
    grid: PatternGrid, *, height: int = 460, marked: tuple[int, int, int, int] | None = None
) -> go.Figure:
    """Draw the pattern; outputs run downwards as rows, inputs to the right as columns.

    Args:
        grid: the counts.
        height: of the figure, in pixels.
        marked: a window (out_start, out_stop, in_start, in_stop) to outline.
    """
    index, colors = _palette(grid)
    row_labels, column_labels = range_labels(grid)
    rows, columns = grid.shape
    traces: list[dict[str, Any]] = [
        {
            "type": "heatmap",
            "z": index,
            "x": column_labels,
            "y": row_labels,
            "zmin": -0.5,
            "zmax": len(colors) - 0.5,
            "colorscale": _steps(colors),
            "showscale": False,
            "xgap": 1 if columns <= 64 else 0,
            "ygap": 1 if rows <= 64 else 0,
            **_hover(grid),
        }
    ]
    for mark in COMPONENTS.values():
        marker = {"color": mark.color, "symbol": mark.symbol, "size": 12}
        traces.append(
            {"type": "scatter", "x": [None], "y": [None], "mode": "markers", "name": mark.name, "marker": marker}
        )
    n = grid.layer.n_blocks
    shapes = _borders(grid)
    if marked is not None:
        shapes.append(_outline(grid, marked))
    return figure_of(
        traces,
        height=height,
        dragmode="select",
        margin={"t": 36},
        shapes=shapes,
        xaxis={
            **feature_axis(grid.column_edges, grid.layer.inputs.block, n, "input feature (index)", level=True),
            "range": [-0.5, columns - 0.5],
        },
        yaxis={
            **feature_axis(grid.row_edges, grid.layer.outputs.block, n, "output feature (index)"),
            "range": [rows - 0.5, -0.5],
        },
    )


def _palette(grid: PatternGrid) -> tuple[npt.NDArray[np.uint8], list[str]]:
    """Return palette indices (R, C) and the palette; shares are rounded no more than 250 colours need."""
    areas = grid.areas.astype(np.float64)
    shares = np.stack([grid.blockdiag / areas, grid.blocktrans / areas, grid.both / areas], axis=-1)
    for levels in (255, 64, 32, 16, 8, 5):
        rounded = np.rint(shares * levels).astype(np.int64)
        # A covered cell never rounds to an empty one.
        rounded = np.where((shares > 0) & (rounded == 0), 1, rounded)
        codes = (rounded[..., 0] * (levels + 1) + rounded[..., 1]) * (levels + 1) + rounded[..., 2]
        unique, inverse = np.unique(codes, return_inverse=True)
        if len(unique) <= MAX_COLORS:
            break
    mixes = [(code // (levels + 1) ** 2, code // (levels + 1) % (levels + 1), code % (levels + 1)) for code in unique]
    colors = [_mix([part / levels for part in mix]) for mix in mixes]
    return inverse.reshape(codes.shape).astype(np.uint8), colors


def _mix(shares: Sequence[float]) -> str:
    covered = sum(shares)
    if covered == 0:
        return "rgba(128,128,128,0.07)"
    parts = np.array([[int(mark.color[i : i + 2], 16) for i in (1, 3, 5)] for mark in COMPONENTS.values()])
    red, green, blue = (np.asarray(shares) @ parts / covered).round().astype(int)
    # Square root: a thin pattern (1/64 of the positions) must still be seen.
    return f"rgba({red},{green},{blue},{min(1.0, covered) ** 0.5:.3f})"


def _steps(colors: Sequence[str]) -> list[list[float | str]]:
    """A colour scale with one flat step per palette entry."""
    total = len(colors)
    return [[edge / total, color] for i, color in enumerate(colors) for edge in (i, i + 1)]


def _hover(grid: PatternGrid) -> dict[str, Any]:
    where = "%{y}<br>%{x}<br>"
    if grid.single_entries and grid.blockdiag.size <= NAMES_UP_TO:
        return {"text": parameter_names(grid), "hovertemplate": where + "<b>%{text}</b><extra></extra>"}
    counts = np.stack([grid.blockdiag, grid.blocktrans, grid.both], axis=-1)
    largest = int(counts.max(initial=0))
    kind = np.uint8 if largest < 2**8 else np.uint16 if largest < 2**16 else np.uint32
    heights, widths = np.diff(grid.row_edges), np.diff(grid.column_edges)
    cell = _extent(heights) + " × " + _extent(widths)
    template = (
        where + f"of this cell's positions ({cell}):<br>"
        "%{customdata[0]} in BLOCKDIAG alone, %{customdata[1]} in BLOCKTRANS alone, %{customdata[2]} in both<extra></extra>"
    )
    return {"customdata": counts.astype(kind), "hovertemplate": template}


def _extent(sizes: npt.NDArray[np.int64]) -> str:
    low, high = int(sizes.min()), int(sizes.max())
    return str(low) if low == high else f"{low} or {high}" if high == low + 1 else f"{low} to {high}"


def _place(edges: npt.NDArray[np.int64], features: npt.NDArray[np.int64] | Sequence[int]) -> npt.NDArray[np.float64]:
    """Cell coordinate of the border before each feature index; cells are centred on whole numbers."""
    return np.interp(features, edges, np.arange(len(edges))) - 0.5


def _inner_borders(edges: npt.NDArray[np.int64], block: int) -> npt.NDArray[np.int64]:
    first = -(-int(edges[0] + 1) // block) * block
    return np.arange(first, int(edges[-1]), block, dtype=np.int64)


def _borders(grid: PatternGrid) -> list[dict[str, Any]]:
    layer = grid.layer
    rows, columns = grid.shape
    line = {"color": NEUTRAL, "width": 1}
    downs = _inner_borders(grid.column_edges, layer.inputs.block)
    acrosses = _inner_borders(grid.row_edges, layer.outputs.block)
    if max(len(downs), len(acrosses)) >= LINES_UP_TO:
        return []
    shapes: list[dict[str, Any]] = []
    for x in _place(grid.column_edges, downs):
        shapes.append({"type": "line", "x0": x, "x1": x, "y0": -0.5, "y1": rows - 0.5, "line": line})
    for y in _place(grid.row_edges, acrosses):
        shapes.append({"type": "line", "x0": -0.5, "x1": columns - 0.5, "y0": y, "y1": y, "line": line})
    return shapes


def _outline(grid: PatternGrid, window: tuple[int, int, int, int]) -> dict[str, Any]:
    y0, y1 = _place(grid.row_edges, window[:2])
    x0, x1 = _place(grid.column_edges, window[2:])
    # At least as large as can be seen: a 48 x 48 window of a wide layer is less than one cell.
    wide, high = grid.shape[1] / 50, grid.shape[0] / 50
    x0, x1 = min(x0, (x0 + x1 - wide) / 2), max(x1, (x0 + x1 + wide) / 2)
    y0, y1 = min(y0, (y0 + y1 - high) / 2), max(y1, (y0 + y1 + high) / 2)
    outline = {"color": NEUTRAL, "width": 3}
    return {"type": "rect", "x0": x0, "x1": x1, "y0": y0, "y1": y1, "line": outline}


def feature_axis(
    edges: npt.NDArray[np.int64], block: int, n_blocks: int, title: str, *, level: bool = False
) -> dict[str, Any]:
    """Return an axis of cells that names real feature indices: block borders where there are few, round steps elsewhere."""
    features = _ticks(edges, block)
    # Side by side, long numbers have room for half as many names.
    step = 2 if level and len(features) > 5 and features[-1] >= 100_000 else 1
    return {
        "type": "category",
        "tickmode": "array",
        # The last one to the left, or it would lie beyond the axis.
        "tickvals": _place(edges, features) + np.where(np.asarray(features) < edges[-1], BESIDE, -BESIDE),
        "ticktext": [str(feature) if place % step == 0 else "" for place, feature in enumerate(features)],
        "tickangle": 0,
        "ticks": "outside" if n_blocks > LINES_UP_TO else "",
        "title": title,
        "showgrid": False,
        "zeroline": False,
    }


def _ticks(edges: npt.NDArray[np.int64], block: int) -> npt.NDArray[np.int64]:
    """Feature indices to name: block borders where there are few, even steps elsewhere, none too near another."""
    first, last = int(edges[0]), int(edges[-1])
    borders = _inner_borders(edges, block)
    if 0 < len(borders) <= 8:
        inner = borders
    else:
        step = -(-len(borders) // 8) * block if len(borders) else max(1, round((last - first) / 6))
        inner = np.arange(first // step * step + step, last, step, dtype=np.int64)
    near = (last - first) / 14
    ends = [end for end in (first, last) if not len(inner) or np.abs(inner - end).min() > near]
    return np.unique(np.concatenate([inner, np.array(ends, dtype=np.int64)]))


def pattern_alt(grid: PatternGrid, totals: dict[str, float]) -> str:
    """Say the picture in words."""
    layer = grid.layer
    return (
        f"Weight pattern of {layer.variant.upper()} with n = {layer.n_blocks}, outputs {grid.row_edges[0]} to "
        f"{grid.row_edges[-1] - 1} by inputs {grid.column_edges[0]} to {grid.column_edges[-1] - 1}: "
        f"{words.percent(totals['density'], 2)} of the whole matrix is non-zero, "
        f"{words.count(totals['shared_positions'])} positions are in both components."
    )
