"""``/api/v1/structure/projection``: what DYAD patterns keep of an uploaded weight; long work, so a job."""

from __future__ import annotations

from fastapi import APIRouter, Response
from pydantic import TypeAdapter
from starlette.responses import JSONResponse

from backend.bodies import JsonBody, body_schema, or_null, schema_of
from backend.deps import DeskDep
from backend.jobs.kinds.projection import NAME
from backend.jobs.records import JobRecord
from backend.requests import Examine, ProjectionRequest, Reorder
from backend.submission import SubmissionDep

__all__ = ["router"]

router = APIRouter(prefix="/structure", tags=["structure"])

EXAMPLE = {"upload": "0123456789abcdef0123456789abcdef", "tensor": "fc1.weight", "n_blocks": [4, 8], "variants": ["it"]}
_PLAIN = TypeAdapter(ProjectionRequest).json_schema()
_SCHEMA = {key: value for key, value in _PLAIN.items() if key != "$defs"} | {
    "properties": {
        **_PLAIN["properties"],
        "examine": or_null(schema_of(Examine)),
        "reorder": or_null(schema_of(Reorder)),
    },
}


@router.post("/projection", status_code=202, response_model=JobRecord, openapi_extra=body_schema(_SCHEMA, EXAMPLE))
def submit(body: JsonBody, desk: DeskDep, submission: SubmissionDep) -> Response:
    """Queue a projection of an uploaded matrix onto patterns, beside low rank and block-diagonal.

    ``examine`` looks at one structure in detail (singular values, pictures); ``reorder`` looks for an order of hidden
    units that keeps more. A projection is lossy: the projected layer computes another function.
    """
    answer = desk.submit(NAME, body, submission)
    headers = {"Location": f"/api/v1/jobs/{answer.record['id']}"} | answer.headers
    return JSONResponse(answer.record, 202, headers=headers)
