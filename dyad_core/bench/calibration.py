"""Does the engine tell the truth? Its own loop on simulated machines whose true ratios are known.

A simulated machine has a clock of its own, on which every call takes a true time, disturbed as real machines disturb:
noise, drift of the clock rate, spikes, a wandering speed, and a memory that makes neighbouring rounds alike. Warm-up,
rounds, stopping rule and interval are the ones that measure. Counted is how often the 95 % interval holds the truth, and
how often two candidates of equal speed are called different.

Run ``dyad bench --suite calibration``, or ``python -m dyad_core.bench.calibration``.
"""

from __future__ import annotations

import dataclasses
import math
import random
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from dyad_core.bench.looks import critical_value
from dyad_core.bench.results import compared
from dyad_core.bench.sampling import Sampler
from dyad_core.bench.statistics import paired_speedup
from dyad_core.bench.timer import shuffled_rounds, warm_up

__all__ = ["DISTURBANCES", "RATIOS", "Count", "Machine", "calibrate", "calibration_lines"]

RATIOS = (1.0, 1.03, 1.6, 3.5)
"""True speed-ups; 1.0 is the A/A test."""

BASE_MS = 25.0
BUDGET_S = 60.0
TARGET = 0.02
LEAST_COVERAGE, MOST_FALSE = 0.93, 0.064


@dataclass
class Machine:
    """A machine without hardware: its time passes when something runs on it.

    Attributes:
        random: what every disturbance draws from.
        noise: relative standard deviation of a sample.
        drift: how much slower it has become after a minute, beside a swing of a quarter of that over 7 s.
        spikes: share of the samples that take up to three times as long.
        wander: relative standard deviation of a speed that wanders within seconds, shared by all candidates.
        memory: the same for each candidate alone over some two rounds, so that neighbouring rounds are alike. A memory
            that outlasts a whole measurement is no disturbance but a difference, which no statistics can tell apart.
    """

    random: random.Random = field(default_factory=random.Random)
    noise: float = 0.02
    drift: float = 0.0
    spikes: float = 0.0
    wander: float = 0.0
    memory: float = 0.0
    now_s: float = 0.0
    wandering: dict[str, tuple[float, float]] = field(default_factory=dict)

    def run(self, name: str, true_ms: float) -> None:
        """Let one call pass."""
        slow = 1.0 + self.drift * (self.now_s / 60.0 + math.sin(2 * math.pi * self.now_s / 7.0) / 4)
        slow *= math.exp(self.noise * self.random.gauss(0, 1))
        slow *= math.exp(self._wandered("shared", self.wander, 1.0) + self._wandered(name, self.memory, 0.08))
        if self.random.random() < self.spikes:
            slow *= 1.0 + 2.0 * self.random.random()
        self.now_s += true_ms * slow / 1000.0

    def _wandered(self, name: str, deviation: float, memory_s: float) -> float:
        """A value that forgets itself over ``memory_s`` (an Ornstein–Uhlenbeck process)."""
        before_s, value = self.wandering.get(name, (self.now_s, deviation * self.random.gauss(0, 1)))
        kept = math.exp(-(self.now_s - before_s) / memory_s)
        value = kept * value + deviation * math.sqrt(1 - kept * kept) * self.random.gauss(0, 1)
        self.wandering[name] = (self.now_s, value)
        return value

    def seconds(self) -> float:
        """Its own time."""
        return self.now_s

    def sample_ms(self, call: Callable[[], object], calls: int) -> float:
        """As a real clock does."""
        start = self.now_s
        for _ in range(calls):
            call()
        return (self.now_s - start) * 1000.0 / calls


DISTURBANCES: dict[str, Machine] = {
    "quiet": Machine(),
    "noisy": Machine(noise=0.08),
    "drift": Machine(drift=0.4),
    "spikes": Machine(spikes=0.08),
    "wandering speed": Machine(wander=0.1),
    "memory": Machine(memory=0.02),
    "all of them": Machine(noise=0.04, drift=0.4, spikes=0.05, wander=0.1, memory=0.02),
}


@dataclass
class Count:
    """What came of many runs of one case."""

    disturbance: str
    ratio: float
    runs: int = 0
    covered: int = 0
    different: int = 0
    rounds: int = 0
    stopped: Counter[str] = field(default_factory=Counter)

    @property
    def coverage(self) -> float:
        """Share of the runs whose interval holds the true ratio."""
        return self.covered / self.runs

    @property
    def called_different(self) -> float:
        """Share of the runs that called the candidate faster or slower than dense."""
        return self.different / self.runs

    @property
    def passed(self) -> bool:
        """Whether it is as good as promised."""
        return self.coverage >= LEAST_COVERAGE and (self.ratio != 1.0 or self.called_different <= MOST_FALSE)


def calibrate(disturbance: str, ratio: float, runs: int, *, seed: int = 0) -> Count:
    """Measure a candidate that is ``ratio`` times as fast as dense, ``runs`` times, each on a machine of its own."""
    count = Count(disturbance, ratio)
    for run in range(runs):
        drawn = random.Random(f"{disturbance} {ratio} {seed} {run}")
        machine = dataclasses.replace(DISTURBANCES[disturbance], random=drawn, wandering={})
        sampler, stopped = measured(machine, ratio, seed=run)
        found = paired_speedup(sampler.samples["dense"], sampler.samples["candidate"], critical_value=critical_value())
        count.runs += 1
        count.covered += found.low <= ratio <= found.high
        count.different += compared(found.low, found.high) != "not_distinguishable"
        count.rounds += len(sampler.samples["dense"])
        count.stopped[stopped] += 1
    return count


def measured(machine: Machine, ratio: float, *, seed: int) -> tuple[Sampler, str]:
    """One measurement by the engine's own loop."""
    calls = {
        "dense": lambda: machine.run("dense", BASE_MS),
        "candidate": lambda: machine.run("candidate", BASE_MS / ratio),
    }
    failures: dict[str, Exception] = {}
    warming = list(warm_up(calls, machine, failures, limit_s=5.0))[-1]
    per_sample = {name: state.calls_per_sample for name, state in warming.items()}
    sampler = Sampler(machine, budget_s=BUDGET_S, target_interval=TARGET, baseline="dense")
    rounds = shuffled_rounds(calls, per_sample, machine, failures, seed=seed)
    return sampler, sampler.run(rounds, lambda _taken, _share: None)


def calibration_lines(runs: int) -> Iterator[tuple[str, bool]]:
    """Lines for a terminal, each with whether its case passed."""
    yield (
        f"{runs} simulated runs a case, wished interval ±{TARGET:.0%}, at most {BUDGET_S:g} s, bound {critical_value():.3f}",
        True,
    )
    for ratio in RATIOS:
        for disturbance in DISTURBANCES:
            found = calibrate(disturbance, ratio, runs)
            reasons = ", ".join(f"{reason} {count / runs:.0%}" for reason, count in found.stopped.most_common())
            different = f"  called different {found.called_different:.1%}" if ratio == 1.0 else ""
            yield (
                f"{ratio:4g}x  {disturbance:16} interval holds the truth {found.coverage:.1%}{different}"
                f"  {found.rounds / runs:.0f} rounds on average ({reasons}){'' if found.passed else '  FAILED'}",
                found.passed,
            )


def main(runs: int = 1000) -> int:
    """Print the table and return the exit code: 1 when a case is worse than promised."""
    passed = True
    for line, is_good in calibration_lines(runs):
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()
        passed = passed and is_good
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
