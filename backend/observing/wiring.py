"""Puts what observes into the application: two layers around it, and the checks of readiness.

Layers that are added later lie outside of earlier ones; ours must be the outermost, so that refusals of others are counted
and logged with their request's id too.
"""

from __future__ import annotations

from collections.abc import Callable

from fastapi import FastAPI
from sqlalchemy import Engine

from backend.observing.readiness import Readiness, database_problem, disk_problem, queue_problem
from backend.observing.request_id import RequestIds
from backend.observing.traffic import Traffic, WatchedRequests
from backend.settings import Settings

__all__ = ["install", "readiness_of"]


def install(app: FastAPI) -> None:
    """Give every request an id, count it, time it and log it; call it after every other ``add_middleware``."""
    traffic = app.state.traffic = Traffic()
    app.add_middleware(WatchedRequests, traffic=traffic)
    app.add_middleware(RequestIds)


def readiness_of(
    settings: Settings, engine: Engine, *, queue: Callable[[], str], executor: Callable[[], str]
) -> Readiness:
    """The checks of ``/readyz``.

    Args:
        settings: where results are kept and how much must be free there.
        engine: of the database.
        queue: state of the thread that starts jobs: ``measuring``, ``standby``, or ``stopped`` when it has ended.
        executor: a sentence that says why nothing can be run now; empty when it can.
    """
    return Readiness(
        {
            "database": database_problem(engine),
            "queue": queue_problem(queue),
            "executor": executor,
            "disk": disk_problem(settings.home, settings.min_free_bytes),
        },
        role=queue,
    )
