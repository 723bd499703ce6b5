"""How many rounds: as many as the wished interval needs, within the budget, looked at as often as planned.

The loop is the same on a real clock and on the simulated ones of :mod:`dyad_core.bench.calibration`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from dyad_core.bench.looks import LOOKS, MAX_ROUNDS, METHOD, MIN_ROUNDS, critical_value
from dyad_core.bench.results import PassSampling, Stopped
from dyad_core.bench.spec import Pass
from dyad_core.bench.statistics import paired_speedup
from dyad_core.bench.timer import Clock

__all__ = ["Sampler"]


@dataclass
class Sampler:
    """Takes rounds until every interval is narrow enough, the budget is spent, or there are enough.

    Attributes:
        clock: tells how much of the budget is spent.
        budget_s: seconds; ``MIN_ROUNDS`` are taken whatever it is, because fewer give no interval.
        target_interval: wished half width of every interval, as a share of the speed-up.
        baseline: name of the dense twin among the samples.
        companions: names among the samples that are timed in the same rounds and not compared with the baseline.
        samples: milliseconds per call by name, in the order of the rounds; every sample that was taken.
        looks: how often the intervals were looked at so far.
        widest: half width of the widest interval at the last look.
    """

    clock: Clock
    budget_s: float
    target_interval: float
    baseline: str
    companions: frozenset[str] = frozenset()
    samples: dict[str, list[float]] = field(default_factory=dict)
    looks: int = 0
    widest: float | None = None

    def run(self, rounds: Iterator[dict[str, float]], on_round: Callable[[int, float], None]) -> Stopped:
        """Take rounds; after each, ``on_round(taken, share)`` hears how many and which share of the work is done."""
        start, taken = self.clock.seconds(), 0
        while True:
            sample = next(rounds)
            taken += 1
            for name, value in sample.items():
                self.samples.setdefault(name, []).append(value)
            spent_s = self.clock.seconds() - start
            on_round(taken, self._share(taken, spent_s))
            is_last = not sample or taken == MAX_ROUNDS
            # What the next round would take is what a round took so far.
            is_spent = taken >= MIN_ROUNDS and spent_s * (taken + 1) / taken > self.budget_s
            if taken in LOOKS or is_last or is_spent:
                self._look(taken)
                if self.widest is not None and self.widest <= self.target_interval:
                    return "target"
            if is_last or is_spent:
                return "rounds" if is_last else "budget"

    def ended(self, pass_: Pass, stopped: Stopped) -> PassSampling:
        """The record of the sampling."""
        return PassSampling(
            pass_=pass_,
            rounds=max((len(samples) for samples in self.samples.values()), default=0),
            looks=self.looks,
            stopped=stopped,
            target_interval=self.target_interval,
            widest_interval=self.widest,
            critical_value=critical_value(),
            method=METHOD,
        )

    def _look(self, taken: int) -> None:
        self.looks += 1
        dense = self.samples.get(self.baseline, [])
        apart = self.companions | {self.baseline}
        rivals = [values for name, values in self.samples.items() if name not in apart]
        # A candidate that failed on the way has fewer samples, and no speed.
        widths = [
            paired_speedup(dense, values, critical_value=critical_value()).half_width
            for values in rivals
            if len(values) == len(dense) == taken
        ]
        self.widest = max(widths, default=None)

    def _share(self, taken: int, spent_s: float) -> float:
        needed = 1.0
        if self.widest is not None:  # a half width shrinks with the root of the number of rounds
            needed = min(1.0, (self.target_interval / self.widest) ** 2)
        return max(needed * taken / MAX_ROUNDS, min(spent_s / self.budget_s, taken / MIN_ROUNDS))
