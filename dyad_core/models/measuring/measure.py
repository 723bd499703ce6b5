"""Measure a model in this process: build, check, warm up, time in rounds, then memory; pass after pass.

Use :func:`dyad_core.models.measuring.run_model` from outside: it runs this in a process of its own, which is what keeps one
measurement from disturbing the next and a crash from taking its caller along.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime

import torch

from dyad_core.bench.environment import read_environment
from dyad_core.bench.measure import settings, unsaid
from dyad_core.bench.timer import Clock, clock_for
from dyad_core.models.measuring.progress import OnModelProgress
from dyad_core.models.measuring.reading import read_model_run
from dyad_core.models.measuring.reporter import ModelReporter
from dyad_core.models.measuring.session import ModelSession
from dyad_core.models.measuring.workshop import Workshop
from dyad_core.models.records import ModelRun
from dyad_core.models.spec import ModelSpec

__all__ = ["measure_model"]


def measure_model(
    spec: ModelSpec,
    *,
    on_progress: OnModelProgress | None = None,
    warnings: Sequence[str] = (),
    clock: Clock | None = None,
) -> ModelRun:
    """Measure ``spec`` here and now and return the run.

    The thread count of torch is set for the time of the measurement and put back.

    Args:
        spec: the request; :func:`dyad_core.models.measuring.preflight_model` is the caller's business.
        on_progress: receives the state at least after every step of some length.
        warnings: what preflight said; becomes part of the run.
        clock: what measures; the clock of the device when not given.
    """
    created_at, start = datetime.now(UTC).isoformat(timespec="seconds"), time.perf_counter()
    with settings(spec):
        workshop = Workshop(spec)
        clock = clock or clock_for(torch.device(spec.device))
        session = ModelSession(spec, ModelReporter(spec, on_progress), clock, workshop)
        environment = read_environment(spec)
        session.build()
        session.noise.before()
        for pass_ in spec.passes:
            session.run(pass_)
        noise = session.noise.after()
    estimate = workshop.estimate
    return read_model_run(
        ModelRun(
            spec=spec,
            environment=environment,
            model_type=estimate.model_type,
            name=estimate.name,
            layers=estimate.layers,
            candidates=tuple(session.candidates),
            parts=tuple(session.parts),
            created_at=created_at,
            duration_s=time.perf_counter() - start,
            warnings=(*warnings, *session.warnings, *unsaid(noise, session.warnings)),
            sampling=tuple(session.sampling),
            noise=noise,
        )
    )
