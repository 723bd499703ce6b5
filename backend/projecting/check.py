"""Check a projection request against the uploads it names, without reading a value of them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from backend.bodies import Problems, build, nested
from backend.requests import Examine, ProjectionRequest, Reorder
from backend.uploads import Uploads
from dyad_core.errors import Problem, SpecError
from dyad_core.geometry import DyadGeometry
from dyad_core.weights.entries import TensorEntry
from dyad_core.weights.singular_values import MAX_SMALLER_SIDE
from dyad_core.weights.structures import candidate_geometries

__all__ = ["checked_request"]

NESTED = frozenset({"examine", "reorder"})


def checked_request(body: dict[str, Any], uploads: Uploads) -> ProjectionRequest:
    """Read a request; every tensor is named in the result, also where the body leaves the only one unnamed.

    Raises:
        SpecError: with every problem found.
    """
    problems = Problems()
    examine, reorder = nested(problems, Examine, body, "examine"), nested(problems, Reorder, body, "reorder")
    with problems.collecting():
        plain = {name: value for name, value in body.items() if name not in NESTED}
        request = build(ProjectionRequest, plain, allowed=NESTED)
    problems.stop()
    with problems.collecting():  # an upload that is not there is a wrong field here, no missing page
        entry = uploads.get(request.upload).choose(request.tensor)
    problems.stop()
    in_features, out_features = _sizes(entry, transpose=request.transpose)
    with problems.collecting():
        candidate_geometries(in_features, out_features, request.variants, request.n_blocks, request.grains)
    if examine is not None:
        with problems.collecting("examine"):
            examine.geometry(in_features, out_features)
        if min(in_features, out_features) > MAX_SMALLER_SIDE:
            rule = f"needs singular values, which are computed up to a smaller side of {MAX_SMALLER_SIDE}"
            problems.found.append(Problem("examine", rule, min(in_features, out_features), "leave it out"))
    if reorder is not None:
        with problems.collecting("reorder"):
            reorder = _checked_reorder(reorder, request.upload, uploads, in_features, out_features)
    problems.stop()
    return replace(request, tensor=entry.name, examine=examine, reorder=reorder)


def _checked_reorder(wanted: Reorder, upload: str, uploads: Uploads, in_features: int, hidden: int) -> Reorder:
    wanted = replace(wanted, upload=wanted.upload or upload)
    entry = uploads.get(wanted.upload or upload).choose(wanted.tensor)
    columns, out_features = _sizes(entry, transpose=wanted.transpose)
    if columns != hidden:
        rule = f"must take the {hidden} outputs of the first weight as its inputs"
        suggestion = "is it stored transposed? set transpose" if out_features == hidden else ""
        raise SpecError([Problem("tensor", rule, f"{entry.name}, {columns} → {out_features}", suggestion)])
    first, second = wanted.variants
    DyadGeometry(in_features, hidden, wanted.n_blocks, first, wanted.grain)
    DyadGeometry(hidden, out_features, wanted.n_blocks, second, wanted.grain)
    return wanted


def _sizes(entry: TensorEntry, *, transpose: bool) -> tuple[int, int]:
    """in_features and out_features."""
    rows, columns = entry.shape
    return (rows, columns) if transpose else (columns, rows)
