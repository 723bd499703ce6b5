"""Benchmarks: DYAD layers against their dense twin, by :func:`dyad_core.bench.run_benchmark`."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

from backend.executors.base import Needs
from backend.jobs.context import Context
from backend.jobs.kind import Bundle, JobKind, Outcome, Request
from backend.settings import Settings
from dyad_core.bench import SCHEMA_VERSION, BenchmarkRun, BenchmarkSpec, preflight, run_benchmark
from dyad_core.bench.disturbance import is_disturbed
from dyad_core.bench.environment import foresee_environment
from dyad_core.bench.files import load_runs, parse_runs
from dyad_core.bench.identity import environment_digest, measuring_digest, result_fingerprint
from dyad_core.bench.reference import FOLDER

__all__ = ["NAME", "imported", "is_servable", "make"]

NAME = "benchmark"

TRANSIENT = ("failed", "out_of_memory")
"""Outcomes that may be of the moment: such a run is measured again when it is asked for again."""


class BenchmarkKind:
    """The kind ``benchmark``: its request is a :class:`~dyad_core.bench.BenchmarkSpec`."""

    name = NAME

    def __init__(self, *, measures_here: bool = True) -> None:
        """Say whether the machine of the service is the one that measures."""
        self._measures_here = measures_here

    def read(self, body: dict[str, Any]) -> Request:
        """Check values and, where this machine measures, its device, memory and implementations.

        A machine of a cluster checks them when the job starts there; no stored run stands for one that it will make.
        """
        spec = BenchmarkSpec.from_dict(body)
        needs = Needs(spec.device, threads=spec.threads)
        if not self._measures_here:
            return Request(spec=spec.to_dict(), digest=spec.digest(), needs=needs)
        warnings = preflight(spec)
        expected = foresee_environment(spec)
        identity = None if expected is None else measuring_digest(expected)
        return Request(spec.to_dict(), spec.digest(), warnings, identity, needs)

    def run(self, spec: dict[str, Any], context: Context) -> Outcome:
        """Measure in a process of its own."""
        run = run_benchmark(
            BenchmarkSpec.from_dict(spec),
            on_progress=lambda progress: context.on_progress(progress.to_dict()),
            cancel=context.cancel,
            run_work=context.run,
            check="here" if context.is_local else "there",
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


def make(settings: Settings) -> JobKind:
    """The kind for these settings."""
    return BenchmarkKind(measures_here=settings.executor == "local")
