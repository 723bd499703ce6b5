"""``/api/v1/structure``: exact answers about the structure of layers, computed at once.

Sizes are bounded by :mod:`dyad_core.structure`, whose cost does not depend on the width.
"""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Response
from pydantic import TypeAdapter
from starlette.responses import JSONResponse

from backend.bodies import JsonBody, body_schema, build
from dyad_core.errors import Problem, SpecError
from dyad_core.geometry import DyadGeometry
from dyad_core.structure import Window, connectivity, pattern, reachability

__all__ = ["router"]

router = APIRouter(prefix="/structure", tags=["structure"])

MAX_LAYERS = 48
EXAMPLE = {"in_features": 768, "out_features": 3072, "n_blocks": 4, "variant": "it", "grain": 1}

_GEOMETRY = TypeAdapter(DyadGeometry).json_schema()
_WINDOW = {"anyOf": [TypeAdapter(Window).json_schema(), {"type": "null"}]}
_PATTERN = {
    **_GEOMETRY,
    "title": "PatternRequest",
    "properties": {
        **_GEOMETRY["properties"],
        "window": _WINDOW,
        "max_cells": {"type": "integer", "minimum": 1, "maximum": 512, "default": 512},
    },
}
_CHAIN = {
    "type": "object",
    "title": "ReachabilityRequest",
    "required": ["layers"],
    "properties": {"layers": {"type": "array", "items": _GEOMETRY, "minItems": 1, "maxItems": MAX_LAYERS}},
}


@router.post("/pattern", response_model=dict[str, Any], openapi_extra=body_schema(_PATTERN, EXAMPLE))
def weight_pattern(body: JsonBody) -> Response:
    """The weight as a picture of at most 512 × 512 counted cells; ``window`` zooms in, down to single entries."""
    problems: list[Problem] = []
    window = None
    if body.get("window") is not None:
        try:
            window = build(Window, _object("window", body["window"]))
        except SpecError as error:
            problems += [
                problem.under("window") if problem.field != "window" else problem for problem in error.problems
            ]
    try:
        geometry = build(DyadGeometry, body, allowed=frozenset({"window", "max_cells"}))
    except SpecError as error:
        problems += error.problems
    if problems:
        raise SpecError(problems)
    return JSONResponse(pattern(geometry, window=window, max_cells=body.get("max_cells", 512)).to_dict())


@router.post("/connectivity", response_model=dict[str, Any], openapi_extra=body_schema(_GEOMETRY, EXAMPLE))
def hub_graph(body: JsonBody) -> Response:
    """The 2n hubs of a layer: what each reads and feeds, and how many features two of them share."""
    return JSONResponse(connectivity(build(DyadGeometry, body)).to_dict())


@router.post("/reachability", response_model=dict[str, Any], openapi_extra=body_schema(_CHAIN, {"layers": [EXAMPLE]}))
def reached_share(body: JsonBody) -> Response:
    """The share of feature pairs that a chain of 1 to 48 layers connects, after each layer."""
    problems = [
        Problem(name, "is not a field of this request", body[name], "known fields: layers")
        for name in body
        if name != "layers"
    ]
    layers: list[DyadGeometry] = []
    given = body.get("layers")
    if not isinstance(given, list) or not 1 <= len(given) <= MAX_LAYERS:
        problems.append(Problem("layers", f"must be a list of 1 to {MAX_LAYERS} layers", given))
        given = []
    for index, item in enumerate(given):
        try:
            layers.append(build(DyadGeometry, _object(f"layers.{index}", item)))
        except SpecError as error:
            where = f"layers.{index}"
            problems += [problem if problem.field == where else problem.under(where) for problem in error.problems]
    if problems:
        raise SpecError(problems)
    return JSONResponse(reachability(layers).to_dict())


def _object(name: str, value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise SpecError([Problem(name, "must be an object", value)])
    return value
