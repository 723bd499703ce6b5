"""Numbers of paths through a chain of layers: exact integers, or floats that say when they round.

A path is a choice of one feature at every level, from an input of the first layer to an output of the last,
each step along a position of a weight; a position that both components write is two steps, for it holds two
parameters. With S the features shared by output hubs of one layer and input hubs of the next, the paths
between hubs are the entries of the product of all S, and those between features the sum over their hubs.

Such numbers grow beyond every fixed-size integer: 2**988 at the largest chain that is taken. Three ways:

* :func:`exact_counts` for one input: integers in limbs of 30 bits, always exact;
* :func:`count_matrices` for all hubs at once: float64, exact while the largest is below 2**53, and rounded by
  less than one part in 10**10 above that. Never an overflow, for 2**988 is a float64, and zero is always exactly zero;
* :func:`mean_paths`: the mean over all pairs is a plain product.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction
from functools import lru_cache
from itertools import pairwise

import numpy as np

from dyad_core.geometry import DyadGeometry, IntArray
from dyad_core.structure.classes import FloatArray
from dyad_core.structure.counting import hub_overlap
from dyad_core.structure.products import EXACT_FLOAT64, exact_product, tiled_product
from dyad_core.structure.sizes import Chain

__all__ = ["count_matrices", "exact_counts", "is_exact", "log10", "mean_paths", "to_integers"]

LIMB_BITS = 30
"""A sum of limbs times shared features stays below 2**51: at most 2n limbs times at most 2**20 / n features."""


# 256 blocks make 2 MB each; a stack has one or two different pairs of layers.
@lru_cache(maxsize=16)
def _shared(before: DyadGeometry, after: DyadGeometry) -> IntArray:
    """Features by output hub of ``before`` (row) and input hub of ``after`` (column)."""
    shared = hub_overlap(before, after)
    shared.flags.writeable = False
    return shared


def count_matrices(chain: Chain) -> Iterator[FloatArray]:
    """Paths by input hub of the first layer (row) and output hub of layer 1, 2, … (column)."""
    counts = np.eye(chain[0].components * chain[0].n_blocks)
    yield counts
    for before, after in pairwise(chain):
        counts = tiled_product(counts, _shared(before, after).astype(np.float64))
        yield counts


def is_exact(largest: float) -> bool:
    """Whether floats that are sums and products of non-negative integers, at most ``largest``, are exact."""
    # Partial sums never exceed the whole, so a result below 2**53 was never rounded on the way.
    return largest < EXACT_FLOAT64


def exact_counts(chain: Chain, hubs: IntArray) -> Iterator[IntArray]:
    """Paths from one input, given by its ``hubs``, to the output hubs of layer 1, 2, …, as limbs.

    Shape of each: (limbs, output hubs), lowest limb first; :func:`to_integers` reads them.
    """
    limbs = np.zeros((1, chain[0].components * chain[0].n_blocks), dtype=np.int64)
    limbs[0, hubs] = 1
    yield limbs
    for before, after in pairwise(chain):
        limbs = _carried(exact_product(limbs, _shared(before, after)))
        yield limbs


def _carried(limbs: IntArray) -> IntArray:
    """The same numbers with every limb below 2**30."""
    while (over := limbs >> LIMB_BITS).any():
        limbs = np.vstack([limbs & (2**LIMB_BITS - 1), np.zeros_like(limbs[:1])])
        limbs[1:] += over
        if not limbs[-1].any():
            limbs = limbs[:-1]
    return limbs


def to_integers(limbs: IntArray) -> list[int]:
    """The integers that columns of limbs stand for."""
    numbers = [0] * limbs.shape[1]
    for row in limbs[::-1].tolist():
        numbers = [(number << LIMB_BITS) + limb for number, limb in zip(numbers, row, strict=True)]
    return numbers


def mean_paths(chain: Chain) -> Fraction:
    """Mean number of paths over all pairs of an input and an output, exactly.

    Every feature is in one block of each component and so takes components × block_out steps, wherever it is.
    """
    return Fraction(math.prod(layer.components * layer.block_out for layer in chain), chain[-1].out_features)


def log10(number: Fraction | float) -> float | None:
    """Decimal logarithm of a number of paths; None for no path. Integers beyond float64 are taken as they are."""
    if number == 0:
        return None
    if isinstance(number, Fraction):
        return math.log10(number.numerator) - math.log10(number.denominator)
    return math.log10(number)
