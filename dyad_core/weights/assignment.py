"""Units to kinds of places, so that the sum of gains is as large as possible: an auction.

Every unit bids for the kind of place it likes best, up to the price at which it likes the second best as much, plus a
small increment; a kind that is full keeps its highest bids. The result is within units × increment of the best sum
(D. P. Bertsekas, D. A. Castanon, "The auction algorithm for the transportation problem", Annals of OR 20, 1989). The
increment starts large and shrinks, and the prices prove a bound that no assignment exceeds.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dyad_core.geometry import IntArray

__all__ = ["Assignment", "assign"]

FloatArray = npt.NDArray[np.float64]

SHRINK = 5.0
"""Each phase has an increment this many times smaller than the one before."""

MAX_ROUNDS = 3000
"""Bidding rounds of one phase; a phase that needs more ends the auction, and the bound shows what may be missing."""


@dataclass(frozen=True, eq=False)
class Assignment:
    """Who goes where.

    Attributes:
        kinds: kind of place of each unit, shape (units,).
        total: sum of the gains.
        bound: no assignment has a larger sum.
    """

    kinds: IntArray
    total: float
    bound: float


def assign(gain: FloatArray, capacity: IntArray, tolerance: float) -> Assignment:
    """Assign every unit to a kind of place.

    Args:
        gain: of each unit in each kind of place, shape (units, kinds).
        capacity: places of each kind, shape (kinds,), as many in all as there are units.
        tolerance: the sum is looked for up to this amount.
    """
    units, kinds = gain.shape
    if kinds == 1:
        return Assignment(np.zeros(units, dtype=np.int64), float(gain.sum()), float(gain.sum()))
    price = np.zeros(kinds)
    last = tolerance / units
    increment = max(last, float(np.ptp(gain)) / 4)
    placed, bid = np.full(units, -1, dtype=np.int64), np.full(units, -np.inf)
    best: Assignment | None = None
    while True:
        complete = _auction(gain, capacity, price, placed, bid, increment)
        kinds_of = placed if complete else _fill(gain, capacity, placed)
        total = float(gain[np.arange(units), kinds_of].sum())
        bound = float((gain - price).max(axis=1).sum() + (capacity * price).sum())
        if best is None:
            best = Assignment(kinds_of.copy(), total, bound)
        else:
            kept = kinds_of.copy() if total > best.total else best.kinds
            best = Assignment(kept, max(total, best.total), min(bound, best.bound))
        if increment <= last or not complete or best.bound - best.total <= tolerance:
            return best
        increment = max(last, increment / SHRINK)
        _release(gain, price, placed, bid, increment)


def _auction(
    gain: FloatArray, capacity: IntArray, price: FloatArray, placed: IntArray, bid: FloatArray, increment: float
) -> bool:
    """Bid until every unit has a place; changes ``price``, ``placed`` and ``bid``. False when it took too long."""
    for _ in range(MAX_ROUNDS):
        free = np.flatnonzero(placed < 0)
        if not len(free):
            return True
        net = gain[free] - price
        wanted = net.argmax(axis=1)
        row = np.arange(len(free))
        first = net[row, wanted]
        net[row, wanted] = -np.inf
        bid[free] = price[wanted] + first - net.max(axis=1) + increment
        placed[free] = wanted
        for kind in np.unique(wanted):
            holders = np.flatnonzero(placed == kind)
            over = len(holders) - int(capacity[kind])
            if over > 0:
                order = np.argpartition(bid[holders], over)
                placed[holders[order[:over]]] = -1
            if over >= 0:
                price[kind] = bid[holders[placed[holders] == kind]].min()
    return False


def _release(gain: FloatArray, price: FloatArray, placed: IntArray, bid: FloatArray, increment: float) -> None:
    """Free the units that are not content within the new increment."""
    net = gain - price
    mine = net[np.arange(len(placed)), placed]
    free = mine < net.max(axis=1) - increment
    placed[free] = -1
    bid[~free] = price[placed[~free]]


def _fill(gain: FloatArray, capacity: IntArray, placed: IntArray) -> IntArray:
    """Give units without a place the best one that is left, one after the other."""
    filled = placed.copy()
    left = capacity - np.bincount(placed[placed >= 0], minlength=len(capacity))
    for unit in np.flatnonzero(placed < 0):
        kind = int(np.where(left > 0, gain[unit], -np.inf).argmax())
        filled[unit] = kind
        left[kind] -= 1
    return filled
