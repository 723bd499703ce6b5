"""When to look at an interval, and how wide it must be so that it holds although it is looked at again and again.

Sampling that stops once it has seen enough looks at its interval many times, and an interval made for one look then
holds the truth less often than it says. These are *repeated confidence intervals* (Jennison and Turnbull 1989,
doi 10.1111/j.2517-6161.1989.tb01433.x): one critical value for all looks, so large that a standardised sum leaves its
bounds at any of them in 5 % of cases. They hold whatever the reason to stop was: a narrow interval, a spent budget, an
impatient reader. The critical value is that of Pocock's boundary (1977, doi 10.1093/biomet/64.2.191) at our own looks,
computed by the recursion of Armitage, McPherson and Rowe (1969, doi 10.2307/2343787).

A look that a spent budget forces between two planned ones takes the place of the next: it comes sooner, hence is more
like the look before it, and the bounds hold all the more.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence

import numpy as np

__all__ = ["CONFIDENCE", "LOOKS", "MAX_ROUNDS", "METHOD", "MIN_ROUNDS", "critical_value"]

CONFIDENCE = 0.95

LOOKS = (8, 12, 18, 27, 40, 60, 90, 135)
"""Rounds after which intervals are looked at: each half as many more than the one before, so that eight are enough."""

MIN_ROUNDS, MAX_ROUNDS = LOOKS[0], LOOKS[-1]

METHOD = (
    "Hodges–Lehmann estimate of the paired log ratios, signed-rank interval widened by serial correlation, "
    f"repeated confidence intervals over {len(LOOKS)} looks (Jennison and Turnbull 1989; Pocock 1977)"
)

POINTS = 81


@functools.cache
def critical_value(looks: tuple[int, ...] = LOOKS, confidence: float = CONFIDENCE) -> float:
    """The bound that a standardised sum of independent terms stays within at every look, with this probability."""
    low, high = 1.0, 6.0
    while high - low > 1e-5:
        middle = (low + high) / 2
        if stays_within(middle, looks) < confidence:
            low = middle
        else:
            high = middle
    return high


def stays_within(bound: float, looks: Sequence[int]) -> float:
    """Probability that |S(n)| ≤ ``bound``·√n at every look n, S(n) a sum of n independent standard normal terms."""
    nodes, weights = np.polynomial.legendre.leggauss(POINTS)
    edge = bound * math.sqrt(looks[0])
    places, density = nodes * edge, _normal(nodes * edge, looks[0])
    mass = weights * edge
    for before, after in zip(looks, looks[1:], strict=False):
        edge = bound * math.sqrt(after)
        moved = nodes * edge
        steps = _normal(moved[:, None] - places[None, :], after - before)  # (POINTS, POINTS)
        density = steps @ (density * mass)
        places, mass = moved, weights * edge
    return float(density @ mass)


def _normal(values: np.ndarray, variance: float) -> np.ndarray:
    result: np.ndarray = np.exp(-(values**2) / (2 * variance)) / math.sqrt(2 * math.pi * variance)
    return result
