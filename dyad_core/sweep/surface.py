"""One map over its whole lattice: what was measured, and between it what the corners of a cell let expect.

Interpolation is linear in log(speed-up) over log(width) and log(tokens), the scale on which ratios and sizes are even.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dyad_core.sweep.figures import Figure
from dyad_core.sweep.grid import Grid, Node
from dyad_core.sweep.refine import Cell
from dyad_core.sweep.results import Rows, Surface

__all__ = ["Levels", "levels_of", "surface_of"]

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Levels:
    """Logarithms over the lattice, shape (columns, rows); NaN where nothing is known."""

    speedup: Array
    low: Array
    high: Array
    measured: npt.NDArray[np.bool_]


def levels_of(grid: Grid, figures: Mapping[Node, Figure], cells: Sequence[Cell]) -> Levels:
    """Put the figures of one map on the lattice and fill the cells whose corners are all known."""
    shape = (len(grid.columns), len(grid.tokens))
    given = np.full((3, *shape), np.nan)
    for node, figure in figures.items():
        values = (figure.speedup, figure.speedup_low, figure.speedup_high)
        if all(value is not None for value in values):
            given[:, *node] = np.log([value for value in values if value is not None])
    measured = ~np.isnan(given[0])
    filled = np.full_like(given, np.nan)
    for cell in cells:
        _fill(filled, given, cell, [np.asarray(axis) for axis in grid.axes])
    filled[:, measured] = given[:, measured]
    return Levels(filled[0], filled[1], filled[2], measured)


def _fill(filled: Array, given: Array, cell: Cell, axes: Sequence[Array]) -> None:
    """Bilinear from the corners; a cell with an unknown corner stays as it is."""
    columns, rows = slice(cell.left, cell.right + 1), slice(cell.lower, cell.upper + 1)
    across, along = _share(axes[0][columns])[:, None], _share(axes[1][rows])[None, :]
    low_left, low_right = given[:, cell.left, cell.lower], given[:, cell.right, cell.lower]
    up_left, up_right = given[:, cell.left, cell.upper], given[:, cell.right, cell.upper]
    if np.isnan([low_left, low_right, up_left, up_right]).any():
        return
    lower = low_left[:, None, None] * (1 - across) + low_right[:, None, None] * across
    upper = up_left[:, None, None] * (1 - across) + up_right[:, None, None] * across
    filled[:, columns, rows] = lower * (1 - along) + upper * along


def _share(positions: Array) -> Array:
    """How far each line is from the first to the last, 0 to 1."""
    length = positions[-1] - positions[0]
    shares: Array = (positions - positions[0]) / (length or 1.0)
    return shares


def surface_of(grid: Grid, levels: Levels) -> Surface:
    """The same as ratios in lists, rows by tokens."""
    return Surface(
        widths=tuple(column.in_features for column in grid.columns),
        tokens=grid.tokens,
        speedup=_rows(levels.speedup),
        low=_rows(levels.low),
        high=_rows(levels.high),
        measured=tuple(tuple(bool(value) for value in row) for row in levels.measured.T),
    )


def _rows(values: Array) -> Rows:
    return tuple(tuple(None if np.isnan(value) else float(np.exp(value)) for value in row) for row in values.T)
