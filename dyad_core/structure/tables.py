"""The path counts of all pairs as a table that is made tile by tile: ends and median of millions in little memory.

Each class of inputs and each class of outputs stands for many features, so a count is weighed by the pairs
it stands for. The median is found by a guess from a sample and one pass that counts what lies below, sorts
what lies close, and so proves the guess or corrects it.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from dyad_core.geometry import IntArray
from dyad_core.structure.classes import Classes, FloatArray

__all__ = ["ROUNDING", "PairTable", "bounds", "rounded"]

TILE = 2**17
"""Counts weighed at once, a megabyte: much fewer make the pass slower by half, more do not make it quicker."""

SAMPLE = 2**14
"""Pairs drawn to guess where the median lies; the guess costs nothing but time when it is wrong."""

WIDTH = 2**-6
"""Half-width of the guess as a share of all pairs: four standard deviations of such a sample's median."""


ROUNDING = 1e-10
"""Relative error of a rounded count, at most: 47 products of sums of 512 terms, and :func:`rounded`."""

DROPPED_BITS = 16


def rounded(counts: FloatArray) -> FloatArray:
    """Positive floats or zeros to 37 significant bits, one part in 10**11.

    Sums of the same numbers in another order then are the same again.
    """
    bits = counts.view(np.int64) + 2 ** (DROPPED_BITS - 1)
    kept: FloatArray = (bits >> DROPPED_BITS << DROPPED_BITS).view(np.float64)
    return kept


def bounds(rows: FloatArray, outputs: Classes) -> tuple[float, float]:
    """No count is below the first or above the second, which is at most twice the largest count."""
    halves = [rows[:, np.unique(hubs)] for hubs in outputs.hubs.T]
    low = sum(half.min(axis=1) for half in halves)
    high = sum(half.max(axis=1) for half in halves)
    return float(np.min(low)), float(np.max(high))


class PairTable:
    """The path counts of all pairs, made tile by tile.

    Args:
        rows: paths by class of inputs and output hub.
        weights: inputs of each class.
        outputs: the classes of outputs.
    """

    def __init__(self, rows: FloatArray, weights: IntArray, outputs: Classes) -> None:
        self.rows, self.weights, self.outputs = rows, weights, outputs
        self.pairs = int(weights.sum()) * int(outputs.counts.sum())

    def tiles(self) -> Iterator[tuple[FloatArray, int]]:
        """Counts of some pairs of classes, and the pairs of features that each of them stands for."""
        for out_weight in np.unique(self.outputs.counts):
            hubs = self.outputs.hubs[self.outputs.counts == out_weight]
            step = max(1, TILE // len(hubs))
            for weight in np.unique(self.weights):
                rows = self.rows[self.weights == weight]
                for begin in range(0, len(rows), step):
                    columns = np.ascontiguousarray(rows[begin : begin + step].T)
                    values = columns[hubs[:, 0]]
                    if hubs.shape[1] == 2:
                        values += columns[hubs[:, 1]]
                    yield values, int(out_weight) * int(weight)

    def summary(self) -> tuple[float, float, float]:
        """The smallest count, the lower median by weight, and the largest."""
        rank = (self.pairs - 1) // 2
        low, high = self._guess()
        smallest, largest, below, values, weights = self._look(low, high)
        if rank < below:  # the guess was too high
            *_, below, values, weights = self._look(-1.0, low)
        elif rank >= below + int(weights.sum()):  # too low
            *_, below, values, weights = self._look(high, np.inf)
        order = np.argsort(values)
        at = np.searchsorted(np.cumsum(weights[order]), rank - below, side="right")
        return smallest, float(values[order[at]]), largest

    def _guess(self) -> tuple[float, float]:
        """Two counts with the median most likely between them; all counts when there are few."""
        if len(self.rows) * len(self.outputs.counts) <= SAMPLE:
            return -1.0, np.inf
        random = np.random.default_rng(0)
        at = [
            np.searchsorted(np.cumsum(weights), random.integers(0, weights.sum(), SAMPLE), side="right")
            for weights in (self.weights, self.outputs.counts)
        ]
        drawn = np.sort(np.take_along_axis(self.rows[at[0]], self.outputs.hubs[at[1]], axis=1).sum(axis=1))
        return float(drawn[int(SAMPLE * (0.5 - WIDTH))]), float(drawn[int(SAMPLE * (0.5 + WIDTH))])

    def _look(self, low: float, high: float) -> tuple[float, float, int, FloatArray, IntArray]:
        """Both ends of all counts, the pairs below ``low``, and the counts from ``low`` to ``high`` with their pairs."""
        smallest, largest, below = np.inf, 0.0, 0
        found, stands_for = [], []
        for values, weight in self.tiles():
            smallest, largest = min(smallest, float(values.min())), max(largest, float(values.max()))
            under = values < low
            below += weight * int(np.count_nonzero(under))
            distinct, repeats = np.unique(values[under ^ (values <= high)], return_counts=True)
            found.append(distinct)
            stands_for.append(repeats * weight)
        return smallest, largest, below, np.concatenate(found), np.concatenate(stands_for)
