"""Interleaved timing: every candidate once a round, in an order shuffled anew for each round.

What disturbs a machine (clock rate, heat, neighbours) changes over seconds. Timing one candidate after the
other turns that drift into a difference between them; a round takes one sample of each, so the drift falls
on all alike. Warm-up is interleaved too, and ends when a candidate is *stable*, not after a fixed count.

Calls follow each other without a cache flush: figures are those of warm caches, for dense and DYAD alike.
The clock is an object, so that the logic is tested without real time.
"""

from __future__ import annotations

import math
import random
import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Protocol

import torch

__all__ = ["Call", "Clock", "CpuClock", "CudaClock", "WarmUp", "clock_for", "noting", "shuffled_rounds", "warm_up"]

Call = Callable[[], object]
"""One call of a candidate; its set-up is done, its result is dropped."""

# A sample shorter than this is repeated: far above the resolution of either clock (some 0.1 µs on the CPU, 0.5 µs
# for CUDA events) and above the cost of starting and stopping it.
MIN_SAMPLE_MS = 4.0
MAX_CALLS_PER_SAMPLE = 10_000
WINDOW = 3
STABLE_WITHIN = 0.05


class Clock(Protocol):
    """What measures a number of calls."""

    def seconds(self) -> float:
        """Wall-clock seconds since some fixed moment."""
        ...

    def sample_ms(self, call: Call, calls: int) -> float:
        """Run ``call`` ``calls`` times and return milliseconds per call, all its work finished."""
        ...


class CpuClock:
    """``time.perf_counter_ns`` around calls that return when their work is done."""

    def seconds(self) -> float:
        """Wall-clock seconds."""
        return time.perf_counter()

    def sample_ms(self, call: Call, calls: int) -> float:
        """Milliseconds per call."""
        start = time.perf_counter_ns()
        for _ in range(calls):
            call()
        return (time.perf_counter_ns() - start) / calls / 1e6


class CudaClock:
    """CUDA events on the current stream: time on the device, launches included where they are what is waited for."""

    def __init__(self, device: torch.device) -> None:
        """Measure on ``device``."""
        self.device = device

    def seconds(self) -> float:
        """Wall-clock seconds."""
        return time.perf_counter()

    def sample_ms(self, call: Call, calls: int) -> float:
        """Milliseconds per call between two events; waits for the device before and after."""
        with torch.cuda.device(self.device):
            start = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
            end = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
            torch.cuda.synchronize()
            start.record()
            for _ in range(calls):
                call()
            end.record()
            torch.cuda.synchronize()
        return float(start.elapsed_time(end)) / calls


def clock_for(device: torch.device) -> Clock:
    """Return the clock of a device."""
    return CudaClock(device) if device.type == "cuda" else CpuClock()


@dataclass
class WarmUp:
    """How one candidate warmed up.

    Attributes:
        calls_per_sample: calls that one sample needs to be long enough.
        samples_ms: milliseconds per call, in order, the cold first call left out.
        stable: whether the last two windows of samples agree.
    """

    calls_per_sample: int
    samples_ms: list[float] = field(default_factory=list)
    stable: bool = False

    def add(self, sample_ms: float) -> None:
        """Take one more sample and judge stability anew."""
        self.samples_ms.append(sample_ms)
        self.stable = is_stable(self.samples_ms)


def is_stable(samples: list[float], window: int = WINDOW, within: float = STABLE_WITHIN) -> bool:
    """Whether the medians of the last two windows of samples differ by at most ``within`` of the larger."""
    if len(samples) < 2 * window:
        return False
    before = statistics.median(samples[-2 * window : -window])
    after = statistics.median(samples[-window:])
    return abs(after - before) <= within * max(after, before)


def calls_for(sample_ms: float) -> int:
    """How many calls of this length one sample needs."""
    if sample_ms <= 0:
        return MAX_CALLS_PER_SAMPLE
    return min(MAX_CALLS_PER_SAMPLE, max(1, math.ceil(MIN_SAMPLE_MS / sample_ms)))


def warm_up(
    calls: Mapping[str, Call], clock: Clock, failures: dict[str, Exception], *, limit_s: float
) -> Iterator[dict[str, WarmUp]]:
    """Warm all candidates up together, yielding the state after every round.

    The first round begins with one cold call each, which counts for nothing, and one warm call that sets how
    many calls a sample takes. A candidate drops out of the rounds when it is stable; the rest go on until
    all are or ``limit_s`` seconds are over. Every candidate gets at least one sample.

    Args:
        calls: candidates by name.
        clock: what measures.
        failures: receives the exception of a candidate that raises; it takes no further part.
        limit_s: bound in seconds.
    """
    end = clock.seconds() + limit_s
    state: dict[str, WarmUp] = {}
    while True:
        for name, call in calls.items():
            if name in failures or (name in state and state[name].stable):
                continue
            with noting(failures, name):
                if name not in state:
                    clock.sample_ms(call, 1)
                    state[name] = WarmUp(calls_per_sample=calls_for(clock.sample_ms(call, 1)))
                state[name].add(clock.sample_ms(call, state[name].calls_per_sample))
        yield {name: warming for name, warming in state.items() if name not in failures}
        waiting = [name for name in calls if name not in failures and not state[name].stable]
        if not waiting or clock.seconds() >= end:
            return


def shuffled_rounds(
    calls: Mapping[str, Call],
    calls_per_sample: Mapping[str, int],
    clock: Clock,
    failures: dict[str, Exception],
    *,
    seed: int,
) -> Iterator[dict[str, float]]:
    """Yield rounds without end: one sample of every candidate, milliseconds per call by name.

    The order inside a round is drawn anew each time from ``seed``, so that none profits from always following
    the same neighbour. A candidate that raises goes into ``failures`` and is missing from then on.
    """
    order = list(calls)
    generator = random.Random(seed)
    while True:
        generator.shuffle(order)
        samples: dict[str, float] = {}
        for name in order:
            if name not in failures:
                with noting(failures, name):
                    samples[name] = clock.sample_ms(calls[name], calls_per_sample[name])
        yield samples


@contextmanager
def noting(failures: dict[str, Exception], name: str) -> Iterator[None]:
    """Write an exception of candidate ``name`` into ``failures``: it becomes that candidate's outcome."""
    try:
        yield
    except Exception as error:  # noqa: BLE001 - any failure of one candidate is a result, never the end of the others
        # Its traceback would keep the tensors of every frame alive, and memory may be what ran out.
        failures[name] = error.with_traceback(None)
