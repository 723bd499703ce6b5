"""How long a point of a sweep will take, from its sizes: to plan within a budget and to say so before anything starts.

The rates are assumed, not measured; :class:`Pace` corrects them by what the points of this sweep really took.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from statistics import median

from dyad_core.bench.candidates import PRODUCTS
from dyad_core.bench.spec import Pass
from dyad_core.sweep.grid import Column, Grid

__all__ = ["MIN_ROUNDS", "START_S", "Pace", "duration", "grid_seconds", "round_seconds"]

START_S = 4.0
"""A process that imports torch, builds the layers and checks them against the oracle."""

MIN_ROUNDS = 12
"""Warm-up and the rounds that are taken whatever the budget."""

ASSUMED_ROUNDS = 30
SAMPLE_S = 4e-3
FLOPS_PER_S = {"cpu": 5e10, "cuda": 2e13}
BOUNDS = (0.1, 20.0)


def round_seconds(
    column: Column, tokens: int, passes: Iterable[Pass], per_n: int, *, device: str, layers: int
) -> float:
    """Seconds of one round: a sample of the dense twin and of every candidate, in every pass.

    ``per_n`` is the number of candidates at each n, ``layers`` the matrix products of the module.
    """
    rate = FLOPS_PER_S["cpu" if device == "cpu" else "cuda"]
    dense_s = 2.0 * tokens * column.in_features * column.out_features * layers / rate
    total = 0.0
    for pass_ in passes:
        call_s = dense_s * PRODUCTS[pass_]
        candidates = sum(per_n * max(SAMPLE_S, call_s * min(1.0, 2 / n)) for n in column.n_blocks)
        total += max(SAMPLE_S, call_s) + candidates
    return total


def grid_seconds(grid: Grid, passes: Iterable[Pass], per_n: int, *, device: str, layers: int) -> float:
    """Seconds for every point of the lattice, none skipped; a sum over columns of a sum over rows."""
    passes = tuple(passes)
    # A round is affine in the tokens but for the floor of a sample, so two sums replace one over all places.
    tokens, rows = float(sum(grid.tokens)), len(grid.tokens)
    floor = SAMPLE_S * len(passes)
    total = 0.0
    for column in grid.columns:
        one = round_seconds(column, 1_000_000, passes, per_n, device=device, layers=layers) / 1_000_000
        total += rows * START_S + ASSUMED_ROUNDS * (one * tokens + rows * floor * (1 + per_n * len(column.n_blocks)))
    return total


def duration(seconds: float) -> str:
    """A duration for people."""
    for limit, unit, name in ((90, 1, "s"), (5400, 60, "min"), (48 * 3600, 3600, "h")):
        if seconds < limit:
            return f"{seconds / unit:.0f} {name}" if name != "h" else f"{seconds / unit:.1f} h"
    return f"{seconds / 86400:,.0f} days"


class Pace:
    """Predicts what a point will take, corrected by what those before it took."""

    def __init__(self) -> None:
        """Begin with the assumed rates."""
        self._ratios: list[float] = []

    def predict(self, round_s: float, budget_s: float) -> float:
        """Seconds of a point with a round of this length and this budget for its timing."""
        return self._plain(round_s, budget_s) * (median(self._ratios) if self._ratios else 1.0)

    def took(self, round_s: float, budget_s: float, seconds: float) -> None:
        """A point took so long."""
        ratio = seconds / self._plain(round_s, budget_s)
        if ratio > 0 and math.isfinite(ratio):
            self._ratios.append(min(BOUNDS[1], max(BOUNDS[0], ratio)))

    @staticmethod
    def _plain(round_s: float, budget_s: float) -> float:
        return START_S + max(MIN_ROUNDS * round_s, min(1.2 * budget_s, ASSUMED_ROUNDS * round_s))
