"""How many features lie in two groups at once: exact, at a cost that does not depend on the width.

Every grouping of a DYAD layer deals runs of features round its groups (:class:`dyad_core.geometry.Side`):
BLOCKDIAG once, with runs as long as a block; an interleaved BLOCKTRANS side many times, with runs of one
grain. Two such groupings of the same features, of any n and grain, are compared through the Chinese
remainder theorem: positions r and r' in the two cycles meet exactly once per least common multiple of the
cycle lengths when they agree modulo their greatest common divisor, and never otherwise. So the joint count
is a small matrix product over residues, and residues between two run borders count alike.
"""

from __future__ import annotations

import math

import numpy as np

from dyad_core.geometry import DyadGeometry, IntArray, Side, count_below
from dyad_core.structure.products import exact_product

__all__ = [
    "common_feature",
    "hub_overlap",
    "input_groupings",
    "interval_counts",
    "joint_groups",
    "neighbourhood",
    "output_groupings",
]


def neighbourhood(features: int, n_blocks: int) -> Side:
    """The grouping of BLOCKDIAG: neighbours together, feature f in block ``f // (features / n)``."""
    return Side(features, n_blocks, features // n_blocks, interleaved=False)


def input_groupings(geometry: DyadGeometry) -> tuple[Side, ...]:
    """How each component groups the inputs: BLOCKDIAG, then BLOCKTRANS where there is one."""
    diagonal = neighbourhood(geometry.in_features, geometry.n_blocks)
    return (diagonal,) if geometry.variant == "bd" else (diagonal, geometry.input_side)


def output_groupings(geometry: DyadGeometry) -> tuple[Side, ...]:
    """How each component groups the outputs: BLOCKDIAG, then BLOCKTRANS where there is one."""
    diagonal = neighbourhood(geometry.out_features, geometry.n_blocks)
    return (diagonal,) if geometry.variant == "bd" else (diagonal, geometry.output_side)


def interval_counts(side: Side, edges: IntArray) -> IntArray:
    """Features by interval between two ``edges`` (row) and group (column).

    Shapes: ``edges`` (k + 1,) ascending, result (k, n_blocks).
    """
    return np.diff(count_below(side, edges), axis=0)


def joint_groups(first: Side, second: Side) -> IntArray:
    """Features by group of ``first`` (row) and group of ``second`` (column), shape (n, n').

    The cost depends on the two numbers of groups alone, not on the features or the grains.

    Raises:
        ValueError: when the two groupings are not of the same number of features.
    """
    if first.features != second.features:
        raise ValueError(f"groupings of {first.features} and of {second.features} features cannot be compared")
    cycles = [side.run * side.n_blocks for side in (first, second)]
    modulus = math.gcd(*cycles)
    borders = [np.arange(side.n_blocks, dtype=np.int64) * side.run % modulus for side in (first, second)]
    marks = np.unique(np.concatenate([*borders, np.array([0, modulus])]))
    residues, widths = marks[:-1], np.diff(marks)
    by_first = _run_members(first, residues, modulus) * widths
    by_second = _run_members(second, residues, modulus)
    return exact_product(by_first, by_second.T) * (first.features // math.lcm(*cycles))


def _run_members(side: Side, residues: IntArray, modulus: int) -> IntArray:
    """Features of the first cycle by group (row) and residue modulo ``modulus`` (column)."""
    start = (np.arange(side.n_blocks, dtype=np.int64) * side.run)[:, None]
    return (start + side.run - 1 - residues) // modulus - (start - 1 - residues) // modulus


def hub_overlap(before: DyadGeometry, after: DyadGeometry) -> IntArray:
    """Features shared by an output hub of one layer (row) and an input hub of the next (column).

    Hubs are the BLOCKDIAG blocks, then the BLOCKTRANS groups: shape (2n, 2n'), a ``bd`` layer has n hubs.

    Raises:
        ValueError: when ``before.out_features`` is not ``after.in_features``.
    """
    counted: dict[tuple[Side, Side], IntArray] = {}
    rows = []
    for row in output_groupings(before):
        for column in input_groupings(after):
            # Plain BLOCKTRANS sides group as BLOCKDIAG does, so half of the quadrants are often equal.
            if (row, column) not in counted:
                counted[row, column] = joint_groups(row, column)
        rows.append([counted[row, column] for column in input_groupings(after)])
    return np.block(rows)


def common_feature(first: Side, group: int, second: Side, other: int) -> int | None:
    """The smallest feature in ``group`` of ``first`` and in ``other`` of ``second``; None when they share none.

    Runs are tried from the side with the longer cycle, until both cycles begin anew: at most the square root
    of the number of features.
    """
    if first.run * first.n_blocks < second.run * second.n_blocks:
        first, group, second, other = second, other, first, group
    cycle, cycle_other = first.run * first.n_blocks, second.run * second.n_blocks
    begins = group * first.run + np.arange(math.lcm(cycle, cycle_other) // cycle, dtype=np.int64) * cycle
    ahead = (other * second.run - begins) % cycle_other
    inside = (begins - other * second.run) % cycle_other < second.run
    found = begins + np.where(inside, 0, ahead)
    met = found < begins + first.run
    return int(found[met.argmax()]) if met.any() else None
