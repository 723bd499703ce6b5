"""Benchmarks: DYAD layers against their dense twin, by :func:`dyad_core.bench.run_benchmark`."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterable, Iterator
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

from backend.jobs.kind import Bundle, JobKind, OnProgress, Outcome, Request
from backend.settings import Settings
from dyad_core.bench import SCHEMA_VERSION, BenchmarkRun, BenchmarkSpec, preflight, run_benchmark
from dyad_core.bench.disturbance import is_disturbed
from dyad_core.bench.environment import foresee_environment
from dyad_core.bench.files import load_runs, parse_runs
from dyad_core.bench.identity import environment_digest, measuring_digest, result_fingerprint
from dyad_core.bench.reference import FOLDER

__all__ = ["KIND", "imported", "is_servable", "make"]

TRANSIENT = ("failed", "out_of_memory")
"""Outcomes that may be of the moment: such a run is measured again when it is asked for again."""


class BenchmarkKind:
    """The kind ``benchmark``: its request is a :class:`~dyad_core.bench.BenchmarkSpec`."""

    name = "benchmark"

    def read(self, body: dict[str, Any]) -> Request:
        """Check values and, for this machine, device, memory and implementations."""
        spec = BenchmarkSpec.from_dict(body)
        warnings = preflight(spec)
        expected = foresee_environment(spec)
        identity = None if expected is None else measuring_digest(expected)
        return Request(spec=spec.to_dict(), digest=spec.digest(), warnings=warnings, environment_digest=identity)

    def run(self, spec: dict[str, Any], on_progress: OnProgress, cancel: threading.Event) -> Outcome:
        """Measure in a process of its own."""
        run = run_benchmark(
            BenchmarkSpec.from_dict(spec),
            on_progress=lambda progress: on_progress(progress.to_dict()),
            cancel=cancel,
        )
        return _outcome(run, identity=measuring_digest(run.environment), servable=is_servable(run))

    def bundles(self) -> Iterable[Bundle]:
        """The reference runs."""
        for path in sorted(FOLDER.glob("*.json")):
            yield Bundle(hashlib.sha256(path.read_bytes()).hexdigest(), partial(_elsewhere, path))

    def upgraded(self, result: dict[str, Any]) -> dict[str, Any]:
        """A stored run in the schema of this version."""
        if result.get("schema_version") == SCHEMA_VERSION:
            return result
        return BenchmarkRun.from_dict(result).to_dict()


def is_servable(run: BenchmarkRun) -> bool:
    """Whether a run that was measured here may stand for an equal request: nothing disturbed it, nothing may pass."""
    return not is_disturbed(run) and not any(each.outcome in TRANSIENT for each in run.candidates)


def imported(file: bytes) -> list[tuple[Request, Outcome]]:
    """What the service keeps of a result file of another machine, one entry per run in it.

    Raises:
        SpecError: for a newer schema, a missing, unknown or wrong field; each is named.
    """
    return list(_kept(parse_runs(file)))


def _elsewhere(path: Path) -> Iterator[tuple[Request, Outcome]]:
    return _kept(load_runs(path))


def _kept(runs: Iterable[BenchmarkRun]) -> Iterator[tuple[Request, Outcome]]:
    for run in runs:
        request = Request(spec=run.spec.to_dict(), digest=run.spec.digest(), warnings=list(run.warnings))
        yield request, _outcome(run, identity=environment_digest(run.environment), servable=False)


def _outcome(run: BenchmarkRun, *, identity: str, servable: bool) -> Outcome:
    result, where = run.to_dict(), run.environment
    return Outcome(
        result=result,
        headline=run.reading or None,
        warnings=list(run.warnings),
        environment_digest=identity,
        machine={
            "name": where.device_name,
            "hostname": where.hostname,
            "device": where.device,
            "threads": where.threads,
            "torch_version": where.torch_version,
        },
        measured_at=datetime.fromisoformat(run.created_at),
        servable=servable,
        fingerprint=result_fingerprint(result),
    )


KIND = BenchmarkKind()


def make(_settings: Settings) -> JobKind:
    """The kind; it needs no settings."""
    return KIND
