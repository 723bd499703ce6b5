"""Made-up runs and clocks: what tests of figures need without measuring anything."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable

import pytest
from made_up import ENVIRONMENT

from dyad_core.bench import BenchmarkRun, BenchmarkSpec, Candidate, Correctness, Environment, MemoryUse
from dyad_core.bench.results import compared
from dyad_core.bench.timer import Call

MakeCandidate = Callable[..., Candidate]
MakeRun = Callable[..., BenchmarkRun]


class ScriptedClock:
    """Takes no time: each candidate's samples come from a list, wall-clock time passes by their sum.

    A call is recognised by what it returns. The last value of a list repeats.
    """

    def __init__(self, samples_ms: dict[str, Iterable[float]]) -> None:
        self.samples_ms = {name: list(values) for name, values in samples_ms.items()}
        self.taken: list[tuple[str, int]] = []
        self.now_s = 0.0

    def seconds(self) -> float:
        return self.now_s

    def sample_ms(self, call: Call, calls: int) -> float:
        name = str(call())
        values = self.samples_ms[name]
        value = values.pop(0) if len(values) > 1 else values[0]
        self.taken.append((name, calls))
        self.now_s += value * calls / 1000
        return value


@pytest.fixture
def scripted_clock() -> type[ScriptedClock]:
    return ScriptedClock


@pytest.fixture
def environment() -> Environment:
    return dataclasses.replace(ENVIRONMENT, allocator={"MALLOC_ARENA_MAX": "2"})


@pytest.fixture
def make_candidate() -> MakeCandidate:
    def make(n_blocks: int | None = 4, speedup: float | None = 1.5, **changes: object) -> Candidate:
        dense = n_blocks is None
        limit = 1.0 if n_blocks is None else n_blocks / 2
        values: dict[str, object] = {
            "variant": "dense" if dense else "it",
            "n_blocks": n_blocks,
            "grain": None if dense else 1,
            "implementation": "dense" if dense else "eager",
            "pass_": "forward",
            "outcome": "measured",
            "parameters": 1000,
            "flops": 2000,
            "limit": limit,
            "samples_ms": (1.0, 1.25),
            "calls_per_sample": 3,
            "median_ms": 1.125,
            "q1_ms": 1.0,
            "q3_ms": 1.25,
            "memory": MemoryUse(4000, 512, 0, 1024, 5536, "by hand"),
            "correctness": Correctness(True, 1e-7, 1e-6, 1e-7),
        }
        if speedup is not None:
            low, high = speedup - 0.1, speedup + 0.1
            values |= {"speedup": speedup, "speedup_low": low, "speedup_high": high}
            values["share_of_limit"] = speedup / limit
            values["outcome"] = "measured" if dense else compared(low, high)
        return Candidate(**{**values, **changes})

    return make


@pytest.fixture
def make_run(environment: Environment, make_candidate: MakeCandidate) -> MakeRun:
    def make(*candidates: Candidate, **spec: object) -> BenchmarkRun:
        request = BenchmarkSpec(**{"in_features": 768, "out_features": 3072, **spec})
        dense = [make_candidate(None, 1.0, pass_=each) for each in request.passes]
        where = dataclasses.replace(environment, dtype=request.dtype)
        return BenchmarkRun(
            spec=request,
            environment=where,
            candidates=(*dense, *(candidates or (make_candidate(),))),
            created_at="2026-01-02T03:04:05+00:00",
            duration_s=1.5,
        )

    return make
