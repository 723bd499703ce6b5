"""``/api/v1/jobs``: submit, list, look at, cancel, follow and delete jobs of every kind."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response
from starlette.responses import JSONResponse

from backend.bodies import JsonBody, Problems, as_object, body_schema
from backend.deps import DeskDep, Limit, Offset
from backend.jobs.records import JobLog, JobPage, JobRecord
from backend.jobs.states import State
from backend.routes.events import EVENT_STREAM, event_stream
from backend.routes.waiting import Version, Wait, look_or_wait
from backend.store.store import Filter
from backend.submission import SubmissionDep
from dyad_core.errors import Problem, SpecError

__all__ = ["router"]

router = APIRouter(prefix="/jobs", tags=["jobs"])

EXAMPLE = {"kind": "benchmark", "request": {"in_features": 768, "out_features": 3072}}
_BODY = {
    "type": "object",
    "required": ["kind", "request"],
    "additionalProperties": False,
    "properties": {"kind": {"type": "string"}, "request": {"type": "object"}},
}


@router.get("", response_model=JobPage)
def list_jobs(
    desk: DeskDep,
    kind: Annotated[str | None, Query(description="For example benchmark.")] = None,
    status: State | None = None,
    limit: Limit = 50,
    offset: Offset = 0,
) -> Response:
    """One page of jobs, newest first, without results."""
    if kind is not None and kind not in desk.kinds:
        raise SpecError([Problem("kind", f"must be one of {', '.join(desk.kinds)}", kind)])
    wanted = Filter(kind=kind, status=status)
    return JSONResponse(desk.page(wanted, limit=limit, offset=offset, newest_first=True))


@router.post("", status_code=202, response_model=JobRecord, openapi_extra=body_schema(_BODY, EXAMPLE))
def submit(body: JsonBody, desk: DeskDep, submission: SubmissionDep) -> Response:
    """Queue a job of any kind; ``request`` is what the kind's own address takes, where it has one."""
    problems = Problems()
    problems.refuse_unknown(body, ("kind", "request"))
    kind = body.get("kind")
    if not isinstance(kind, str) or kind not in desk.kinds:
        problems.found.append(Problem("kind", f"must be one of {', '.join(desk.kinds)}", kind))
    with problems.collecting():
        as_object("request", body.get("request"))
    problems.stop()
    with problems.collecting("request"):
        answer = desk.submit(str(kind), body["request"], submission)
    problems.stop()
    headers = {"Location": f"/api/v1/jobs/{answer.record['id']}"} | answer.headers
    return JSONResponse(answer.record, 202, headers=headers)


@router.get("/{job_id}", response_model=JobRecord)
async def look(job_id: str, desk: DeskDep, wait_s: Wait = 0.0, version: Version = None) -> Response:
    """One job of any kind with its result. With ``wait_s`` the answer comes when there is news."""
    return await look_or_wait(desk, job_id, None, wait_s, version)


@router.get("/{job_id}/log", response_model=JobLog)
def log(
    job_id: str,
    desk: DeskDep,
    after: Annotated[int, Query(ge=0, le=2**31 - 1, description="Number of the last line that is known.")] = 0,
    limit: Limit = 100,
) -> Response:
    """What was said about a job: when and where it was started, how its processes ended, and why it ended."""
    return JSONResponse(desk.log(job_id, after=after, limit=limit))


@router.post("/{job_id}/cancel", status_code=202, response_model=JobRecord)
def cancel(job_id: str, desk: DeskDep) -> Response:
    """Cancel a job; the process of a running one is killed within two seconds. 409 when it is over."""
    return JSONResponse(desk.cancel(job_id), 202)


@router.delete("/{job_id}", status_code=204, response_class=Response)
def delete(job_id: str, desk: DeskDep) -> Response:
    """Forget a job. 409 while it is running."""
    desk.delete(job_id)
    return Response(status_code=204)


@router.get("/{job_id}/events", response_class=Response, responses=EVENT_STREAM)
async def events(job_id: str, desk: DeskDep) -> Response:
    """Server-sent events ``status`` and ``progress``, each with the record; the stream ends with the job."""
    return await event_stream(desk, job_id)
