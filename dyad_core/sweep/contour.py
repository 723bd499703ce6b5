"""Contour lines of a surface that is given on a lattice: marching squares with linear interpolation. Pure numpy.

Each square of the lattice is crossed by the zero level on straight pieces between its edges; where an edge has ends of
different sign, the crossing is where the straight line between them is zero. A saddle (signs alternate round the square)
is decided by the mean of its corners. A square with one unknown corner is a triangle; with more, it has no line.
(Lorensen and Cline, Marching Cubes, 1987, in two dimensions.)
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

__all__ = ["contour_lines"]

Array = npt.NDArray[np.float64]
Place = tuple[int, int]
Edge = frozenset[Place]
"""The two lattice places that a crossing lies between: equal for both squares that share it, so that pieces join."""


def contour_lines(x: Sequence[float], y: Sequence[float], values: Array) -> list[list[tuple[float, float]]]:
    """Polylines along which ``values`` is zero.

    Args:
        x: positions of the columns, ascending, shape (columns,).
        y: positions of the rows, ascending, shape (rows,).
        values: shape (columns, rows); NaN is unknown. A value of exactly zero counts as above.

    Returns:
        Lines of at least two points; a closed one ends where it begins.
    """
    pieces = [
        piece
        for column in range(len(x) - 1)
        for row in range(len(y) - 1)
        for piece in _pieces(values, [(column, row), (column + 1, row), (column + 1, row + 1), (column, row + 1)])
    ]
    return [[_crossing(edge, x, y, values) for edge in chain] for chain in _chains(pieces)]


def _pieces(values: Array, square: Sequence[Place]) -> Iterator[tuple[Edge, Edge]]:
    """The pieces inside one square or triangle, each from edge to edge."""
    ring = [place for place in square if not np.isnan(values[place])]
    if len(ring) < 3:
        return
    above = [bool(values[place] >= 0) for place in ring]
    following = [*ring[1:], ring[0]]
    crossed = [
        frozenset((place, after))
        for place, after, here, there in zip(ring, following, above, [*above[1:], above[0]], strict=True)
        if here != there
    ]
    if len(crossed) == 2:
        yield crossed[0], crossed[1]
    elif len(crossed) == 4:
        # Each corner that differs from the centre is cut off by itself: by the two edges that meet in it.
        centre = float(np.mean([values[place] for place in ring])) >= 0
        for index, (place, side) in enumerate(zip(ring, above, strict=True)):
            if side != centre:
                yield frozenset((ring[index - 1], place)), frozenset((place, following[index]))


def _chains(pieces: Sequence[tuple[Edge, Edge]]) -> Iterator[list[Edge]]:
    """Join pieces at their common edges; open lines from one end to the other, closed ones from anywhere."""
    neighbours: dict[Edge, list[Edge]] = {}
    for start, end in pieces:
        neighbours.setdefault(start, []).append(end)
        neighbours.setdefault(end, []).append(start)
    starts = [edge for edge, others in neighbours.items() if len(others) == 1]
    for start in [*starts, *neighbours]:
        if not neighbours[start]:
            continue
        chain = [start]
        while neighbours[chain[-1]]:
            following = neighbours[chain[-1]].pop()
            neighbours[following].remove(chain[-1])
            chain.append(following)
        yield chain


def _crossing(edge: Edge, x: Sequence[float], y: Sequence[float], values: Array) -> tuple[float, float]:
    start, end = sorted(edge)
    first, second = float(values[start]), float(values[end])
    share = first / (first - second)
    return (
        x[start[0]] + share * (x[end[0]] - x[start[0]]),
        y[start[1]] + share * (y[end[1]] - y[start[1]]),
    )
