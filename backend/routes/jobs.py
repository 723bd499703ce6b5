"""``/api/v1/jobs``: jobs of every kind, for lists that mix them."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response
from starlette.responses import JSONResponse

from backend.deps import DeskDep, Limit, Offset
from backend.jobs.records import JobPage, JobRecord
from backend.jobs.states import State
from backend.store.store import Filter
from dyad_core.errors import Problem, SpecError

__all__ = ["router"]

router = APIRouter(prefix="/jobs", tags=["jobs"])


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


@router.get("/{job_id}", response_model=JobRecord)
def look(job_id: str, desk: DeskDep) -> Response:
    """One job of any kind with its result."""
    return JSONResponse(desk.look(job_id))
