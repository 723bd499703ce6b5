"""A map over its lattice: measured values kept, cells filled in log space, gaps left open."""

from __future__ import annotations

import math

import numpy as np
import pytest

from dyad_core.bench.results import compared
from dyad_core.sweep.figures import Figure
from dyad_core.sweep.grid import make_grid
from dyad_core.sweep.refine import Cell
from dyad_core.sweep.surface import levels_of, surface_of

GRID = make_grid([(128, 512), (256, 1024), (512, 2048)], (16, 64, 256), (4,), ("it",), 1)


def figure(speedup: float | None) -> Figure:
    if speedup is None:
        return Figure(4, "it", "auto", "forward", "failed")
    low, high = speedup / 1.1, speedup * 1.1
    return Figure(4, "it", "auto", "forward", compared(low, high), speedup, low, high)


def test_a_power_law_is_filled_exactly() -> None:
    def law(width: int, tokens: int) -> float:
        return (width / 300) ** 0.5 * (tokens / 64) ** -0.25

    corners = {
        (column, row): figure(law(GRID.columns[column].in_features, GRID.tokens[row]))
        for column in (0, 2)
        for row in (0, 2)
    }
    surface = surface_of(GRID, levels_of(GRID, corners, [Cell(0, 2, 0, 2)]))

    assert (surface.widths, surface.tokens) == ((128, 256, 512), (16, 64, 256))
    for row, tokens in enumerate(GRID.tokens):
        for column, width in enumerate(surface.widths):
            assert surface.speedup[row][column] == pytest.approx(law(width, tokens))
            assert surface.low[row][column] == pytest.approx(law(width, tokens) / 1.1)
            assert surface.measured[row][column] == ((column, row) in corners)


def test_a_measured_place_is_kept_and_an_unknown_corner_leaves_its_cell_open() -> None:
    figures = {
        (0, 0): figure(2.0), (1, 0): figure(3.0), (0, 1): figure(2.0), (1, 1): figure(2.0),
        (2, 0): figure(2.0), (2, 1): figure(None),
    }  # fmt: skip
    levels = levels_of(GRID, figures, [Cell(0, 1, 0, 1), Cell(1, 2, 0, 1), Cell(0, 2, 1, 2)])

    assert math.exp(levels.speedup[1, 0]) == pytest.approx(3.0)
    assert np.isnan(levels.speedup[2, 1])
    assert np.isnan(levels.speedup[:, 2]).all()
    assert surface_of(GRID, levels).speedup[2] == (None, None, None)
    assert not levels.measured[2, 1]
