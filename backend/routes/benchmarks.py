"""``/api/v1/benchmarks``: submit, list, look at, cancel, delete, export and import runs."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Response
from starlette.responses import JSONResponse

from backend.bodies import BodyBytes, JsonBody, body_schema
from backend.deps import DeskDep, Limit, Offset
from backend.jobs.kinds.benchmark import NAME, imported
from backend.jobs.records import BenchmarkPage, BenchmarkRecord, ImportedRecord, Origin, SubmittedRecord
from backend.jobs.states import State
from backend.problems import Refusal
from backend.routes.events import EVENT_STREAM, event_stream
from backend.routes.waiting import Version, Wait, look_or_wait
from backend.store.store import Filter
from backend.submission import SubmissionDep
from dyad_core.bench import SCHEMA_VERSION, BenchmarkRun
from dyad_core.bench.export import to_csv, to_parquet
from dyad_core.bench.json_text import NotJson
from dyad_core.errors import ImplementationError
from dyad_core.geometry import Variant

__all__ = ["router"]

router = APIRouter(prefix="/benchmarks", tags=["benchmarks"])

EXAMPLE = {"in_features": 768, "out_features": 3072, "tokens": 4096, "n_blocks": [4, 8], "variants": ["it", "ot"]}
PARQUET = "application/vnd.apache.parquet"
_TABLES = ("text/csv", PARQUET)
_FILES = {media: {"schema": {"type": "string"}} for media in _TABLES} | {
    "application/json": {"schema": {"$ref": "#/components/schemas/BenchmarkRun"}}
}
_ORDERS = Literal["created_at", "-created_at"]
_RESULT_FILE = {
    "anyOf": [
        {"$ref": "#/components/schemas/BenchmarkRun"},
        {
            "type": "object",
            "required": ["schema_version", "runs"],
            "properties": {
                "schema_version": {"type": "integer"},
                "runs": {"type": "array", "minItems": 1, "items": {"$ref": "#/components/schemas/BenchmarkRun"}},
            },
        },
    ]
}


@router.post(
    "",
    status_code=202,
    response_model=SubmittedRecord,
    openapi_extra=body_schema({"$ref": "#/components/schemas/BenchmarkSpec"}, EXAMPLE),
)
def submit(
    body: JsonBody,
    desk: DeskDep,
    submission: SubmissionDep,
    again: Annotated[bool, Query(description="Measure, also where an equal run is in the store.")] = False,
) -> Response:
    """Queue a benchmark. Every field but the two sizes is optional; all wrong fields are reported at once.

    An equal request that was measured on this very machine, undisturbed, is answered with that run: ``served_from_store``
    is true then, the result is there at once, and ``measured_at`` says when it was measured. A request with an
    ``Idempotency-Key`` is never served so; the same key again is answered with its own run (``Idempotent-Replayed: true``).
    """
    answer = (desk.submit if again else desk.serve)(NAME, body, submission)
    headers = {"Location": f"/api/v1/benchmarks/{answer.record['id']}"} | answer.headers
    return JSONResponse(answer.record | {"served_from_store": answer.served}, 202, headers=headers)


@router.get("", response_model=BenchmarkPage)
def list_runs(
    desk: DeskDep,
    status: State | None = None,
    origin: Origin | None = None,
    variant: Variant | None = None,
    device: Annotated[str | None, Query(max_length=16, pattern=r"^[a-z0-9:]+$")] = None,
    limit: Limit = 50,
    offset: Offset = 0,
    order: Annotated[_ORDERS, Query(description="Newest first, or oldest first.")] = "-created_at",
) -> Response:
    """One page of runs without their results; ``headline`` is the sentence that says what the figures mean."""
    wanted = Filter(kind=NAME, status=status, origin=origin, variant=variant, device=device)
    return JSONResponse(desk.page(wanted, limit=limit, offset=offset, newest_first=order == "-created_at"))


@router.post(
    "/import",
    status_code=201,
    response_model=ImportedRecord,
    responses={200: {"model": ImportedRecord, "description": "Every run of the file was here already."}},
    openapi_extra=body_schema(_RESULT_FILE, {"schema_version": SCHEMA_VERSION}),
)
def import_runs(body: BodyBytes, desk: DeskDep) -> Response:
    """Keep a result file of another machine (``python -m dyad_core.bench``, or an export) beside the own runs.

    The answer is the record of its first run; ``imported`` lists the ids of all, ``existing`` those of them that an earlier
    import or the library brought already and that are not kept twice. 200 when nothing was new.
    """
    try:
        runs = imported(body)
    except NotJson as error:
        raise Refusal(400, f"The file {error.problems[0].rule}.", error.problems[0]) from error
    kept = [desk.keep(NAME, request, outcome) for request, outcome in runs]
    existing = list(dict.fromkeys(job.id for job, is_new in kept if not is_new))
    record = desk.look(kept[0][0].id) | {
        "imported": list(dict.fromkeys(job.id for job, _ in kept)),
        "existing": existing,
    }
    status = 201 if any(is_new for _, is_new in kept) else 200
    return JSONResponse(record, status, headers={"Location": f"/api/v1/benchmarks/{record['id']}"})


@router.get("/{run_id}", response_model=BenchmarkRecord)
async def look(run_id: str, desk: DeskDep, wait_s: Wait = 0.0, version: Version = None) -> Response:
    """One run: status, progress and, once it succeeded, its result. With ``wait_s`` the answer comes when there is news."""
    return await look_or_wait(desk, run_id, NAME, wait_s, version)


@router.post("/{run_id}/cancel", status_code=202, response_model=BenchmarkRecord)
def cancel(run_id: str, desk: DeskDep) -> Response:
    """Cancel a run; the process of a running one is killed within two seconds. 409 when it is over."""
    return JSONResponse(desk.cancel(run_id, kind=NAME), 202)


@router.delete("/{run_id}", status_code=204, response_class=Response)
def delete(run_id: str, desk: DeskDep) -> Response:
    """Forget a run. 409 while it is running."""
    desk.delete(run_id, kind=NAME)
    return Response(status_code=204)


@router.get("/{run_id}/events", response_class=Response, responses=EVENT_STREAM)
async def events(run_id: str, desk: DeskDep) -> Response:
    """Server-sent events ``status`` and ``progress``, each with the record; the stream ends with the run."""
    return await event_stream(desk, run_id, NAME)


@router.get(
    "/{run_id}/export",
    response_class=Response,
    responses={200: {"content": _FILES}},
)
def export(run_id: str, desk: DeskDep, format: Literal["json", "csv", "parquet"] = "json") -> Response:
    """The result as a file: ``json`` is the versioned file that can be imported, with every digit; ``csv`` and ``parquet``
    have a row per candidate and pass, ``parquet`` with types and the raw samples.
    """
    job = desk.find(run_id, kind=NAME, with_result=True)
    if job.result is None:
        raise Refusal(409, f"This run is {job.status} and has no result to export.")
    headers = {"Content-Disposition": f'attachment; filename="dyad-benchmark-{job.id[:8]}.{format}"'}
    if format == "json":
        return JSONResponse(job.result, headers=headers)
    run = BenchmarkRun.from_dict(job.result)
    if format == "csv":
        return Response(to_csv(run), media_type="text/csv", headers=headers)
    try:
        return Response(to_parquet(run), media_type=PARQUET, headers=headers)
    except ImplementationError as error:
        raise Refusal(501, str(error)) from error
