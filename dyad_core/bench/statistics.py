"""Figures from raw samples: quartiles, and the paired speed-up with its bootstrap interval.

Speed-ups are *paired*: sample k of the dense twin and sample k of a candidate were taken in the same
round, moments apart, so what disturbs the machine for longer than a round disturbs both and cancels in
their ratio. Everything here is a pure function of numbers; nothing measures.

Run ``python -c "from dyad_core.bench.statistics import paired_speedup as s; print(s([2, 2.1], [1, 1]))"``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

__all__ = ["Quartiles", "Speedup", "paired_speedup", "quartiles", "spread_warning"]

CONFIDENCE = 0.95
RESAMPLES = 2000
# Above this the middle half of the samples spans a tenth of the median: torch.utils.benchmark warns at the same point.
WIDE_RELATIVE_IQR = 0.1


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
    """How many times faster than dense: median over rounds, and the bounds of its 95 % bootstrap interval."""

    median: float
    low: float
    high: float


def quartiles(samples: Sequence[float]) -> Quartiles:
    """Return the quartiles of ``samples`` (at least one, all positive), linearly interpolated.

    Raises:
        ValueError: for no samples, or one that is not a positive finite number.
    """
    q1, median, q3 = np.quantile(_positive(samples), [0.25, 0.5, 0.75])
    return Quartiles(q1=float(q1), median=float(median), q3=float(q3))


def paired_speedup(
    dense: Sequence[float], candidate: Sequence[float], *, seed: int = 0, resamples: int = RESAMPLES
) -> Speedup:
    """Return the median over rounds of dense/candidate with its 95 % percentile-bootstrap interval.

    Rounds are drawn with replacement, the pair staying together. With one round the interval is that point.

    Args:
        dense: time per call of the dense twin, one sample a round.
        candidate: time per call of the candidate in the same rounds, in the same unit.
        seed: of the resampling; equal input and seed give equal bounds.
        resamples: number of bootstrap samples.

    Raises:
        ValueError: lengths differ, or a sample is not a positive finite number.
    """
    above, below = _positive(dense), _positive(candidate)
    if above.shape != below.shape:
        msg = f"samples are paired by round: {above.size} of dense cannot pair with {below.size}"
        raise ValueError(msg)
    ratios = above / below  # (rounds,)
    rounds = ratios.size
    drawn = np.random.default_rng(seed).integers(0, rounds, size=(resamples, rounds))
    medians = np.median(ratios[drawn], axis=1)  # (resamples,)
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(medians, [tail, 1 - tail])
    median = float(np.median(ratios))
    # With very few rounds the interpolated bounds can lie on one side of the estimate by a rounding error.
    return Speedup(median=median, low=min(float(low), median), high=max(float(high), median))


def spread_warning(samples: Sequence[float]) -> str | None:
    """Return a sentence when the samples spread so widely that their median says little, else None."""
    found = quartiles(samples)
    if found.relative_iqr <= WIDE_RELATIVE_IQR:
        return None
    return (
        f"the samples spread widely: the middle half spans {found.relative_iqr:.0%} of the median, "
        "so other work or a changing clock rate may have disturbed the measurement"
    )


def _positive(samples: Sequence[float]) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    values = np.asarray(samples, dtype=np.float64).reshape(-1)
    if values.size == 0 or not np.isfinite(values).all() or (values <= 0).any():
        msg = f"samples must be positive finite numbers, at least one; received {list(samples)!r}"
        raise ValueError(msg)
    return values
