"""Contour lines against surfaces whose zero level is known."""

from __future__ import annotations

import math

import numpy as np
import pytest

from dyad_core.sweep.contour import contour_lines

AXIS = tuple(float(value) for value in range(7))


def sample(function: object, x: tuple[float, ...] = AXIS, y: tuple[float, ...] = AXIS) -> np.ndarray:
    return np.array([[function(a, b) for b in y] for a in x])  # type: ignore[operator]


def test_a_plane_is_met_exactly_whatever_the_lattice() -> None:
    x, y = (0.0, 0.3, 1.0, 2.7, 5.0), (0.0, 1.5, 2.0, 6.0)
    (line,) = contour_lines(x, y, sample(lambda a, b: a + 0.5 * b - 3.1, x, y))
    assert all(a + 0.5 * b == pytest.approx(3.1) for a, b in line)
    assert {line[0], line[-1]} == {line[0], line[-1]}
    assert min(b for _, b in line) == 0.0
    assert min(a for a, _ in line) == pytest.approx(0.1)


def test_a_circle_is_one_closed_line_near_it() -> None:
    axis = tuple(np.linspace(-2, 2, 41))
    (line,) = contour_lines(axis, axis, sample(lambda a, b: math.hypot(a, b) - 1.3, axis, axis))
    assert line[0] == line[-1]
    assert all(math.hypot(a, b) == pytest.approx(1.3, abs=0.01) for a, b in line)
    assert sum(math.dist(p, q) for p, q in zip(line, line[1:], strict=False)) == pytest.approx(
        2 * math.pi * 1.3, rel=0.01
    )


def test_two_islands_are_two_lines() -> None:
    found = contour_lines(
        AXIS, AXIS, sample(lambda a, b: 1.1 - min(math.hypot(a - 1.6, b - 1.6), math.hypot(a - 4.4, b - 4.4)))
    )
    assert len(found) == 2
    assert all(line[0] == line[-1] for line in found)


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_a_saddle_is_decided_by_its_mean(sign: float) -> None:
    values = sign * np.array([[2.0, -1.0], [-1.0, 2.0]])  # the mean has the sign of the first diagonal
    lines = contour_lines((0.0, 1.0), (0.0, 1.0), values)
    assert len(lines) == 2
    # Each line cuts off one of the two corners whose sign is not that of the mean: (0, 1) and (1, 0).
    middles = {tuple(round(sum(part) / 2) for part in zip(*line, strict=True)) for line in lines}
    assert middles == {(0, 1), (1, 0)}


def test_one_side_alone_has_no_line() -> None:
    assert contour_lines(AXIS, AXIS, np.ones((7, 7))) == []


def test_unknown_places_leave_a_gap_and_one_unknown_corner_a_triangle() -> None:
    values = sample(lambda a, _: a - 2.5)
    values[2, 3] = np.nan
    lines = contour_lines(AXIS, AXIS, values)
    assert len(lines) == 2
    assert all(a == pytest.approx(2.5) for line in lines for a, b in line if b in AXIS)
    values[:, 3] = np.nan
    assert sorted(max(b for _, b in line) for line in contour_lines(AXIS, AXIS, values)) == [2.0, 6.0]


def test_a_lattice_of_one_line_has_no_contour() -> None:
    assert contour_lines((0.0,), AXIS, np.ones((1, 7))) == []
