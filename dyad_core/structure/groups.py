"""Groups of features for a heat map: every class of its own while they fit, else neighbours together.

A class is a block of BLOCKDIAG within a block of BLOCKTRANS; up to 128 of them are shown one by one. Beyond,
consecutive blocks of either component are taken together, as equally as their number allows, so that both
nearness and position in the interleave stay visible.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dyad_core.geometry import IntArray, Side
from dyad_core.structure.classes import FloatArray, classes
from dyad_core.structure.hubs import SHOWN, FeatureGroup
from dyad_core.structure.wording import describe_runs

__all__ = ["Groups", "display_groups"]

MAX_GROUPS = 128
"""Groups on a side of a heat map."""

SMALLEST_PARTS = 8
"""Parts of each component at least, before a number of blocks is split into parts of unequal size."""


@dataclass(frozen=True, eq=False)
class Groups:
    """The groups on one side of a chain.

    Attributes:
        groups: in words, by first block, then by first BLOCKTRANS block.
        of_class: group of each class of that side (:func:`.classes.classes`), shape (classes,).
        in_hub: features of each group in each hub, shape (groups, hubs).
        merged: whether a group holds several classes.
    """

    groups: tuple[FeatureGroup, ...]
    of_class: IntArray
    in_hub: FloatArray
    merged: bool


def display_groups(groupings: tuple[Side, ...]) -> Groups:
    """Group the features of one side of a layer into at most 128."""
    found = classes(groupings)
    n = groupings[0].n_blocks
    by_component = [found.hubs[:, index] - index * n for index in range(len(groupings))]
    crossed = len(found.counts) > n  # else each block is a class
    edges = _edges(n, crossed=crossed)
    parts = len(edges) - 1
    places = [np.searchsorted(edges, blocks, side="right") - 1 for blocks in by_component]
    codes, of_class = np.unique(places[0] * parts + (places[-1] if crossed else 0), return_inverse=True)
    in_hub = np.zeros((len(codes), n * len(groupings)))
    for hubs in found.hubs.T:
        np.add.at(in_hub, (of_class, hubs), found.counts)
    sizes = np.bincount(of_class, weights=found.counts).astype(np.int64).tolist()
    groups = []
    for code, size in zip(codes.tolist(), sizes, strict=True):
        block, group = divmod(code, parts)
        run = (int(edges[group]), int(edges[group + 1])) if crossed else (0, n)
        groups.append(_group(groupings, (int(edges[block]), int(edges[block + 1])), run, size))
    return Groups(tuple(groups), of_class, in_hub, merged=len(codes) < len(found.counts))


def _edges(n: int, *, crossed: bool) -> IntArray:
    """First block of each part, and n: parts of one block while all fit, else of one size if that can be."""
    most = int(MAX_GROUPS**0.5) if crossed else MAX_GROUPS
    whole = n * n <= MAX_GROUPS if crossed else n <= MAX_GROUPS
    even = [parts for parts in range(min(SMALLEST_PARTS, most), most + 1) if n % parts == 0]
    parts = n if whole else max(even, default=most)
    return np.arange(parts + 1, dtype=np.int64) * n // parts


def _group(groupings: tuple[Side, ...], blocks: tuple[int, int], runs: tuple[int, int], count: int) -> FeatureGroup:
    """The features in BLOCKDIAG blocks from one to another and BLOCKTRANS blocks from one to another."""
    diagonal, side = groupings[0], groupings[-1]
    begin, end = blocks[0] * diagonal.run, blocks[1] * diagonal.run
    start, run, cycle = runs[0] * side.run, (runs[1] - runs[0]) * side.run, side.n_blocks * side.run
    description = describe_runs(begin, end - begin, diagonal.features, diagonal.features)
    if run < cycle:
        description = f"{description}: {describe_runs(start, run, cycle, side.features)}"
    first: list[int] = []
    for base in range(start + (begin - start) // cycle * cycle, end, cycle):
        first.extend(range(max(base, begin), min(base + run, end)))
        if len(first) >= SHOWN:
            break
    return FeatureGroup(description, tuple(first[:SHOWN]), count)
