"""How unevenly paths are spread over the pairs of an input and an output: reachable is not evenly mixed.

Smallest, median, largest and mean number of paths over all pairs, and the *evenness*: Jain's fairness index
(Jain, Chiu and Hawe 1984), the square of the mean over the mean of the squares. It is 1 when every pair has
as many paths as every other, and k / N when k of N pairs share all paths alike.

All pairs are counted, by classes: for n = 64 on both sides 16.7 million by depth. Where all classes of
outputs are of one size, inputs whose paths differ only in their order are counted once.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from dyad_core.geometry import IntArray, Side
from dyad_core.structure.classes import FloatArray, classes
from dyad_core.structure.counting import input_groupings, joint_groups, output_groupings
from dyad_core.structure.counts import count_matrices, is_exact, log10, mean_paths
from dyad_core.structure.products import tiled_product
from dyad_core.structure.sizes import Chain
from dyad_core.structure.tables import ROUNDING, PairTable, bounds, rounded

__all__ = ["PathCounts", "path_counts"]


@dataclass(frozen=True)
class PathCounts:
    """Numbers of paths over all pairs of an input and an output, each pair once.

    Attributes:
        min: fewest paths of a pair.
        median: the lower median: at least half of the pairs have at most so many paths.
        max: most paths of a pair.
        mean: over all pairs.
        evenness: Jain's fairness index, (mean)² / mean of squares, above 0 and at most 1.
        logarithmic: False: the four numbers are exact. True: counts came near 2**53, and the four are decimal
            logarithms, good to ten digits, ``min`` and ``median`` None where there is no path.
    """

    min: float | None
    median: float | None
    max: float | None
    mean: float | None
    evenness: float
    logarithmic: bool

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready values."""
        return asdict(self)


def path_counts(chain: Chain) -> Iterator[PathCounts]:
    """The spread of path counts over the first 1, 2, … layers of ``chain``, of at most 64 blocks each."""
    for depth, counts in enumerate(count_matrices(chain), start=1):
        yield _spread(chain[:depth], counts)


def _spread(chain: Chain, counts: FloatArray) -> PathCounts:
    inputs, outputs = classes(input_groupings(chain[0])), classes(output_groupings(chain[-1]))
    mean, evenness = mean_paths(chain), _evenness(chain, counts)
    if inputs.uniform and not outputs.uniform:
        counts, inputs, outputs = counts.T, outputs, inputs
    rows, weights = counts[inputs.hubs].sum(axis=1), inputs.counts
    low, high = bounds(rows, outputs)
    exact = is_exact(high)
    if not exact and high - low <= ROUNDING * low:  # all agree within rounding: there is nothing to tell apart
        level = log10(mean)
        return PathCounts(level, level, level, level, evenness, logarithmic=True)
    if outputs.uniform:
        rows, weights = _distinct(rows if exact else rounded(rows), weights)
    smallest, median, largest = PairTable(rows, weights, outputs).summary()
    if exact:
        return PathCounts(int(smallest), int(median), int(largest), float(mean), evenness, logarithmic=False)
    return PathCounts(log10(smallest), log10(median), log10(largest), log10(mean), evenness, logarithmic=True)


def _evenness(chain: Chain, counts: FloatArray) -> float:
    """Jain's index from the features shared by two hubs of one side; no pair is listed.

    The sum of squares over pairs is the sum over hub pairs (h, k) and (h', k') of counts[h, k] · counts[h', k']
    times the inputs in both h and h' and the outputs in both k and k'.
    """
    scaled = counts / counts.max()  # squares of the largest counts would be beyond float64
    inputs, outputs = (
        _in_both_hubs(side(layer)) for side, layer in ((input_groupings, chain[0]), (output_groupings, chain[-1]))
    )
    shares = tiled_product(tiled_product(np.ascontiguousarray(scaled.T), inputs), scaled)  # (output hubs, output hubs)
    squares = float((shares * outputs).sum())
    sums = float(np.diag(inputs) @ scaled @ np.diag(outputs))
    return min(1.0, sums**2 / (squares * chain[0].in_features * chain[-1].out_features))


def _in_both_hubs(groupings: tuple[Side, ...]) -> FloatArray:
    """Features in two hubs at once by hub and hub, shape (hubs, hubs)."""
    return np.block([[joint_groups(one, other) for other in groupings] for one in groupings]).astype(np.float64)


def _distinct(rows: FloatArray, weights: IntArray) -> tuple[FloatArray, IntArray]:
    """Rows that differ by more than the order within each component, with the inputs they stand for.

    Only where every two output blocks share equally many features: then the order plays no part.
    """
    half = rows.shape[1] // 2
    ordered = np.sort(rows.reshape(len(rows), 2, half), axis=2).reshape(len(rows), -1)
    key = (ordered / ordered.max() * np.random.default_rng(0).random(2 * half)).sum(axis=1)
    _, first, inverse = np.unique(key, return_index=True, return_inverse=True)
    if not np.array_equal(ordered[first[inverse]], ordered):  # two rows of one key: leave all as they are
        return rows, weights
    return ordered[first], np.bincount(inverse, weights=weights).astype(np.int64)
