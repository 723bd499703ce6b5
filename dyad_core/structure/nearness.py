"""Whether near dimensions are favoured: numbers of paths against the distance between input and output.

Both sides are cut into as many cells of neighbours, at most 128. The distance of an input and an output is
the number of cells between theirs, so cell 0 to cell 0 is 0; with as many cells as features it is |o − i|,
and on rectangular chains it compares relative positions, as |o · in / out − i| does. Each pair of features
counts once, in the bin of its distance.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from dyad_core.geometry import DyadGeometry, IntArray, Side, divisors
from dyad_core.structure.classes import FloatArray
from dyad_core.structure.counting import input_groupings, interval_counts, output_groupings
from dyad_core.structure.counts import count_matrices, is_exact, log10, mean_paths
from dyad_core.structure.products import tiled_product
from dyad_core.structure.sizes import MAX_PATH_BLOCKS, check_chain

__all__ = ["Locality", "locality"]

MAX_CELLS = 128

FEW_CELLS = 32
"""Below so many cells of equal size on both sides, more cells of nearly equal size are taken."""


@dataclass(frozen=True)
class Locality:
    """Numbers of paths through a chain by the distance of input and output.

    Attributes:
        in_features: inputs of the chain.
        out_features: outputs of the chain.
        cells: cells on either side; the distance 1 is in_features / cells inputs and out_features / cells outputs.
        pairs: pairs of features at each distance 0, 1, …; their sum is all pairs.
        min: fewest paths of a pair at that distance.
        mean: mean over the pairs at that distance.
        max: most paths of a pair at that distance.
        logarithmic: False: ``min`` and ``max`` are exact and ``mean`` a float. True: decimal logarithms, None for no path.
        near_over_mean: mean at distance 0 over the mean of all pairs: above 1 where near dimensions are favoured.
    """

    in_features: int
    out_features: int
    cells: int
    pairs: tuple[int, ...]
    min: tuple[float | None, ...]
    mean: tuple[float | None, ...]
    max: tuple[float | None, ...]
    logarithmic: bool
    near_over_mean: float

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready values."""
        return {
            "in_features": self.in_features,
            "out_features": self.out_features,
            "cells": self.cells,
            "distance": list(range(self.cells)),
            "pairs": list(self.pairs),
            "min": list(self.min),
            "mean": list(self.mean),
            "max": list(self.max),
            "logarithmic": self.logarithmic,
            "near_over_mean": self.near_over_mean,
        }


def locality(layers: Sequence[DyadGeometry]) -> Locality:
    """Count the paths through a chain by the distance between input and output.

    Args:
        layers: 1 to 48 layers that fit each other, at most 2**20 features and 64 blocks.

    Raises:
        SpecError: as :func:`.paths.reachability`.
    """
    chain = check_chain(layers, MAX_PATH_BLOCKS)
    first, last = chain[0], chain[-1]
    cells = _cells(first.in_features, last.out_features)
    edges = [np.arange(cells + 1, dtype=np.int64) * size // cells for size in (first.in_features, last.out_features)]
    *_, counts = count_matrices(chain)
    sides = input_groupings(first), output_groupings(last)
    distance = np.abs(np.arange(cells)[:, None] - np.arange(cells)[None, :])
    sizes = [np.diff(edge) for edge in edges]
    pairs = np.zeros(cells, dtype=np.int64)
    np.add.at(pairs, distance, sizes[0][:, None] * sizes[1][None, :])
    shares = np.bincount(distance.ravel(), weights=_shares(counts, sides, edges).ravel())
    means = shares * (first.in_features * last.out_features / pairs)
    lowest, highest = _ends(counts, sides, edges)
    exact = is_exact(float(highest.max()))
    near = float(means[0] / float(mean_paths(chain)))
    figures = [[int(count) if exact else log10(float(count)) for count in ends] for ends in (lowest, highest)]
    middle = [float(mean) if exact else log10(float(mean)) for mean in means]
    return Locality(
        first.in_features,
        last.out_features,
        cells,
        tuple(pairs.tolist()),
        tuple(figures[0]),
        tuple(middle),
        tuple(figures[1]),
        not exact,
        near,
    )


def _cells(in_features: int, out_features: int) -> int:
    """Cells on either side: of equal size where enough of them can be."""
    equal = divisors(math.gcd(in_features, out_features), MAX_CELLS)[-1]
    return equal if equal >= FEW_CELLS else min(MAX_CELLS, in_features, out_features)


def _shares(counts: FloatArray, sides: tuple[tuple[Side, ...], tuple[Side, ...]], edges: list[IntArray]) -> FloatArray:
    """Paths by cell of inputs and cell of outputs, over the number of all pairs (a sum could be beyond float64)."""
    left, right = (
        np.hstack([interval_counts(side, edge) for side in groupings]) / edge[-1]
        for groupings, edge in zip(sides, edges, strict=True)
    )
    return tiled_product(tiled_product(left, counts), np.ascontiguousarray(right.T))


def _ends(
    counts: FloatArray, sides: tuple[tuple[Side, ...], tuple[Side, ...]], edges: list[IntArray]
) -> tuple[FloatArray, FloatArray]:
    """Fewest and most paths of a pair by distance."""
    inputs, outputs = (_Stretches(groupings, edge) for groupings, edge in zip(sides, edges, strict=True))
    low = np.empty((len(inputs.blocks), len(outputs.blocks)))
    high = np.empty_like(low)
    second = len(sides[1]) == 2
    for row, block in enumerate(inputs.blocks):
        paths = counts[block] + (counts[inputs.n + np.flatnonzero(inputs.present[row])] if len(sides[0]) == 2 else 0)
        paths = np.atleast_2d(paths)  # (BLOCKTRANS blocks in this stretch, output hubs)
        for met, where in outputs.by_presence:
            through = paths[:, outputs.blocks[where]]
            other = paths[:, outputs.n + met] if second else np.zeros((len(paths), 1))
            low[row, where] = (through + other.min(axis=1, keepdims=True)).min(axis=0)
            high[row, where] = (through + other.max(axis=1, keepdims=True)).max(axis=0)
    cells = len(edges[0]) - 1
    lowest, highest = np.full(cells, np.inf), np.zeros(cells)
    distance = np.abs(inputs.cells[:, None] - outputs.cells[None, :])
    np.minimum.at(lowest, distance, low[inputs.kind][:, outputs.kind])
    np.maximum.at(highest, distance, high[inputs.kind][:, outputs.kind])
    return lowest, highest


class _Stretches:
    """One side cut at the borders of cells and of BLOCKDIAG blocks; stretches with the same blocks are of one kind.

    Attributes:
        n: blocks of the layer.
        cells: cell of each stretch.
        kind: kind of each stretch.
        blocks: BLOCKDIAG block of each kind.
        present: whether a BLOCKTRANS block has features in stretches of this kind; shape (kinds, n).
        by_presence: BLOCKTRANS blocks present, and the kinds with just these.
    """

    def __init__(self, groupings: tuple[Side, ...], edges: IntArray) -> None:
        diagonal = groupings[0]
        self.n = diagonal.n_blocks
        marks = np.union1d(edges, np.arange(self.n + 1, dtype=np.int64) * diagonal.run)
        present = interval_counts(groupings[-1], marks) > 0
        self.cells = np.searchsorted(edges, marks[:-1], side="right") - 1
        table = np.column_stack([marks[:-1] // diagonal.run, present])
        kinds, kind = np.unique(table, axis=0, return_inverse=True)
        self.kind = kind.ravel()
        self.blocks, self.present = kinds[:, 0], kinds[:, 1:].astype(np.bool_)
        sets, of_set = np.unique(self.present, axis=0, return_inverse=True)
        self.by_presence = [
            (np.flatnonzero(met), np.flatnonzero(of_set.ravel() == index)) for index, met in enumerate(sets)
        ]
