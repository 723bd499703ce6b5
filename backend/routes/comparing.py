"""``GET /api/v1/benchmarks/compare``: two or more runs of the store side by side."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel
from starlette.responses import JSONResponse

from backend.deps import DeskDep
from backend.jobs.desk import Desk
from backend.jobs.kinds.benchmark import NAME
from backend.jobs.records import Machine, Origin, timestamp
from backend.problems import Refusal
from backend.store.models import Job
from backend.store.store import UnknownJob
from dyad_core.bench import BenchmarkRun
from dyad_core.bench.compare import MOST_RUNS, Comparison, compare
from dyad_core.errors import Problem, SpecError

__all__ = ["ComparedRuns", "router"]

router = APIRouter(prefix="/benchmarks", tags=["benchmarks"])

LONGEST_IDS = 33 * MOST_RUNS * 2


class ComparedRun(BaseModel):
    """Which run a name of the comparison stands for."""

    id: str
    name: str
    origin: Origin
    machine: Machine | None
    measured_at: datetime | None
    headline: str | None


class ComparedRuns(BaseModel):
    """The comparison, equal wherever the same results are kept, and which runs of this service it is of."""

    runs: list[ComparedRun]
    comparison: Comparison


@router.get("/compare", response_model=ComparedRuns)
def compare_runs(
    desk: DeskDep,
    ids: Annotated[str, Query(max_length=LONGEST_IDS, description=f"2 to {MOST_RUNS} ids, with commas between.")],
) -> Response:
    """Hold runs against the first: what differs, what may be compared, and the ratios of times and speed-ups.

    404 for an id that is not here, 409 for a run that has no result.
    """
    wanted = [part.strip() for part in ids.split(",")]
    if not 2 <= len(wanted) <= MOST_RUNS or len(set(wanted)) != len(wanted):
        rule = f"must be 2 to {MOST_RUNS} different ids, with commas between"
        raise SpecError([Problem("ids", rule, ids, "GET /api/v1/benchmarks lists every run")])
    jobs = [_find(desk, job_id) for job_id in wanted]
    found = compare([BenchmarkRun.from_dict(job.result or {}) for job in jobs])
    runs = [_named(job, name) for job, name in zip(jobs, found.names, strict=True)]
    return JSONResponse({"runs": runs, "comparison": found.to_dict()})


def _find(desk: Desk, job_id: str) -> Job:
    try:
        job = desk.find(job_id, kind=NAME, with_result=True)
    except UnknownJob as error:
        problem = Problem("ids", "no run has this id", job_id, "GET /api/v1/benchmarks lists every run")
        raise Refusal(404, f"There is no run with the id {job_id[:40]!r}.", problem) from error
    if job.result is None:
        problem = Problem("ids", f"must be runs with a result; this one is {job.status}", job_id)
        raise Refusal(409, f"Run {job.id} is {job.status} and has no result to compare.", problem)
    return job


def _named(job: Job, name: str) -> dict[str, object]:
    return {
        "id": job.id,
        "name": name,
        "origin": job.origin,
        "machine": job.machine,
        "measured_at": timestamp(job.measured_at),
        "headline": job.headline,
    }
