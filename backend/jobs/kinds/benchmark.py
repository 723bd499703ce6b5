"""Benchmarks: DYAD layers against their dense twin, by :func:`dyad_core.bench.run_benchmark`."""

from __future__ import annotations

import hashlib
import json
import threading
from typing import Any

from backend.jobs.kind import JobKind, OnProgress, Outcome, Request
from backend.settings import Settings
from dyad_core.bench import BenchmarkRun, BenchmarkSpec, preflight, run_benchmark
from dyad_core.bench.files import parse_runs

__all__ = ["KIND", "imported", "make"]

# Fields of the environment that change from run to run on one and the same machine.
_MOMENTARY = ("memory_available_bytes", "load_average_1min")


class BenchmarkKind:
    """The kind ``benchmark``: its request is a :class:`~dyad_core.bench.BenchmarkSpec`."""

    name = "benchmark"

    def read(self, body: dict[str, Any]) -> Request:
        """Check values and, for this machine, device, memory and implementations."""
        spec = BenchmarkSpec.from_dict(body)
        return Request(spec=spec.to_dict(), digest=spec.digest(), warnings=preflight(spec))

    def run(self, spec: dict[str, Any], on_progress: OnProgress, cancel: threading.Event) -> Outcome:
        """Measure in a process of its own."""
        run = run_benchmark(
            BenchmarkSpec.from_dict(spec),
            on_progress=lambda progress: on_progress(progress.to_dict()),
            cancel=cancel,
        )
        return outcome_of(run)


def outcome_of(run: BenchmarkRun) -> Outcome:
    """What the service keeps of a finished run, measured here or imported."""
    result = run.to_dict()
    environment = {key: value for key, value in result["environment"].items() if key not in _MOMENTARY}
    return Outcome(
        result=result,
        headline=run.reading or None,
        warnings=list(run.warnings),
        environment_digest=hashlib.sha256(json.dumps(environment, sort_keys=True).encode()).hexdigest(),
    )


def imported(file: bytes) -> list[tuple[Request, Outcome]]:
    """What the service keeps of a result file of another machine, one entry per run in it.

    Raises:
        SpecError: for a newer schema, a missing, unknown or wrong field; each is named.
    """
    return [
        (Request(spec=run.spec.to_dict(), digest=run.spec.digest(), warnings=list(run.warnings)), outcome_of(run))
        for run in parse_runs(file)
    ]


KIND = BenchmarkKind()


def make(_settings: Settings) -> JobKind:
    """The kind; it needs no settings."""
    return KIND
