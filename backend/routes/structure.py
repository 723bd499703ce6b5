"""``/api/v1/structure``: answers about the structure of layers, computed at once.

Sizes are bounded by :mod:`dyad_core.structure`, whose cost does not depend on the width. What is asked for beside the
plain answer adds a key to it and changes nothing else.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastapi import APIRouter, Response
from starlette.responses import JSONResponse

from backend.bodies import JsonBody, Problems, as_object, body_schema, build, nested, or_null, schema_of
from backend.deps import UploadsDep
from backend.realised import realised_picture
from backend.requests import Feature, Pair, RankOf, RealisedDraw, RealisedUpload, list_problem
from dyad_core.errors import Problem
from dyad_core.geometry import VARIANTS, DyadGeometry
from dyad_core.structure import (
    Window,
    advice,
    compare,
    connectivity,
    heatmaps,
    locality,
    neighbours,
    pattern,
    rank,
    reachability,
    trace,
)

__all__ = ["router"]

router = APIRouter(prefix="/structure", tags=["structure"])

MAX_LAYERS = 48
MAX_GRAINS = 8
EXAMPLE = {"in_features": 768, "out_features": 3072, "n_blocks": 4, "variant": "it", "grain": 1}
DRAWINGS: dict[str, Callable[[list[DyadGeometry]], Any]] = {
    "heatmaps": heatmaps,
    "locality": locality,
    "compare": compare,
}
"""Fields of a reachability request that each add an answer under their own name."""
CHAIN_FIELDS = ("layers", "paths", *DRAWINGS, "pair", "rank")


_GEOMETRY = schema_of(DyadGeometry)
_FLAG = {"type": "boolean", "default": False}
_PATTERN = {
    **_GEOMETRY,
    "title": "PatternRequest",
    "properties": {
        **_GEOMETRY["properties"],
        "window": or_null(schema_of(Window)),
        "max_cells": {"type": "integer", "minimum": 1, "maximum": 512, "default": 512},
        "weights": or_null({"anyOf": [schema_of(RealisedDraw), schema_of(RealisedUpload)]}),
    },
}
_LAYER = {
    **_GEOMETRY,
    "title": "ConnectivityRequest",
    "properties": {**_GEOMETRY["properties"], "feature": or_null(schema_of(Feature))},
}
_CHAIN = {
    "type": "object",
    "title": "ReachabilityRequest",
    "required": ["layers"],
    "additionalProperties": False,
    "properties": {
        "layers": {"type": "array", "items": _GEOMETRY, "minItems": 1, "maxItems": MAX_LAYERS},
        "paths": _FLAG,
        **dict.fromkeys(DRAWINGS, _FLAG),
        "pair": or_null(schema_of(Pair)),
        "rank": or_null(schema_of(RankOf)),
    },
}
_SIZE = {"type": "integer", "minimum": 1, "maximum": 2**20}
_ADVICE = {
    "type": "object",
    "title": "AdviceRequest",
    "required": ["in_features", "out_features"],
    "additionalProperties": False,
    "properties": {
        "in_features": _SIZE,
        "out_features": _SIZE,
        "variants": {"type": "array", "items": {"enum": list(VARIANTS)}, "minItems": 1, "uniqueItems": True},
        "grains": {"type": "array", "items": {"type": "integer", "minimum": 1}, "minItems": 1, "maxItems": MAX_GRAINS},
    },
}


@router.post("/pattern", response_model=dict[str, Any], openapi_extra=body_schema(_PATTERN, EXAMPLE))
def weight_pattern(body: JsonBody, uploads: UploadsDep) -> Response:
    """The weight as a picture of at most 512 × 512 counted cells; ``window`` zooms in, down to single entries.

    ``weights`` adds a picture of actual values, drawn or uploaded: mean magnitude and sign by cell.
    """
    problems = Problems()
    window = nested(problems, Window, body, "window")
    realised = _realised(problems, body)
    with problems.collecting():
        geometry = build(DyadGeometry, body, allowed=frozenset({"window", "max_cells", "weights"}))
    problems.stop()
    cells = body.get("max_cells", 512)
    answer = pattern(geometry, window=window, max_cells=cells).to_dict()
    if realised is not None:
        with problems.collecting("weights"):
            answer["weights"] = realised_picture(realised, geometry, uploads, window=window, max_cells=cells)
        problems.stop()
    return JSONResponse(answer)


def _realised(problems: Problems, body: dict[str, Any]) -> RealisedDraw | RealisedUpload | None:
    weights = body.get("weights")
    if isinstance(weights, dict) and "upload" in weights:
        return nested(problems, RealisedUpload, body, "weights")
    return nested(problems, RealisedDraw, body, "weights")


@router.post("/connectivity", response_model=dict[str, Any], openapi_extra=body_schema(_LAYER, EXAMPLE))
def hub_graph(body: JsonBody) -> Response:
    """The 2n hubs of a layer: what each reads and feeds, and how many features two of them share.

    ``feature`` adds ``neighbours``: what one input feeds, or what one output reads.
    """
    problems = Problems()
    feature = nested(problems, Feature, body, "feature")
    with problems.collecting():
        geometry = build(DyadGeometry, body, allowed=frozenset({"feature"}))
    problems.stop()
    answer = connectivity(geometry).to_dict()
    if feature is not None:
        side, index = feature.side, feature.index
        with problems.collecting("feature"):
            found = neighbours(geometry, input=index) if side == "input" else neighbours(geometry, output=index)
            answer["neighbours"] = _without(found.to_dict(), "geometry")
        problems.found = [_renamed(problem, f"feature.{side}", "feature.index") for problem in problems.found]
        problems.stop()
    return JSONResponse(answer)


@router.post("/reachability", response_model=dict[str, Any], openapi_extra=body_schema(_CHAIN, {"layers": [EXAMPLE]}))
def reached_share(body: JsonBody) -> Response:
    """The share of feature pairs that a chain of 1 to 48 layers connects, after each layer.

    Beside it, when asked: how evenly ``paths`` are spread, ``heatmaps`` and ``locality`` of hops and paths, one ``pair``
    of features, other structures at equal parameters (``compare``), the numerical ``rank`` of drawn weights.
    """
    problems = Problems()
    problems.refuse_unknown(body, CHAIN_FIELDS)
    layers = _layers(problems, body.get("layers"))
    with_paths = problems.flag(body, "paths")
    drawings = {name: answer for name, answer in DRAWINGS.items() if problems.flag(body, name)}
    pair, rank_of = nested(problems, Pair, body, "pair"), nested(problems, RankOf, body, "rank")
    problems.stop()
    answer = reachability(layers, paths=with_paths).to_dict()
    for name, draw in drawings.items():
        with problems.collecting():
            answer[name] = _without(draw(layers).to_dict(), "layers")
    if pair is not None:
        with problems.collecting("pair"):
            answer["pair"] = _without(trace(layers, pair.input, pair.output).to_dict(), "layers")
    if rank_of is not None:
        with problems.collecting():
            answer["rank"] = _without(rank(layers, rank_of.seed).to_dict(), "layers")
    problems.stop()
    return JSONResponse(answer)


def _layers(problems: Problems, given: Any) -> list[DyadGeometry]:
    layers: list[DyadGeometry] = []
    if not isinstance(given, list) or not 1 <= len(given) <= MAX_LAYERS:
        rule = f"must be a list of 1 to {MAX_LAYERS} layers"
        many = isinstance(given, list) and len(given) > MAX_LAYERS
        received = f"{len(given)} layers" if many else given
        advice = "take fewer" if many else "depth 0 has nothing to reach: give one layer at least"
        problems.found.append(Problem("layers", rule, received, advice))
        return layers
    for index, item in enumerate(given):
        where = f"layers.{index}"
        with problems.collecting(where):
            layers.append(build(DyadGeometry, as_object(where, item)))
    return layers


@router.post(
    "/advice",
    response_model=dict[str, Any],
    openapi_extra=body_schema(_ADVICE, {"in_features": 768, "out_features": 3072}),
)
def which_n(body: JsonBody) -> Response:
    """Every n for two sizes: what it costs and saves, how deep it must be stacked to mix, and a recommendation."""
    problems = Problems()
    problems.refuse_unknown(body, ("in_features", "out_features", "variants", "grains"))
    problems.found += [Problem(name, "is required") for name in ("in_features", "out_features") if name not in body]
    variants, grains = body.get("variants", ["it", "ot", "dt"]), body.get("grains", [1])
    lists = (list_problem("variants", variants, str), list_problem("grains", grains, int, MAX_GRAINS))
    problems.found += [problem for problem in lists if problem is not None]
    problems.stop()
    return JSONResponse(advice(body["in_features"], body["out_features"], variants=variants, grains=grains).to_dict())


def _without(answer: dict[str, Any], name: str) -> dict[str, Any]:
    """An answer without what the whole one says already."""
    return {key: value for key, value in answer.items() if key != name}


def _renamed(problem: Problem, field: str, name: str) -> Problem:
    return Problem(name, problem.rule, problem.received, problem.suggestion) if problem.field == field else problem
