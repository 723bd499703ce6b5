"""Server-sent events of one job: where it stands now, then every change, until it is over."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.concurrency import run_in_threadpool

from backend.jobs.desk import Desk
from backend.jobs.states import TERMINAL, State

__all__ = ["EVENT_STREAM", "event_stream"]

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
        record = await run_in_threadpool(desk.look, job_id, with_result=False)
        status = record["status"]
        yield _event("status", record)
        while State(status) not in TERMINAL:
            record = await subscriber.next()
            # A queued job that moves up has no progress yet.
            name = "progress" if record["status"] == status and record["progress"] is not None else "status"
            status = record["status"]
            yield _event(name, record)


def _event(name: str, record: dict[str, Any]) -> ServerSentEvent:
    return ServerSentEvent(json.dumps(record), event=name)
