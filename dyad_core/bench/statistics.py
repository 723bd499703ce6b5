"""Figures from raw samples: quartiles, and the paired speed-up with its interval.

Speed-ups are *paired*: sample k of the dense twin and sample k of a candidate were taken in the same round, moments
apart and in an order drawn anew, so what disturbs the machine for longer than a round disturbs both and cancels in
their ratio. The logarithms of the ratios are summarised by the Hodges–Lehmann estimate, the median of all averages of
two of them, and by the interval that inverts Wilcoxon's signed-rank test: no assumption about the distribution beyond
symmetry, which drawing the order gives, and a spike moves it no further than any other large value (Hodges and Lehmann
1963, doi 10.1214/aoms/1177704172). Rounds that still resemble their neighbours say less than their number, so the
interval is widened by their correlation. Everything here is a pure function of numbers; nothing measures.

Run ``python -c "from dyad_core.bench.statistics import paired_speedup as s; print(s([2, 2.1] * 5, [1, 1] * 5))"``.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

__all__ = ["SINGLE_LOOK", "Quartiles", "Speedup", "paired_speedup", "quartiles", "spread_warning"]

Values = np.ndarray[tuple[int], np.dtype[np.float64]]

SINGLE_LOOK = 1.959963984540054
"""The critical value of a 95 % interval that is looked at once."""

# Above this the middle half of the samples spans a tenth of the median: torch.utils.benchmark warns at the same point.
WIDE_RELATIVE_IQR = 0.1
# Beyond this many rounds the normal distribution stands for the exact one of the signed-rank statistic.
EXACT_ROUNDS = 60
# Shorter series do not tell what their rounds have to do with each other; and however alike, some are independent.
SHORTEST_SERIES, FEWEST_INDEPENDENT = 8, 3


@dataclass(frozen=True)
class Quartiles:
    """Quartiles of one candidate's samples, in the unit of the samples."""

    q1: float
    median: float
    q3: float

    @property
    def relative_iqr(self) -> float:
        """Interquartile range divided by the median."""
        return (self.q3 - self.q1) / self.median


@dataclass(frozen=True)
class Speedup:
    """How many times faster than dense: the estimate, and the bounds of its interval."""

    estimate: float
    low: float
    high: float

    @property
    def half_width(self) -> float:
        """How far the farther bound lies from the estimate, as a share of it."""
        return max(self.high / self.estimate - 1.0, 1.0 - self.low / self.estimate)


def quartiles(samples: Sequence[float]) -> Quartiles:
    """Return the quartiles of ``samples`` (at least one, all positive), linearly interpolated.

    Raises:
        ValueError: for no samples, or one that is not a positive finite number.
    """
    q1, median, q3 = np.quantile(_positive(samples), [0.25, 0.5, 0.75])
    return Quartiles(q1=float(q1), median=float(median), q3=float(q3))


def paired_speedup(
    dense: Sequence[float], candidate: Sequence[float], *, critical_value: float = SINGLE_LOOK
) -> Speedup:
    """Return the Hodges–Lehmann estimate of dense/candidate over rounds with its interval.

    With so few rounds that no interval reaches the confidence (below 6 for 95 %) it spans all of them.

    Args:
        dense: time per call of the dense twin, one sample a round.
        candidate: time per call of the candidate in the same rounds, in the same unit.
        critical_value: of the standardised statistic. 1.96 gives 95 % for samples that are looked at once; sampling that
            stops when it has seen enough needs :func:`dyad_core.bench.looks.critical_value`.

    Raises:
        ValueError: lengths differ, or a sample is not a positive finite number.
    """
    above, below = _positive(dense), _positive(candidate)
    if above.shape != below.shape:
        msg = f"samples are paired by round: {above.size} of dense cannot pair with {below.size}"
        raise ValueError(msg)
    ratios = np.log(above / below)  # (rounds,)
    rounds = ratios.size
    first, second = np.triu_indices(rounds)
    averages = np.sort((ratios[first] + ratios[second]) / 2)  # (rounds · (rounds + 1) / 2,), Walsh averages
    outside = _outside(rounds, critical_value * inflation(ratios))
    low, middle, high = averages[outside], np.median(averages), averages[averages.size - 1 - outside]
    return Speedup(estimate=math.exp(middle), low=math.exp(low), high=math.exp(high))


def inflation(ratios: Values) -> float:
    """By how much to widen an interval of rounds that resemble their neighbours, at least 1.

    The root of 1 + 2 Σ ρ(k), ρ(k) the correlation of rounds k apart, summed in pairs while these are positive, none
    counted higher than the one before (Geyer 1992, doi 10.1214/ss/1177011137). It is estimated from ranks, so that
    spikes do not count by their size, and corrected for the bias of short series, -1/n (Kendall 1954,
    doi 10.1093/biomet/41.3-4.403).
    """
    rounds = ratios.size
    if rounds < SHORTEST_SERIES:
        return 1.0
    _, places, counts = np.unique(ratios, return_inverse=True, return_counts=True)
    # Equal ratios share the middle of their ranks: told apart by their order they would seem to rise.
    ranks = (np.cumsum(counts) - (counts + 1) / 2)[places] - (rounds - 1) / 2
    variance = float(ranks @ ranks)
    if variance == 0:
        return 1.0
    correlations = [float(ranks[: rounds - k] @ ranks[k:]) / variance for k in range(rounds // 2)]
    total, least = -1.0, math.inf
    for even in range(0, len(correlations) - 1, 2):
        corrections = (2 if even else 1) / rounds  # rounds are not corrected against themselves
        pair = correlations[even] + correlations[even + 1] + corrections
        if pair <= 0:
            break
        least = min(least, pair)
        total += 2 * least
    return math.sqrt(min(max(1.0, total), rounds / FEWEST_INDEPENDENT))


def _outside(rounds: int, critical_value: float) -> int:
    """How many Walsh averages lie outside of the interval on each side."""
    tail = math.erfc(critical_value / math.sqrt(2)) / 2
    if rounds <= EXACT_ROUNDS:
        return int(np.searchsorted(_signed_rank(rounds), tail, side="right"))
    mean = rounds * (rounds + 1) / 4
    deviation = math.sqrt(rounds * (rounds + 1) * (2 * rounds + 1) / 24)
    return max(0, math.floor(mean - critical_value * deviation))


@functools.cache
def _signed_rank(rounds: int) -> Values:
    """P(T ≤ t) of the signed-rank statistic, t from 0 up to its mean: each rank counts or not, like coins."""
    counts = np.ones(1)
    for rank in range(1, rounds + 1):
        longer = np.zeros(counts.size + rank)
        longer[: counts.size] += counts
        longer[rank:] += counts
        counts = longer / 2
    return np.cumsum(counts)[: rounds * (rounds + 1) // 4 + 1]


def spread_warning(samples: Sequence[float]) -> str | None:
    """Return a sentence when the samples spread so widely that their median says little, else None."""
    found = quartiles(samples)
    if found.relative_iqr <= WIDE_RELATIVE_IQR:
        return None
    return (
        f"the samples spread widely: the middle half spans {found.relative_iqr:.0%} of the median, "
        "so other work or a changing clock rate may have disturbed the measurement"
    )


def _positive(samples: Sequence[float]) -> Values:
    values = np.asarray(samples, dtype=np.float64).reshape(-1)
    if values.size == 0 or not np.isfinite(values).all() or (values <= 0).any():
        msg = f"samples must be positive finite numbers, at least one; received {list(samples)!r}"
        raise ValueError(msg)
    return values
