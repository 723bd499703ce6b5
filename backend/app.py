"""The application: ``create_app(settings)`` builds it, its lifespan opens the database and runs the queue.

Run ``python -m backend``. One process serves everything (an event stream and the queue share memory), and
measurements run in processes of their own.
"""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from fastapi import APIRouter, FastAPI
from starlette.concurrency import run_in_threadpool
from starlette.middleware.gzip import GZipMiddleware

from backend import links, problems
from backend.bundled import Bundled
from backend.deps import Service
from backend.executors.base import Executor
from backend.executors.choice import executor_for
from backend.jobs.desk import Desk
from backend.jobs.kind import JobKind, all_kinds
from backend.jobs.turn import turn_for
from backend.observing import wiring
from backend.observing.metrics import Metrics
from backend.routes import (
    benchmarks,
    comparing,
    health,
    jobs,
    model_measurements,
    models,
    projection,
    published,
    structure,
    sweeps,
    system,
    uploads,
    verdicts,
)
from backend.security import wiring as security
from backend.settings import Settings
from backend.store.database import open_database
from backend.store.store import Store
from backend.uploads import Uploads
from dyad_core._version import __version__
from dyad_core.bench.identity import code_digest
from dyad_core.bench.system import system_info

__all__ = ["create_app"]


def create_app(
    settings: Settings | None = None,
    *,
    kinds: Mapping[str, JobKind] | None = None,
    executor: Executor | None = None,
) -> FastAPI:
    """Build the application; nothing is opened or started before its lifespan begins.

    Args:
        settings: None reads the ``DYAD_*`` environment variables.
        kinds: the kinds of jobs; None takes every one there is.
        executor: where they run; None takes the one that the settings name.
    """
    settings = settings or Settings()
    app = FastAPI(
        title="DYAD Explorer",
        summary="Measure DYAD layers against dense ones on this machine.",
        version=__version__,
        lifespan=_lifespan,
        responses=problems.PROBLEM_RESPONSES,
    )
    app.state.settings = settings
    app.state.kinds = all_kinds(settings) if kinds is None else kinds
    app.state.executor = executor
    api = APIRouter(prefix="/api/v1")
    for module in (
        comparing,
        benchmarks,
        jobs,
        structure,
        projection,
        uploads,
        system,
        sweeps,
        verdicts,
        published,
        models,
        model_measurements,
    ):
        api.include_router(module.router)
    app.include_router(api)
    app.include_router(health.router)
    app.add_middleware(GZipMiddleware, minimum_size=1024, compresslevel=6)  # leaves event streams alone
    problems.install(app)
    links.install(app)
    security.install(app, settings)
    wiring.install(app)  # last, so that it lies around every other layer
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    settings: Settings = app.state.settings
    engine = await run_in_threadpool(open_database, settings)
    executor: Executor = app.state.executor or executor_for(settings)
    try:
        await security.start(app, engine)
        await run_in_threadpool(executor.open)
        store = Store(engine)
        metrics = Metrics(engine, app.state.traffic, executor.groups)
        turn = turn_for(engine, settings.home)
        desk = Desk(store, app.state.kinds, executor, turn, settings, metrics)
        kept = Uploads(settings)
        await run_in_threadpool(kept.sweep)
        app.state.service = Service(settings, store, desk, metrics, kept, datetime.now(UTC))
        app.state.readiness = wiring.readiness_of(
            settings, engine, queue=lambda: desk.scheduler.state, executor=executor.problem
        )
        threading.Thread(target=_warm_up, name="dyad-warm-up", daemon=True).start()
        bundled = Bundled(desk)
        if settings.reference_runs:
            await run_in_threadpool(bundled.start)
        executor.when_freed(desk.scheduler.wake)
        desk.scheduler.start()
        try:
            yield
        finally:
            await run_in_threadpool(desk.scheduler.stop)
            await run_in_threadpool(bundled.stop)
    finally:
        await run_in_threadpool(executor.close)
        engine.dispose()


def _warm_up() -> None:
    """Ask once for what the first request would wait for: devices take seconds, reading the code of the library moments."""
    system_info()
    code_digest()
