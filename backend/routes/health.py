"""``/healthz``, ``/readyz`` and ``/metrics``: for whoever supervises the service. They have no version prefix."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST
from sqlalchemy.exc import SQLAlchemyError
from starlette.responses import JSONResponse

from backend.deps import ServiceDep

__all__ = ["router"]

router = APIRouter(tags=["health"])


@router.get("/healthz", response_model=dict[str, str])
def healthz() -> Response:
    """The process answers."""
    return JSONResponse({"status": "ok"})


@router.get("/readyz", response_model=dict[str, Any], responses={503: {"model": dict[str, Any]}})
def readyz(service: ServiceDep) -> Response:
    """Whether runs can be kept and measured: the database answers and the queue is alive."""
    try:
        service.store.ping()
        database = "ok"
    except SQLAlchemyError:
        database = "does not answer"
    runner = service.desk.runner.state
    ready = database == "ok" and runner != "stopped"
    body = {"status": "ready" if ready else "not ready", "checks": {"database": database, "runner": runner}}
    return JSONResponse(body, 200 if ready else 503)


@router.get(
    "/metrics",
    response_class=Response,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
)
def metrics(service: ServiceDep) -> Response:
    """Jobs by status, length of the queue, durations, in Prometheus' text format."""
    return Response(service.metrics.text(), media_type=CONTENT_TYPE_LATEST)
