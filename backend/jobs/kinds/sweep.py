"""Sweeps: maps of where DYAD pays, by :func:`dyad_core.sweep.run_sweep`, every point kept as soon as it is measured."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, Literal

from backend.executors.base import Needs
from backend.jobs.context import Context
from backend.jobs.kind import Bundle, JobKind, Outcome, Request
from backend.settings import Settings
from dyad_core.bench import BenchmarkSpec, run_benchmark
from dyad_core.bench.environment import foresee_environment
from dyad_core.bench.identity import environment_digest, measuring_digest, result_fingerprint
from dyad_core.errors import BenchmarkCancelled
from dyad_core.sweep import SweepPoint, SweepResult, SweepSpec, load_sweep, run_sweep
from dyad_core.sweep.files import parse_sweep
from dyad_core.sweep.kept import KeptRuns
from dyad_core.sweep.preflight import preflight_sweep
from dyad_core.sweep.reference import FOLDER

__all__ = ["NAME", "SweepKind", "imported", "make"]

NAME = "sweep"
ATTEMPTS = 3


class SweepKind:
    """The kind ``sweep``: its request is a :class:`~dyad_core.sweep.SweepSpec`.

    Args:
        settings: points are kept in the folder ``sweeps`` of their ``home``.
    """

    name = NAME

    def __init__(self, settings: Settings) -> None:
        """Touch nothing yet."""
        self._folder = settings.home / "sweeps"
        self._measures_here = settings.executor == "local"

    def read(self, body: dict[str, Any]) -> Request:
        """Check values and, where this machine measures, device, implementations and the memory of the smallest point.

        A cluster lends a sweep every free machine of one kind. It may be started three times, for it goes on from its points.
        """
        spec = SweepSpec.from_dict(body)
        warnings = preflight_sweep(spec) if self._measures_here else []
        needs = Needs(spec.device, spread=not self._measures_here, threads=spec.threads)
        return Request(spec.to_dict(), spec.digest(), warnings, needs=needs, attempts=ATTEMPTS)

    def run(self, spec: dict[str, Any], context: Context) -> Outcome:
        """Measure point after point, each in a process of its own, going on from what is kept."""
        request = SweepSpec.from_dict(spec)
        kept = KeptRuns(self._path(request))

        def keep(point: SweepPoint) -> None:
            if point.run is not None and not point.reused:
                kept.add(point.run)

        check: Literal["here", "there"] = "here" if context.is_local else "there"
        result = run_sweep(
            request,
            run=[
                partial(run_benchmark, run_work=context.runner(index), check=check) for index in range(context.machines)
            ],
            on_progress=lambda progress: context.on_progress(progress.to_dict()),
            cancel=context.cancel,
            known=kept.load() if request.reuse else (),
            on_point=keep,
            here=foresee_environment if context.is_local else _first_decides,
            across_machines=not context.is_local,
        )
        if result.stopped == "cancelled":
            raise BenchmarkCancelled(f"the sweep was cancelled; its {len(result.points)} points are kept")
        return _outcome(result, here=True)

    def forget(self, spec: dict[str, Any], others: Iterable[dict[str, Any]]) -> None:
        """Delete the points kept for a sweep that is deleted, unless another one has the same conditions."""
        path = self._path(SweepSpec.from_dict(spec))
        if all(self._path(SweepSpec.from_dict(other)) != path for other in others):
            KeptRuns(path).forget()

    def bundles(self) -> Iterable[Bundle]:
        """The maps that ship with the library."""
        for path in sorted(FOLDER.glob("*.json")):
            yield Bundle(hashlib.sha256(path.read_bytes()).hexdigest(), partial(_elsewhere, path))

    def _path(self, spec: SweepSpec) -> Path:
        """Where the points of these conditions, measured in this environment by this code, are kept."""
        if not self._measures_here:
            return self._folder / f"{spec.conditions_digest()[:32]}-cluster.jsonl"
        here = foresee_environment(spec.request(spec.grid.columns[0], spec.grid.tokens[0]))
        place = "nowhere" if here is None else measuring_digest(here)
        return self._folder / f"{spec.conditions_digest()[:32]}-{place[:32]}.jsonl"


def _first_decides(_spec: BenchmarkSpec) -> None:
    """What a machine of a cluster will be is not known before it measures."""


def imported(file: bytes) -> tuple[Request, Outcome]:
    """What the service keeps of a sweep file of another machine.

    Raises:
        SpecError: for a newer schema, a missing, unknown or wrong field; each is named.
    """
    return _kept(parse_sweep(file))


def _elsewhere(path: Path) -> list[tuple[Request, Outcome]]:
    return [_kept(load_sweep(path))]


def _kept(result: SweepResult) -> tuple[Request, Outcome]:
    spec = result.spec
    request = Request(spec=spec.to_dict(), digest=spec.digest(), warnings=list(result.warnings))
    return request, _outcome(result, here=False)


def _outcome(result: SweepResult, *, here: bool) -> Outcome:
    values, where = result.to_dict(), result.environment
    identity = measuring_digest if here else environment_digest
    machine = (
        None
        if where is None
        else {
            "name": where.device_name,
            "hostname": where.hostname,
            "device": where.device,
            "threads": where.threads,
            "torch_version": where.torch_version,
        }
    )
    return Outcome(
        result=values,
        headline=result.reading or None,
        warnings=list(result.warnings),
        environment_digest=None if where is None else identity(where),
        machine=machine,
        measured_at=datetime.fromisoformat(result.created_at),
        fingerprint=_fingerprint(values),
    )


def _fingerprint(values: dict[str, Any]) -> str:
    """Identity of a result: when, what, and the raw samples of every point."""
    points = [
        [
            point["in_features"],
            point["out_features"],
            point["tokens"],
            point["run"] and result_fingerprint(point["run"]),
        ]
        for point in values["points"]
    ]
    text = json.dumps([NAME, values["created_at"], values["spec"], points], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def make(settings: Settings) -> JobKind:
    """The kind for these settings."""
    return SweepKind(settings)
