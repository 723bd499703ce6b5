"""The lattice of a sweep: which sizes may be measured, which are left out and why.

The lists of a request are the *finest* lattice: no size is measured that nobody asked for. A sweep measures a part of it
(:mod:`dyad_core.sweep.refine`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from dyad_core.errors import SpecError
from dyad_core.geometry import DyadGeometry, Variant

__all__ = ["Column", "Grid", "Node", "Skipped", "coarse_lines", "make_grid", "middle"]

COARSE_OCTAVES = 3.0
"""The coarse lattice has its lines at most so many doublings apart, where the lists have lines between."""

Node = tuple[int, int]
"""A place of the lattice: index of the column (size of the layer), index of the row (tokens)."""


@dataclass(frozen=True)
class Column:
    """One size of the layer and the block counts that divide it."""

    in_features: int
    out_features: int
    n_blocks: tuple[int, ...]


@dataclass(frozen=True)
class Skipped:
    """A size, or one block count at a size, that is left out; ``n_blocks`` None is all of them."""

    in_features: int
    out_features: int | None
    n_blocks: int | None
    reason: str


@dataclass(frozen=True)
class Grid:
    """Every size that may be measured: columns ascending in width, tokens ascending."""

    columns: tuple[Column, ...]
    tokens: tuple[int, ...]
    skipped: tuple[Skipped, ...]

    @property
    def points(self) -> int:
        """Number of places of the lattice."""
        return len(self.columns) * len(self.tokens)

    @property
    def axes(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Positions of columns and rows: log2 of width and of tokens."""
        widths = tuple(math.log2(column.in_features) for column in self.columns)
        return widths, tuple(math.log2(count) for count in self.tokens)


def make_grid(
    sizes: Sequence[tuple[int, int]],
    tokens: Sequence[int],
    n_blocks: Sequence[int],
    variants: Sequence[Variant],
    grain: int,
) -> Grid:
    """Sort sizes and tokens, and leave out what n or the grain does not divide, with the reason."""
    columns, skipped = [], []
    for in_features, out_features in sorted(sizes):
        fitting = []
        for n in n_blocks:
            reason = misfit(in_features, out_features, n, variants, grain)
            if reason:
                skipped.append(Skipped(in_features, out_features, n, reason))
            else:
                fitting.append(n)
        if fitting:
            columns.append(Column(in_features, out_features, tuple(fitting)))
    return Grid(tuple(columns), tuple(sorted(tokens)), tuple(skipped))


def misfit(in_features: int, out_features: int, n: int, variants: Sequence[Variant], grain: int) -> str:
    """Why a layer of these sizes cannot have this n; empty when it can."""
    for variant in variants:
        try:
            DyadGeometry(in_features, out_features, n, variant, grain)
        except SpecError as error:
            return "; ".join(f"{problem.field} {problem.rule}" for problem in error.problems)
    return ""


def middle(axis: Sequence[float], low: int, high: int) -> int | None:
    """The line strictly between two lines that is nearest to half way; None when they are neighbours."""
    if high - low < 2:
        return None
    half = (axis[low] + axis[high]) / 2
    return min(range(low + 1, high), key=lambda index: (abs(axis[index] - half), index))


def coarse_lines(axis: Sequence[float]) -> tuple[int, ...]:
    """Where to begin: both ends, one line between, and further ones where more than three doublings are between."""
    last = len(axis) - 1
    chosen = {0, last}
    waiting = [(0, last, True)]
    while waiting:
        low, high, always = waiting.pop()
        between = middle(axis, low, high)
        if between is not None and (always or axis[high] - axis[low] > COARSE_OCTAVES):
            chosen.add(between)
            waiting += [(low, between, False), (between, high, False)]
    return tuple(sorted(chosen))
