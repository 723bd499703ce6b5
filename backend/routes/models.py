"""``/api/v1/models``: what a whole model costs with DYAD in it, and the models that are known by name."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from fastapi import APIRouter, Response
from pydantic import BaseModel
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse

from backend.bodies import JsonBody, body_schema, build, or_null, schema_of
from backend.deps import ServiceDep
from backend.estimating import estimate_of, times_for
from dyad_core.errors import Problem, SpecError
from dyad_core.models.presets import PRESETS
from dyad_core.models.records import ModelEstimate
from dyad_core.models.spec import EstimateSpec

__all__ = ["router"]

router = APIRouter(prefix="/models", tags=["models"])

MEASURED = "measured"
EXAMPLE = {"config": "opt-125m", "n_blocks": [4, 8], "variants": ["it"], "batch": 1, "sequence": 256}
_SPEC = schema_of(EstimateSpec)
_REQUEST = {
    **_SPEC,
    "title": "EstimateRequest",
    "properties": {
        **_SPEC["properties"],
        MEASURED: or_null(
            {
                "type": "string",
                "description": "Id of a finished measurement whose times steps are foretold from; without one the newest "
                "of this machine that fits.",
            }
        ),
    },
}


class ModelPreset(BaseModel):
    """A published model by name."""

    name: str
    model_type: str
    parameters: int
    config: dict[str, Any]
    source: str


class ModelPresets(BaseModel):
    """Every model that is known by name."""

    items: list[ModelPreset]


@router.get("/presets", response_model=ModelPresets)
def presets() -> Response:
    """The models that are known by name: their configs as published, and where."""
    items = [{**asdict(preset), "model_type": preset.model_type} for preset in PRESETS.values()]
    return JSONResponse({"items": items})


@router.post("/estimate", response_model=ModelEstimate, openapi_extra=body_schema(_REQUEST, EXAMPLE))
async def estimate_model(body: JsonBody, service: ServiceDep) -> Response:
    """Parameters, FLOPs and memory of a model, dense and with DYAD, layer by layer and in all; nothing of its size is built.

    ``config`` is the name of a preset or the object of a ``config.json``. Where a measurement of the same work is stored, its
    times of single layers foretell the step. A candidate that cannot be built says why and fails nothing.
    """
    measured = body.get(MEASURED)
    if measured is not None and not isinstance(measured, str):
        raise SpecError([Problem(MEASURED, "must be the id of a measurement", measured)])
    spec = build(EstimateSpec, body, allowed=frozenset({MEASURED}))
    times, where = await run_in_threadpool(times_for, spec, service.store, measured)
    found = await estimate_of(spec)
    return JSONResponse(await run_in_threadpool(_answer, found, times, where))


def _answer(found: ModelEstimate, times: Any, where: str | None) -> dict[str, Any]:
    from dyad_core.models.cost.estimate import foretold  # needs what the estimate needed

    return foretold(found, times, where).to_dict()
