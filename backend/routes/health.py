"""``/healthz``, ``/readyz`` and ``/metrics``: for whoever supervises the service. They have no version prefix.

None of them takes a thread of those that serve requests, so they answer while a database hangs and every such thread waits.
"""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.responses import JSONResponse

from backend.deps import Service
from backend.observing.readiness import Readiness

__all__ = ["router"]

router = APIRouter(tags=["health"])


@router.get("/healthz", response_model=dict[str, str])
async def healthz() -> Response:
    """The process answers."""
    return JSONResponse({"status": "ok"})


@router.get("/readyz", response_model=dict[str, Any], responses={503: {"model": dict[str, Any]}})
async def readyz(request: Request) -> Response:
    """Whether runs can be kept and measured now; every check says ``ok`` or what is wrong, within two seconds."""
    report = await _readiness(request).report()
    return JSONResponse(report.to_dict(), 200 if report.ready else 503)


@router.get(
    "/metrics",
    response_class=Response,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
)
async def metrics(request: Request) -> Response:
    """Requests, jobs, queue, devices and this process, in Prometheus' text format."""
    service: Service = request.app.state.service
    text = await service.metrics.text(await _readiness(request).report())
    return Response(text, media_type=CONTENT_TYPE_LATEST)


def _readiness(request: Request) -> Readiness:
    readiness: Readiness = request.app.state.readiness
    return readiness
