"""``/api/v1/models/measurements``: whole models measured: submit, list, look at, cancel, delete, export and import."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel
from starlette.responses import JSONResponse

from backend.bodies import BodyBytes, JsonBody, body_schema
from backend.deps import DeskDep, Limit, Offset
from backend.jobs.kinds.model import NAME, imported
from backend.jobs.records import JobRecord, JobSummary, Origin
from backend.jobs.states import State
from backend.problems import Refusal
from backend.routes.events import EVENT_STREAM, event_stream
from backend.routes.waiting import Version, Wait, look_or_wait
from backend.store.store import Filter
from backend.submission import SubmissionDep
from dyad_core.bench.json_text import NotJson
from dyad_core.models.measuring import ModelProgress
from dyad_core.models.measuring.export import to_csv
from dyad_core.models.measuring.files import model_run_from_dict
from dyad_core.models.records import SCHEMA_VERSION, ModelRun
from dyad_core.models.spec import ModelSpec

__all__ = ["router"]

router = APIRouter(prefix="/models/measurements", tags=["models"])

EXAMPLE = {"config": "opt-125m", "n_blocks": [4], "batch": 1, "sequence": 256, "passes": ["train_step", "prefill"]}
_FILES = {
    "text/csv": {"schema": {"type": "string"}},
    "application/json": {"schema": {"$ref": "#/components/schemas/ModelRun"}},
}


class ModelMeasurementRecord(JobRecord):
    """A measurement of a model, with its result once it succeeded; progress holds the figures so far."""

    spec: ModelSpec  # type: ignore[assignment] # the same field, described more exactly
    progress: ModelProgress | None  # type: ignore[assignment] # the same field, described more exactly
    result: ModelRun | None  # type: ignore[assignment] # the same field, described more exactly


class ModelMeasurementSummary(JobSummary):
    """A measurement of a model in a list."""

    spec: ModelSpec  # type: ignore[assignment] # the same field, described more exactly


class ModelMeasurementPage(BaseModel):
    """One page of measurements; ``total`` counts all that match."""

    items: list[ModelMeasurementSummary]
    total: int
    limit: int
    offset: int


@router.post(
    "",
    status_code=202,
    response_model=ModelMeasurementRecord,
    openapi_extra=body_schema({"$ref": "#/components/schemas/ModelSpec"}, EXAMPLE),
)
def submit(body: JsonBody, desk: DeskDep, submission: SubmissionDep) -> Response:
    """Queue a measurement of a whole model. Only ``config`` must be given; all wrong fields are reported at once.

    A model that does not fit into the memory of the machine is refused with the bytes it needs and the bytes there are.
    """
    answer = desk.submit(NAME, body, submission)
    headers = {"Location": f"/api/v1/models/measurements/{answer.record['id']}"} | answer.headers
    return JSONResponse(answer.record, 202, headers=headers)


@router.get("", response_model=ModelMeasurementPage)
def list_measurements(
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
    """One page of measurements without their results; ``headline`` is the verdict in a sentence."""
    wanted = Filter(kind=NAME, status=status, origin=origin, device=device)
    return JSONResponse(desk.page(wanted, limit=limit, offset=offset, newest_first=order == "-created_at"))


@router.post(
    "/import",
    status_code=201,
    response_model=ModelMeasurementRecord,
    responses={200: {"model": ModelMeasurementRecord, "description": "The measurement was here already."}},
    openapi_extra=body_schema({"$ref": "#/components/schemas/ModelRun"}, {"schema_version": SCHEMA_VERSION}),
)
def import_measurement(body: BodyBytes, desk: DeskDep) -> Response:
    """Keep a file of another machine (``dyad model measure --save``, or an export) beside the own measurements."""
    try:
        request, outcome = imported(body)
    except NotJson as error:
        raise Refusal(400, f"The file {error.problems[0].rule}.", error.problems[0]) from error
    job, is_new = desk.keep(NAME, request, outcome)
    headers = {"Location": f"/api/v1/models/measurements/{job.id}"}
    return JSONResponse(desk.look(job.id), 201 if is_new else 200, headers=headers)


@router.get("/{measurement_id}", response_model=ModelMeasurementRecord)
async def look(measurement_id: str, desk: DeskDep, wait_s: Wait = 0.0, version: Version = None) -> Response:
    """One measurement: status, progress with the figures so far and, once it succeeded, its result. ``wait_s`` waits for news."""
    return await look_or_wait(desk, measurement_id, NAME, wait_s, version)


@router.post("/{measurement_id}/cancel", status_code=202, response_model=ModelMeasurementRecord)
def cancel(measurement_id: str, desk: DeskDep) -> Response:
    """Cancel a measurement; the process of a running one is killed within two seconds."""
    return JSONResponse(desk.cancel(measurement_id, kind=NAME), 202)


@router.delete("/{measurement_id}", status_code=204, response_class=Response)
def delete(measurement_id: str, desk: DeskDep) -> Response:
    """Forget a measurement. 409 while it runs."""
    desk.delete(measurement_id, kind=NAME)
    return Response(status_code=204)


@router.get("/{measurement_id}/events", response_class=Response, responses=EVENT_STREAM)
async def events(measurement_id: str, desk: DeskDep) -> Response:
    """Server-sent events ``status`` and ``progress``, each with the record; the stream ends with the measurement."""
    return await event_stream(desk, measurement_id, NAME)


@router.get("/{measurement_id}/export", response_class=Response, responses={200: {"content": _FILES}})
def export(measurement_id: str, desk: DeskDep, format: Literal["json", "csv"] = "json") -> Response:
    """The result as a file: ``json`` is the versioned file that can be imported, ``csv`` a row per model and pass."""
    job = desk.find(measurement_id, kind=NAME, with_result=True)
    if job.result is None:
        raise Refusal(409, f"This measurement is {job.status} and has no result to export.")
    headers = {"Content-Disposition": f'attachment; filename="dyad-model-{job.id[:8]}.{format}"'}
    if format == "csv":
        return Response(to_csv(model_run_from_dict(job.result)), media_type="text/csv", headers=headers)
    return JSONResponse(job.result, headers=headers)
