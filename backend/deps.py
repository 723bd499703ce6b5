"""What routes ask for: the application's own objects, as annotated parameters."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from fastapi import Depends, Query, Request

from backend.jobs.desk import Desk
from backend.observing.metrics import Metrics
from backend.settings import Settings
from backend.store.store import Store
from backend.uploads import Uploads

__all__ = ["DeskDep", "Limit", "Offset", "Service", "ServiceDep", "UploadsDep"]


@dataclass(frozen=True)
class Service:
    """Everything that lives from the start of the application to its end."""

    settings: Settings
    store: Store
    desk: Desk
    metrics: Metrics
    uploads: Uploads
    started_at: datetime


# Coroutines, though they wait for nothing: FastAPI would start each of them in a thread, a fifth of what a poll costs.
async def _service(request: Request) -> Service:
    service: Service = request.app.state.service
    return service


async def _desk(request: Request) -> Desk:
    return (await _service(request)).desk


async def _uploads(request: Request) -> Uploads:
    return (await _service(request)).uploads


ServiceDep = Annotated[Service, Depends(_service)]
DeskDep = Annotated[Desk, Depends(_desk)]
UploadsDep = Annotated[Uploads, Depends(_uploads)]
Limit = Annotated[int, Query(ge=1, le=500, description="Records on a page.")]
Offset = Annotated[int, Query(ge=0, le=2**31 - 1, description="Records to skip.")]
