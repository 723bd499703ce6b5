"""Sweeps without measuring: a machine whose true speed-ups are known, with noise, a clock of its own and failures."""

from __future__ import annotations

import dataclasses
import math
import threading
from collections.abc import Callable

from made_up import ENVIRONMENT

from dyad_core.bench import BenchmarkRun, BenchmarkSpec, Candidate, Environment
from dyad_core.bench.results import compared
from dyad_core.errors import BenchmarkCancelled, BenchmarkTimeout

__all__ = ["HERE", "Simulated", "Truth", "slope"]

Truth = Callable[[int, int, int, str], float]
"""The true speed-up by width, tokens, n and pass."""

HERE = ENVIRONMENT


def slope(border: float, *, by_width: float = 0.5, by_tokens: float = 0.0, tokens: float = 256.0) -> Truth:
    """A speed-up that is 1.0x at width ``border`` and ``tokens``, and rises with powers of both."""

    def truth(width: int, rows: int, _n: int, _pass: str) -> float:
        return (width / border) ** by_width * (rows / tokens) ** by_tokens

    return truth


@dataclasses.dataclass
class Simulated:
    """Stands in for ``run_benchmark``; every call takes ``seconds`` of its own clock.

    Attributes:
        truth: the true speed-ups.
        noise: half width of every interval, as a share.
        seconds: what a point takes.
        trouble: raised instead of a result, by width and tokens.
        cancel_after: sets the event of the caller during this call, counted from 1.
        environment: where it says it was measured.
        asked: every request, in order.
        now_s: its clock.
    """

    truth: Truth
    noise: float = 0.02
    seconds: float = 1.0
    trouble: dict[tuple[int, int], Exception] = dataclasses.field(default_factory=dict)
    cancel_after: int | None = None
    environment: Environment = HERE
    asked: list[BenchmarkSpec] = dataclasses.field(default_factory=list)
    now_s: float = 0.0

    def clock(self) -> float:
        return self.now_s

    def here(self, _spec: BenchmarkSpec) -> Environment:
        return self.environment

    def __call__(
        self,
        spec: BenchmarkSpec,
        *,
        on_progress: object = None,
        cancel: threading.Event | None = None,
        timeout_s: float | None = None,
    ) -> BenchmarkRun:
        self.asked.append(spec)
        if self.cancel_after == len(self.asked):
            assert cancel is not None
            cancel.set()
            raise BenchmarkCancelled("the benchmark was cancelled and its process killed")
        if timeout_s is not None and self.seconds > timeout_s:
            self.now_s += timeout_s
            raise BenchmarkTimeout(f"the benchmark ran past its limit of {timeout_s:g} s and was killed")
        self.now_s += self.seconds
        if (error := self.trouble.get((spec.in_features, spec.tokens))) is not None:
            raise error
        return self.run(spec)

    def run(self, spec: BenchmarkSpec) -> BenchmarkRun:
        """The run that this machine would measure."""
        candidates = []
        for pass_ in spec.passes:
            dense = Candidate("dense", None, None, "dense", pass_, "measured", 100, 200, 1.0, median_ms=1.0)
            candidates.append(dense)
            for geometry in spec.geometries():
                true = self.truth(spec.in_features, spec.tokens, geometry.n_blocks, pass_)
                low, high = true * math.exp(-self.noise), true * math.exp(self.noise)
                candidates += [
                    Candidate(
                        geometry.variant,
                        geometry.n_blocks,
                        geometry.grain,
                        "eager" if asked == "auto" else asked,
                        pass_,
                        compared(low, high),
                        100,
                        200,
                        geometry.limit,
                        samples_ms=(1.0 / true,),
                        median_ms=1.0 / true,
                        speedup=true,
                        speedup_low=low,
                        speedup_high=high,
                        chosen_by_auto=asked == "auto",
                    )
                    for asked in spec.implementations
                ]
        where = dataclasses.replace(self.environment, dtype=spec.dtype)
        return BenchmarkRun(spec, where, tuple(candidates), "2026-01-02T03:04:05+00:00", self.seconds)
