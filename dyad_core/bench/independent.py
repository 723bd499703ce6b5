"""Ratios between runs: of medians of independent samples, and of two figures that bring their intervals along.

Within a run rounds are paired and :mod:`dyad_core.bench.statistics` divides pair by pair; two runs share no rounds, so their
samples are independent. Nothing is drawn at random here: equal samples give equal figures on every machine.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist, median

__all__ = ["FEWEST_SAMPLES", "METHOD", "Interval", "ratio_of_figures", "ratio_of_medians"]

FEWEST_SAMPLES = 5
"""Below this the order statistics say nothing about the spread of a median."""

METHOD = (
    "Times: ratio of the medians of independent samples, 95 % distribution-free interval on the log scale (Price and Bonett, "
    "J. Stat. Comput. Simul. 72, 2002, 119-124). Speed-ups: ratio of two estimates, limits recovered from their own 95 % "
    "intervals on the log scale (Zou and Donner, Stat. Med. 27, 2008, 1693-1702). Both hold what varies within a run; what "
    "changes from one run to the next (memory layout, clock rate, temperature) comes on top, so repeat runs before "
    "trusting a difference of a few percent."
)

WIDEST = 600.0
"""Logarithm of the widest limit; beyond it floats end, and such an interval says nothing."""

_Z = NormalDist().inv_cdf(0.975)


@dataclass(frozen=True)
class Interval:
    """A figure and its 95 % limits, which are None where too few samples stand behind it."""

    value: float
    low: float | None
    high: float | None


def ratio_of_medians(above: Sequence[float], below: Sequence[float]) -> Interval:
    """Return median(above) / median(below), both independent samples of positive numbers, at least one each.

    The variance of each log median comes from the order statistics around it (Price and Bonett, cited in ``METHOD``), so
    no distribution is assumed; the interval is exp(difference ± 1.96 · root of the summed variances).
    """
    value = median(above) / median(below)
    if min(len(above), len(below)) < FEWEST_SAMPLES:
        return Interval(value, None, None)
    logs = sorted(map(math.log, above)), sorted(map(math.log, below))
    difference = median(logs[0]) - median(logs[1])
    half = _Z * math.sqrt(sum(_variance_of_median(each) for each in logs))
    # An even count has its median between two samples, and there the log of the mean is not the mean of the logs.
    return Interval(value, min(value, math.exp(difference - half)), max(value, math.exp(difference + half)))


def ratio_of_figures(above: Interval, below: Interval) -> Interval:
    """Return above / below of two independent positive figures with their intervals."""
    value = above.value / below.value
    if above.low is None or above.high is None or below.low is None or below.high is None:
        return Interval(value, None, None)
    down = math.hypot(math.log(above.value / above.low), math.log(below.high / below.value))
    up = math.hypot(math.log(above.high / above.value), math.log(below.value / below.low))
    if up > WIDEST or down > WIDEST:
        return Interval(value, None, None)
    return Interval(value, value * math.exp(-down), value * math.exp(up))


def _variance_of_median(ordered: Sequence[float]) -> float:
    """Variance of the median of sorted values, from the distance of two order statistics on either side of it."""
    count = len(ordered)
    rank = max(1, round((count + 1) / 2 - math.sqrt(count)))
    tail = sum(math.comb(count, k) for k in range(rank)) / 2 ** (count - 1)  # chance that the two do not enclose it
    width = ordered[count - rank] - ordered[rank - 1]
    return float((width / (2 * NormalDist().inv_cdf(1 - tail / 2))) ** 2)
