"""Long polls: an answer that comes when there is news, so that nobody has to ask again and again."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse

from backend.jobs.desk import Desk
from backend.routes.events import changed_record

__all__ = ["Version", "Wait", "look_or_wait"]

Wait = Annotated[
    float, Query(ge=0, le=60, description="Seconds to wait for news: a record newer than `version`, or the end.")
]
Version = Annotated[
    int | None,
    Query(ge=0, le=2**31 - 1, description="The `version` of the record that is known; what it is now if left out."),
]


async def look_or_wait(desk: Desk, job_id: str, kind: str | None, wait_s: float, version: int | None) -> JSONResponse:
    """Answer with a job, at once or when it changes.

    Raises:
        UnknownJob: no job (of this kind) has this id.
    """
    if wait_s == 0:
        return JSONResponse(await run_in_threadpool(desk.look, job_id, kind=kind))
    if version is None:
        version = (await run_in_threadpool(desk.find, job_id, kind=kind)).version
    return JSONResponse(await changed_record(desk, job_id, kind, version=version, wait_s=wait_s))
