"""Who waits for a job: server-sent events until it is over, and long polls until it changes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.concurrency import run_in_threadpool

from backend.jobs.desk import Desk
from backend.jobs.feed import News
from backend.jobs.states import TERMINAL, State
from backend.store.store import UnknownJob

__all__ = ["EVENT_STREAM", "changed_record", "event_stream"]

LOOK_AGAIN_S = 10.0

_EVENT = {
    "type": "object",
    "required": ["event", "data"],
    "properties": {
        "event": {"enum": ["status", "progress"]},
        "data": {
            "type": "string",
            "contentMediaType": "application/json",
            "description": "The record of the run without its result.",
        },
    },
}
EVENT_STREAM: dict[int | str, dict[str, Any]] = {200: {"content": {"text/event-stream": {"schema": _EVENT}}}}
"""For the OpenAPI document: ``responses`` of a route that answers with such a stream."""


async def event_stream(desk: Desk, job_id: str, kind: str | None = None) -> EventSourceResponse:
    """Open the stream of a job.

    Raises:
        UnknownJob: no job (of this kind) has this id.
    """
    await run_in_threadpool(desk.find, job_id, kind=kind)
    return EventSourceResponse(_events(desk, job_id))


async def _events(desk: Desk, job_id: str) -> AsyncIterator[ServerSentEvent]:
    with desk.feed.subscribe(job_id) as subscriber:  # before the first look, so that no change falls between
        news: News | None = await _look(desk, job_id)
        status, seen = None, None
        while news is not None:
            record = news.record
            if seen != (seen := (record["version"], record["queue_position"])):
                # A queued job that moves up has no progress yet.
                is_progress = record["status"] == status and record["progress"] is not None
                yield ServerSentEvent(news.text, event="progress" if is_progress else "status")
            status = record["status"]
            if State(status) in TERMINAL:
                return
            # Changes that another server on the same database makes are not heard here, only found.
            news = await subscriber.next(LOOK_AGAIN_S) or await _look(desk, job_id)


async def _look(desk: Desk, job_id: str) -> News | None:
    """The job as it is; None when it was deleted."""
    try:
        return News.of(await run_in_threadpool(desk.look, job_id, with_result=False))
    except UnknownJob:
        return None


async def changed_record(desk: Desk, job_id: str, kind: str | None, *, version: int, wait_s: float) -> dict[str, Any]:
    """The record of a job as soon as it is newer than ``version`` or over, or as it is after ``wait_s``.

    Raises:
        UnknownJob: no job (of this kind) has this id.
    """
    deadline = asyncio.get_running_loop().time() + wait_s
    with desk.feed.subscribe(job_id) as subscriber:
        while True:
            job = await run_in_threadpool(desk.find, job_id, kind=kind)
            left_s = deadline - asyncio.get_running_loop().time()
            if job.version != version or job.status in TERMINAL or left_s <= 0:
                return await run_in_threadpool(desk.look, job_id, kind=kind)
            await subscriber.next(min(left_s, LOOK_AGAIN_S))
