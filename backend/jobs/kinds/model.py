"""Measurements of whole models: dense beside DYAD, by :func:`dyad_core.models.measuring.run_model`."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

from backend.estimating import estimate_now
from backend.executors.base import Needs
from backend.jobs.context import Context
from backend.jobs.kind import Bundle, JobKind, Outcome, Request
from backend.settings import Settings
from dyad_core.bench.identity import environment_digest, measuring_digest
from dyad_core.models.measuring import load_model_run, run_model
from dyad_core.models.measuring.files import parse_model_run
from dyad_core.models.measuring.reference import FOLDER
from dyad_core.models.records import ModelRun
from dyad_core.models.spec import ModelSpec

__all__ = ["NAME", "imported", "make"]

NAME = "model"


class ModelKind:
    """The kind ``model``: its request is a :class:`~dyad_core.models.spec.ModelSpec`."""

    name = NAME

    def __init__(self, *, measures_here: bool = True) -> None:
        """Say whether the machine of the service is the one that measures."""
        self._measures_here = measures_here

    def read(self, body: dict[str, Any]) -> Request:
        """Check values and the model and, where this machine measures, its device, memory and implementation.

        A machine of a cluster checks the latter when the job starts there.
        """
        spec = ModelSpec.from_dict(body)
        estimate = estimate_now(spec.estimate_spec())
        warnings = list(estimate.warnings)
        if self._measures_here:
            from dyad_core.models.measuring.preflight import preflight_model  # imports transformers, which is optional

            warnings = preflight_model(spec, estimate=estimate)
        return Request(spec.to_dict(), spec.digest(), warnings, needs=Needs(spec.device, threads=spec.threads))

    def run(self, spec: dict[str, Any], context: Context) -> Outcome:
        """Measure in a process of its own."""
        run = run_model(
            ModelSpec.from_dict(spec),
            on_progress=lambda progress: context.on_progress(progress.to_dict()),
            cancel=context.cancel,
            run_work=context.run,
            check="there",
        )
        return _outcome(run, identity=measuring_digest(run.environment))

    def bundles(self) -> Iterable[Bundle]:
        """The measured models that ship with the library."""
        for path in sorted(FOLDER.glob("*.json")):
            yield Bundle(hashlib.sha256(path.read_bytes()).hexdigest(), partial(_elsewhere, path))


def imported(file: bytes) -> tuple[Request, Outcome]:
    """What the service keeps of a file of another machine.

    Raises:
        SpecError: for a newer schema, a missing, unknown or wrong field; each is named.
    """
    return _kept(parse_model_run(file))


def _elsewhere(path: Path) -> list[tuple[Request, Outcome]]:
    return [_kept(load_model_run(path))]


def _kept(run: ModelRun) -> tuple[Request, Outcome]:
    request = Request(spec=run.spec.to_dict(), digest=run.spec.digest(), warnings=list(run.warnings))
    return request, _outcome(run, identity=environment_digest(run.environment))


def _outcome(run: ModelRun, *, identity: str) -> Outcome:
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
        fingerprint=_fingerprint(result),
    )


def _fingerprint(values: dict[str, Any]) -> str:
    """Identity of a result: when, what, and every raw sample."""
    names = ("variant", "n_blocks", "mode", "pass", "samples_ms")
    samples = [[each[name] for name in names] for each in values["candidates"]]
    text = json.dumps([NAME, values["created_at"], values["spec"], samples], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def make(settings: Settings) -> JobKind:
    """The kind for these settings."""
    return ModelKind(measures_here=settings.executor == "local")
