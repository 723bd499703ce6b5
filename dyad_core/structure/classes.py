"""Features that no path can tell apart: those in the same block of either component.

A class is such a set of features, known by its hubs (one, or two for the two components) and its size. At
most n² classes stand for every feature on one side of a layer, whatever its width.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from dyad_core.geometry import IntArray, Side
from dyad_core.structure.counting import joint_groups

__all__ = ["Classes", "FloatArray", "classes", "hubs_of", "representatives"]

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Classes:
    """The classes on one side of a layer.

    Attributes:
        hubs: the hubs of each class; shape (classes, components).
        counts: the features in each class, all positive; shape (classes,).
        uniform: whether there is one class for every two blocks and all are of one size.
    """

    hubs: IntArray
    counts: IntArray
    uniform: bool


# At most n² rows of three numbers; a chain has few different sides.
@lru_cache(maxsize=32)
def classes(groupings: tuple[Side, ...]) -> Classes:
    """The classes of one side, ascending by BLOCKDIAG block, then by BLOCKTRANS block."""
    n = groupings[0].n_blocks
    if len(groupings) == 1:
        return Classes(np.arange(n)[:, None], np.full(n, groupings[0].block), uniform=False)
    shared = joint_groups(*groupings)
    blocks, groups = np.nonzero(shared)
    counts = shared[blocks, groups]
    uniform = len(counts) == n * n and bool((counts == counts[0]).all())
    return Classes(np.stack([blocks, n + groups], axis=1), counts, uniform)


def hubs_of(groupings: tuple[Side, ...], features: IntArray) -> IntArray:
    """The hubs that hold each feature, shape (features, components)."""
    return np.stack([side.group(features) + index * side.n_blocks for index, side in enumerate(groupings)], axis=1)


@lru_cache(maxsize=32)
def representatives(sides: tuple[Side, ...], edges: tuple[int, ...] = ()) -> IntArray:
    """Features, ascending, such that every combination of groups that occurs in an interval occurs among them.

    Between two borders of plain blocks (and of ``edges``) only the interleaved groups change, and they repeat
    after the least common multiple of their cycles; so the first such stretch of each interval has everything.

    Args:
        sides: groupings of the same features.
        edges: further borders to respect, ascending from 0 to the number of features.
    """
    features = sides[0].features
    cycles = [side.run * side.n_blocks for side in sides]
    repeat = math.lcm(*(cycle for cycle in cycles if cycle < features))  # 1 when every side is plain
    borders = {0, features, *edges}
    for side, cycle in zip(sides, cycles, strict=True):
        if cycle == features:
            borders.update(range(0, features, side.run))
    marks = sorted(borders)
    return np.concatenate(
        [np.arange(begin, min(end, begin + repeat)) for begin, end in zip(marks, marks[1:], strict=False)]
    )
