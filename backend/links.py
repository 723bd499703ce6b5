"""What can be asked next, told in the OpenAPI document: every answer that names a job or an upload links to what takes its id.

Clients made from the document follow these links, and so do the tests that draw chains of requests from it. They are made
from the addresses themselves, so an operation that is added under ``/jobs/{job_id}`` is linked to at once.
"""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI

__all__ = ["install", "linked"]

API = "/api/v1"
RUN = f"{API}/benchmarks/{{run_id}}"
SWEEP = f"{API}/sweeps/{{sweep_id}}"
MEASUREMENT = f"{API}/models/measurements/{{measurement_id}}"
JOB = f"{API}/jobs/{{job_id}}"
UPLOAD = f"{API}/uploads/{{upload_id}}"

ID, FIRST = "$response.body#/id", "$response.body#/items/0/id"

SOURCES: tuple[tuple[str, str, str, str, tuple[str, ...]], ...] = (
    (f"{API}/benchmarks", "post", "202", ID, (RUN, JOB)),
    (f"{API}/benchmarks", "get", "200", FIRST, (RUN,)),
    (f"{API}/benchmarks/import", "post", "200", ID, (RUN,)),
    (f"{API}/benchmarks/import", "post", "201", ID, (RUN,)),
    (f"{RUN}/cancel", "post", "202", ID, (RUN,)),
    (f"{API}/sweeps", "post", "202", ID, (SWEEP, JOB)),
    (f"{API}/sweeps", "get", "200", FIRST, (SWEEP,)),
    (f"{API}/sweeps/import", "post", "200", ID, (SWEEP,)),
    (f"{API}/sweeps/import", "post", "201", ID, (SWEEP,)),
    (f"{API}/models/measurements", "post", "202", ID, (MEASUREMENT, JOB)),
    (f"{API}/models/measurements", "get", "200", FIRST, (MEASUREMENT,)),
    (f"{API}/models/measurements/import", "post", "200", ID, (MEASUREMENT,)),
    (f"{API}/models/measurements/import", "post", "201", ID, (MEASUREMENT,)),
    (f"{API}/structure/projection", "post", "202", ID, (JOB,)),
    (f"{API}/jobs", "get", "200", FIRST, (JOB,)),
    (f"{API}/jobs", "post", "202", ID, (JOB,)),
    (f"{JOB}/cancel", "post", "202", ID, (JOB,)),
    (f"{API}/uploads", "post", "201", ID, (UPLOAD,)),
    (f"{API}/uploads", "get", "200", FIRST, (UPLOAD,)),
)
"""Address, method and status of an answer, where its id is, and the addresses that take it."""

METHODS = ("get", "post", "delete", "put", "patch")


def install(app: FastAPI) -> None:
    """Have the document of ``app`` say its links."""
    describe = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = linked(describe())
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign] # FastAPI's documented way to extend the document


def linked(document: dict[str, Any]) -> dict[str, Any]:
    """Put the links into an OpenAPI document and return it.

    Raises:
        KeyError: the document has no such answer.
    """
    for path, method, status, expression, nouns in SOURCES:
        answer = document["paths"][path][method]["responses"][status]
        answer["links"] = {name: link for noun in nouns for name, link in _links(document, noun, expression).items()}
    upload = document["paths"][f"{API}/uploads"]["post"]["responses"]["201"]["links"]
    projection = document["paths"][f"{API}/structure/projection"]["post"]["operationId"]
    upload[projection] = {"operationId": projection, "requestBody": {"upload": ID}}
    return document


def _links(document: dict[str, Any], noun: str, expression: str) -> dict[str, Any]:
    """A link to every operation at the address ``noun`` and below, by the operation's id."""
    parameter = noun.rpartition("{")[2].removesuffix("}")
    return {
        operation["operationId"]: {"operationId": operation["operationId"], "parameters": {parameter: expression}}
        for path, operations in document["paths"].items()
        if path == noun or path.startswith(f"{noun}/")
        for method, operation in operations.items()
        if method in METHODS
    }
