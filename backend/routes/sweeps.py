"""``/api/v1/sweeps``: maps of where DYAD pays: submit, list, look at, cancel, delete, export and import."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel
from starlette.responses import JSONResponse

from backend.bodies import BodyBytes, JsonBody, body_schema
from backend.deps import DeskDep, Limit, Offset
from backend.jobs.kinds.sweep import NAME, SweepKind, imported
from backend.jobs.records import JobRecord, JobSummary, Origin
from backend.jobs.states import State
from backend.problems import Refusal
from backend.routes.events import EVENT_STREAM, event_stream
from backend.routes.waiting import Version, Wait, look_or_wait
from backend.store.store import Filter
from backend.submission import SubmissionDep
from dyad_core.bench.json_text import NotJson
from dyad_core.sweep import SweepProgress, SweepResult, SweepSpec
from dyad_core.sweep.export import to_csv
from dyad_core.sweep.files import sweep_from_dict
from dyad_core.sweep.results import SCHEMA_VERSION

__all__ = ["router"]

router = APIRouter(prefix="/sweeps", tags=["sweeps"])

EXAMPLE = {"widths": [128, 256, 512, 1024, 2048], "tokens": [16, 256, 4096], "passes": ["forward", "train_step"]}
_FILES = {
    "text/csv": {"schema": {"type": "string"}},
    "application/json": {"schema": {"$ref": "#/components/schemas/SweepResult"}},
}
PAGE = 500


class SweepRecord(JobRecord):
    """A sweep, with its result once it succeeded; the progress of one that did not holds its points."""

    spec: SweepSpec  # type: ignore[assignment] # the same field, described more exactly
    progress: SweepProgress | None  # type: ignore[assignment] # the same field, described more exactly
    result: SweepResult | None  # type: ignore[assignment] # the same field, described more exactly


class SweepSummary(JobSummary):
    """A sweep in a list."""

    spec: SweepSpec  # type: ignore[assignment] # the same field, described more exactly


class SweepPage(BaseModel):
    """One page of sweeps; ``total`` counts all that match."""

    items: list[SweepSummary]
    total: int
    limit: int
    offset: int


@router.post(
    "",
    status_code=202,
    response_model=SweepRecord,
    openapi_extra=body_schema({"$ref": "#/components/schemas/SweepSpec"}, EXAMPLE),
)
def submit(body: JsonBody, desk: DeskDep, submission: SubmissionDep) -> Response:
    """Queue a sweep. Only ``widths`` or ``sizes`` must be given; all wrong fields are reported at once.

    Points that were measured before under the same conditions in the same environment are taken over (``reuse``), so the
    same sweep submitted again goes on where an earlier one ended, however it ended.
    """
    answer = desk.submit(NAME, body, submission)
    headers = {"Location": f"/api/v1/sweeps/{answer.record['id']}"} | answer.headers
    return JSONResponse(answer.record, 202, headers=headers)


@router.get("", response_model=SweepPage)
def list_sweeps(
    desk: DeskDep,
    status: State | None = None,
    origin: Origin | None = None,
    device: Annotated[str | None, Query(max_length=16, pattern=r"^[a-z0-9:]+$")] = None,
    limit: Limit = 50,
    offset: Offset = 0,
    order: Annotated[Literal["created_at", "-created_at"], Query(description="Newest first, or oldest first.")] = (
        "-created_at"
    ),
) -> Response:
    """One page of sweeps without their results; ``headline`` is the rule in words."""
    wanted = Filter(kind=NAME, status=status, origin=origin, device=device)
    return JSONResponse(desk.page(wanted, limit=limit, offset=offset, newest_first=order == "-created_at"))


@router.post(
    "/import",
    status_code=201,
    response_model=SweepRecord,
    responses={200: {"model": SweepRecord, "description": "The sweep was here already."}},
    openapi_extra=body_schema({"$ref": "#/components/schemas/SweepResult"}, {"schema_version": SCHEMA_VERSION}),
)
def import_sweep(body: BodyBytes, desk: DeskDep) -> Response:
    """Keep a sweep file of another machine (``dyad sweep --save``, or an export) beside the own ones."""
    try:
        request, outcome = imported(body)
    except NotJson as error:
        raise Refusal(400, f"The file {error.problems[0].rule}.", error.problems[0]) from error
    job, is_new = desk.keep(NAME, request, outcome)
    headers = {"Location": f"/api/v1/sweeps/{job.id}"}
    return JSONResponse(desk.look(job.id), 201 if is_new else 200, headers=headers)


@router.get("/{sweep_id}", response_model=SweepRecord)
async def look(sweep_id: str, desk: DeskDep, wait_s: Wait = 0.0, version: Version = None) -> Response:
    """One sweep: status, progress with every point so far and, once it succeeded, its result. ``wait_s`` waits for news."""
    return await look_or_wait(desk, sweep_id, NAME, wait_s, version)


@router.post("/{sweep_id}/cancel", status_code=202, response_model=SweepRecord)
def cancel(sweep_id: str, desk: DeskDep) -> Response:
    """Cancel a sweep; the process of a running point is killed within two seconds, the points before it are kept."""
    return JSONResponse(desk.cancel(sweep_id, kind=NAME), 202)


@router.delete("/{sweep_id}", status_code=204, response_class=Response)
def delete(sweep_id: str, desk: DeskDep) -> Response:
    """Forget a sweep, and the points kept for it if no other sweep of the same conditions is here. 409 while it runs."""
    job = desk.find(sweep_id, kind=NAME)
    desk.delete(sweep_id, kind=NAME)
    kind = desk.kinds[NAME]
    if isinstance(kind, SweepKind) and job.origin == "local":
        kind.forget(job.spec, _own_specs(desk))
    return Response(status_code=204)


@router.get("/{sweep_id}/events", response_class=Response, responses=EVENT_STREAM)
async def events(sweep_id: str, desk: DeskDep) -> Response:
    """Server-sent events ``status`` and ``progress``, each with the record; the stream ends with the sweep."""
    return await event_stream(desk, sweep_id, NAME)


@router.get(
    "/{sweep_id}/export",
    response_class=Response,
    responses={200: {"content": _FILES}},
)
def export(sweep_id: str, desk: DeskDep, format: Literal["json", "csv"] = "json") -> Response:
    """The result as a file: ``json`` is the versioned file that can be imported, ``csv`` a row per size and map."""
    job = desk.find(sweep_id, kind=NAME, with_result=True)
    if job.result is None:
        hint = "Submit the same sweep again: it goes on from the points that are kept."
        raise Refusal(409, f"This sweep is {job.status} and has no result to export. {hint}")
    headers = {"Content-Disposition": f'attachment; filename="dyad-sweep-{job.id[:8]}.{format}"'}
    if format == "csv":
        return Response(to_csv(sweep_from_dict(job.result)), media_type="text/csv", headers=headers)
    return JSONResponse(job.result, headers=headers)


def _own_specs(desk: DeskDep) -> list[dict[str, Any]]:
    """The requests of every sweep of this service."""
    found: list[dict[str, Any]] = []
    while True:
        page = desk.page(Filter(kind=NAME, origin="local"), limit=PAGE, offset=len(found), newest_first=True)
        found += [item["spec"] for item in page["items"]]
        if not page["items"] or len(found) >= page["total"]:
            return found
