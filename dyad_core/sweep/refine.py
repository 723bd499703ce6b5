"""Where to measure next: the coarse lattice first, then cells that the 1.0x contour runs through, the largest first.

A cell is a rectangle of the lattice. It is *uncertain* when, for one map, two measured places in it lie on different sides
of 1.0x or one is not distinguishable from it; then it is halved across the side along which its corners disagree, and the
two new corners are wished for. A cell whose places all agree is left alone. Everything follows from the sides that are
known, nothing is remembered: a sweep that goes on after an interruption takes the same way.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from dyad_core.sweep.figures import Key
from dyad_core.sweep.grid import Grid, Node, coarse_lines, middle

__all__ = ["Cell", "Sides", "Wish", "coarse_nodes", "leaves", "uncertain", "wishes"]

Sides = Mapping[Node, Mapping[Key, int | None]]
"""Every measured place, and on which side each map is there: 1, -1, 0 not distinguishable, None no comparison."""

DOUBT_ONLY = 0.5
"""A cell that is doubtful throughout says less than one with a border in it."""


@dataclass(frozen=True)
class Cell:
    """A rectangle of the lattice, by the indices of its outer columns and rows."""

    left: int
    right: int
    lower: int
    upper: int

    def holds(self, node: Node) -> bool:
        """Whether a place is in it or on its border."""
        return self.left <= node[0] <= self.right and self.lower <= node[1] <= self.upper

    @property
    def corners(self) -> tuple[Node, ...]:
        """Its corners, each once; a lattice of one line has two or one."""
        found = [(self.left, self.lower), (self.right, self.lower), (self.left, self.upper), (self.right, self.upper)]
        return tuple(dict.fromkeys(found))


@dataclass(frozen=True)
class Wish:
    """A place to measure.

    Attributes:
        node: the place.
        why: part of the coarse lattice, or near the contour.
        value: how much it would tell. Coarse: how far it is from what is measured, in doublings; contour: the number of
            maps that are uncertain there times the size of the cell.
    """

    node: Node
    why: Literal["coarse", "contour"]
    value: float


def coarse_nodes(grid: Grid) -> list[Node]:
    """The lattice to begin with."""
    columns, rows = (coarse_lines(axis) for axis in grid.axes)
    return [(column, row) for column in columns for row in rows]


def wishes(grid: Grid, sides: Sides) -> list[Wish]:
    """Every place worth measuring now, best first; empty when the map is as well known as the lattice allows."""
    missing = [node for node in coarse_nodes(grid) if node not in sides]
    far = [Wish(node, "coarse", _distance(grid, node, sides)) for node in missing]
    coarse = sorted(far, key=lambda wish: (-wish.value, wish.node))
    values: dict[Node, float] = {}
    for cell in leaves(grid, sides):
        weight = _weight(cell, sides) * _area(grid.axes, cell)
        halving = _halving(grid.axes, cell, sides)
        if weight and halving:
            for node in halving.new:
                if node not in sides:
                    values[node] = values.get(node, 0.0) + weight
    near = [Wish(node, "contour", value) for node, value in values.items()]
    taken = {wish.node for wish in coarse}
    return coarse + sorted((wish for wish in near if wish.node not in taken), key=lambda wish: (-wish.value, wish.node))


def _distance(grid: Grid, node: Node, sides: Sides) -> float:
    """How far a place is from the nearest measured one, so that the first few are spread over the whole map."""
    widths, tokens = grid.axes
    return min(
        (math.hypot(widths[node[0]] - widths[column], tokens[node[1]] - tokens[row]) for column, row in sides),
        default=0.0,
    )


def leaves(grid: Grid, sides: Sides) -> Iterator[Cell]:
    """The cells as they are now: coarse ones, halved as far as the measured places go."""
    columns, rows = (coarse_lines(axis) for axis in grid.axes)
    waiting = [Cell(left, right, lower, upper) for left, right in _spans(columns) for lower, upper in _spans(rows)]
    while waiting:
        cell = waiting.pop()
        halving = _halving(grid.axes, cell, sides) if uncertain(cell, sides) else None
        if halving is None or any(node not in sides for node in halving.new):
            yield cell
        else:
            waiting += halving.parts


def uncertain(cell: Cell, sides: Sides) -> bool:
    """Whether 1.0x may run through a cell, for any map."""
    return _weight(cell, sides) > 0


def _weight(cell: Cell, sides: Sides) -> float:
    """The number of maps that are uncertain in a cell."""
    return sum(DOUBT_ONLY if found == {0} else 1.0 for found in _uncertain_maps(cell, sides))


def _uncertain_maps(cell: Cell, sides: Sides) -> list[set[int]]:
    """The sides that are seen in a cell, of each map that is not on one side of 1.0x for certain."""
    return _seen(_inside(cell, sides), sides)


def _seen(nodes: Iterable[Node], sides: Sides) -> list[set[int]]:
    """The sides that are seen at these places, of each map that is not on one side of 1.0x for certain there."""
    seen: dict[Key, set[int]] = {}
    for node in nodes:
        for key, side in sides.get(node, {}).items():
            if side is not None:
                seen.setdefault(key, set()).add(side)
    return [found for found in seen.values() if found not in ({1}, {-1})]


def _inside(cell: Cell, sides: Sides) -> Collection[Node]:
    size = (cell.right - cell.left + 1) * (cell.upper - cell.lower + 1)
    if size >= len(sides):
        return [node for node in sides if cell.holds(node)]
    return [
        (column, row)
        for column in range(cell.left, cell.right + 1)
        for row in range(cell.lower, cell.upper + 1)
        if (column, row) in sides
    ]


@dataclass(frozen=True)
class _Halving:
    """A cell in two parts, and the places on the line between them that have to be known first."""

    parts: tuple[Cell, Cell]
    new: tuple[Node, ...]


def _halving(axes: Sequence[Sequence[float]], cell: Cell, sides: Sides) -> _Halving | None:
    """Halve a cell across the side along which its places disagree most, the longer one first; None when it cannot.

    Where the disagreement is between neighbours of the lattice and the other direction agrees, there is nothing left to
    find: the border runs straight between two lines.
    """
    column = middle(axes[0], cell.left, cell.right)
    row = middle(axes[1], cell.lower, cell.upper)
    across = _disagreement(cell, sides, along_width=True)
    along = _disagreement(cell, sides, along_width=False)
    wide = axes[0][cell.right] - axes[0][cell.left] >= axes[1][cell.upper] - axes[1][cell.lower]
    by_width = (across, wide) >= (along, not wide)
    settled = bool(across) != bool(along)
    if column is not None and (by_width or (row is None and not settled)):
        parts = Cell(cell.left, column, cell.lower, cell.upper), Cell(column, cell.right, cell.lower, cell.upper)
        return _Halving(parts, tuple(dict.fromkeys([(column, cell.lower), (column, cell.upper)])))
    if row is not None and (not by_width or not settled):
        parts = Cell(cell.left, cell.right, cell.lower, row), Cell(cell.left, cell.right, row, cell.upper)
        return _Halving(parts, tuple(dict.fromkeys([(cell.left, row), (cell.right, row)])))
    return None


def _disagreement(cell: Cell, sides: Sides, *, along_width: bool) -> int:
    """On how many edges of one direction, over all maps, the corners are not all on one side for certain.

    The corners alone, though places between them may be known from the neighbours: they were there before the cell was. So a
    cell is halved the same way whatever was measured in between, and machines that measure side by side end with the
    points that one machine alone would measure.
    """
    if along_width:
        edges = [Cell(cell.left, cell.right, row, row) for row in {cell.lower, cell.upper}]
    else:
        edges = [Cell(column, column, cell.lower, cell.upper) for column in {cell.left, cell.right}]
    return sum(len(_seen(edge.corners, sides)) for edge in edges if len(edge.corners) > 1)


def _area(axes: Sequence[Sequence[float]], cell: Cell) -> float:
    """Size in doublings; a side of length zero (a lattice of one line) counts as one."""
    width = axes[0][cell.right] - axes[0][cell.left]
    height = axes[1][cell.upper] - axes[1][cell.lower]
    return (width or 1.0) * (height or 1.0)


def _spans(lines: Sequence[int]) -> list[tuple[int, int]]:
    return list(zip(lines, lines[1:], strict=False)) or [(lines[0], lines[0])]
