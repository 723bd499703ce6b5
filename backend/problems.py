"""Every error of the service as RFC 9457 ``application/problem+json``, with one entry per wrong field.

::

    {"type", "title", "status", "detail", "instance", "errors": [{"field", "rule", "received", "suggestion"}]}

``instance`` names the request by its id, which is in the header ``X-Request-ID`` and in the log as well.

Handlers translate what can go wrong: our own :class:`~dyad_core.errors.SpecError`, FastAPI's validation errors,
HTTP errors such as 404, refusals of the queue, and as the last resort anything unforeseen, whose cause goes to the
log and never to the client.
"""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, TypeAdapter
from sqlalchemy.exc import SQLAlchemyError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

from backend.jobs.admission import KeyReused, QueueFull
from backend.jobs.desk import StillRunning
from backend.jobs.states import IllegalChange
from backend.observing.request_id import HEADER, current_request_id, problem_instance
from backend.store.answers import database_answer
from backend.store.store import UnknownJob
from backend.uploads import UnknownUpload
from dyad_core.errors import DyadError, Problem, SpecError

__all__ = ["PROBLEM_RESPONSES", "ProblemDocument", "Refusal", "install", "problem_response"]

_log = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"
LONGEST_TEXT = 500
LONGEST_RECEIVED = 200
RETRY_AFTER_S = 30


class FieldProblem(BaseModel):
    """One wrong field."""

    field: str
    rule: str
    received: Any
    suggestion: str


class ProblemDocument(BaseModel):
    """The body of every error (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str
    instance: str = ""
    errors: list[FieldProblem]


_SCHEMA = {key: value for key, value in TypeAdapter(ProblemDocument).json_schema().items() if key != "$defs"}
_SCHEMA["properties"]["errors"]["items"] = TypeAdapter(FieldProblem).json_schema()  # a reference would not be found

PROBLEM_RESPONSES: dict[int | str, dict[str, Any]] = {
    "4XX": {
        "description": "The request cannot be served; one entry of `errors` per wrong field.",
        "content": {MEDIA_TYPE: {"schema": _SCHEMA}},
    }
}
"""For the OpenAPI document: what every route may answer instead."""


class Refusal(DyadError):  # noqa: N818 - the event, as the library's family names it
    """A request that is refused before its fields are looked at."""

    def __init__(self, status: int, detail: str, problem: Problem | None = None) -> None:
        """Answer with ``status`` and the sentence ``detail``."""
        super().__init__(detail)
        self.status, self.detail = status, detail
        self.problems = () if problem is None else (problem,)


def problem_response(
    status: int, detail: str, problems: Iterable[Problem] = (), headers: Mapping[str, str] | None = None
) -> JSONResponse:
    """Build the answer; texts and received values are cut and cleaned so that they are always valid JSON."""
    phrase = _phrase(status)
    body = {
        "type": f"urn:dyad-explorer:problem:{phrase.lower().replace(' ', '-')}",
        "title": phrase,
        "status": status,
        "detail": clean(detail),
        **problem_instance(),
        "errors": [
            {
                "field": clean(problem.field),
                "rule": clean(problem.rule),
                "received": printable(problem.received),
                "suggestion": clean(problem.suggestion),
            }
            for problem in problems
        ],
    }
    return JSONResponse(body, status, media_type=MEDIA_TYPE, headers=headers)


def _phrase(status: int) -> str:
    return "Unprocessable Content" if status == 422 else HTTPStatus(status).phrase  # older Pythons call 422 otherwise


def clean(text: str, longest: int = LONGEST_TEXT) -> str:
    """Text that can be sent: lone surrogates and control characters escaped, long text cut."""
    escaped = text.encode("utf-8", "backslashreplace").decode().replace("\x00", "\\x00")
    return escaped if len(escaped) <= longest else f"{escaped[:longest]}…"


def printable(value: Any) -> Any:
    """A received value as it may be shown: short JSON values as they are, anything else as short text."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return clean(value, LONGEST_RECEIVED)
    if isinstance(value, int):
        return value if abs(value) < 2**63 else clean(str(value), LONGEST_RECEIVED)
    if isinstance(value, float):
        return value if math.isfinite(value) else json.dumps(value)  # NaN, Infinity or -Infinity, as a text
    if isinstance(value, list | tuple | dict):
        try:
            text = json.dumps(value, allow_nan=False)
        except (TypeError, ValueError, RecursionError):
            return clean(f"{type(value).__name__} of {len(value)}", LONGEST_RECEIVED)
        if len(text) <= LONGEST_RECEIVED and "\\u" not in text:
            return json.loads(text)
        return clean(text, LONGEST_RECEIVED)
    return clean(str(value), LONGEST_RECEIVED)


def install(app: FastAPI) -> None:
    """Register every handler on ``app``."""
    app.add_exception_handler(SpecError, _spec_error)
    app.add_exception_handler(RequestValidationError, _validation_error)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(Refusal, _refusal)
    app.add_exception_handler(UnknownJob, _unknown_job)
    app.add_exception_handler(UnknownUpload, _unknown_upload)
    app.add_exception_handler(IllegalChange, _illegal_change)
    app.add_exception_handler(StillRunning, _still_running)
    app.add_exception_handler(QueueFull, _queue_full)
    app.add_exception_handler(KeyReused, _key_reused)
    app.add_exception_handler(SQLAlchemyError, _database_error)
    app.add_exception_handler(Exception, _unforeseen)


def _spec_error(_request: Request, error: Exception) -> JSONResponse:
    problems = error.problems if isinstance(error, SpecError) else ()
    count = len(problems)
    detail = "One field is wrong." if count == 1 else f"{count} problems were found."
    return problem_response(422, detail, problems)


def _validation_error(_request: Request, error: Exception) -> JSONResponse:
    problems = []
    for item in error.errors() if isinstance(error, RequestValidationError) else ():
        where = [str(part) for part in item["loc"] if part not in ("body", "query", "path", "header")]
        rule = str(item["msg"]).removeprefix("Input ").removeprefix("Value error, ")
        problems.append(Problem(".".join(where) or "body", rule, item.get("input")))
    return _spec_error(_request, SpecError(problems))


def _http_error(request: Request, error: Exception) -> JSONResponse:
    status = error.status_code if isinstance(error, HTTPException) else 500
    headers = error.headers if isinstance(error, HTTPException) else None
    path = clean(request.url.path, LONGEST_RECEIVED)
    details = {
        404: f"There is nothing at {path}; /docs lists every address.",
        405: f"{request.method} is not possible at {path}; /docs lists every address.",
    }
    detail = details.get(status) or str(getattr(error, "detail", "")) or _phrase(status)
    return problem_response(status, detail, headers=headers)


def _refusal(_request: Request, error: Exception) -> JSONResponse:
    status = error.status if isinstance(error, Refusal) else 400
    return problem_response(status, str(error), getattr(error, "problems", ()))


def _unknown_job(_request: Request, error: Exception) -> JSONResponse:
    problem = Problem("id", "no run has this id", str(error), "GET /api/v1/jobs lists every run")
    return problem_response(404, "There is no run with this id.", [problem])


def _unknown_upload(_request: Request, error: Exception) -> JSONResponse:
    problems = error.problems if isinstance(error, UnknownUpload) else ()
    return problem_response(404, "There is no upload with this id.", problems)


def _illegal_change(_request: Request, error: Exception) -> JSONResponse:
    current = str(error.current) if isinstance(error, IllegalChange) else None
    problem = Problem("status", "does not allow this", current)
    return problem_response(409, str(error), [problem])


def _still_running(_request: Request, error: Exception) -> JSONResponse:
    problem = Problem("status", "must not be running", "running", "cancel the run, then delete it")
    return problem_response(409, str(error), [problem])


def _queue_full(_request: Request, error: Exception) -> JSONResponse:
    seconds = error.retry_after_s if isinstance(error, QueueFull) else RETRY_AFTER_S
    detail = f"{error} Try again in {seconds} s; DYAD_QUEUE_LIMIT and DYAD_CLIENT_QUEUE_LIMIT change the limits."
    return problem_response(429, detail, headers={"Retry-After": str(seconds)})


def _key_reused(_request: Request, error: Exception) -> JSONResponse:
    problem = Problem(
        "Idempotency-Key", "must be new for each request", None, "draw a new key, or send the same request"
    )
    return problem_response(422, str(error), [problem])


def _database_error(request: Request, error: Exception) -> JSONResponse:
    answer = database_answer(error, request.method)
    if answer is None:
        return _unforeseen(request, error)
    _log.error("%s %s: %s", request.method, request.url.path, answer.detail, exc_info=error)
    headers = None if answer.retry_after_s is None else {"Retry-After": str(answer.retry_after_s)}
    return problem_response(answer.status, answer.detail, headers=headers)


def _unforeseen(request: Request, error: Exception) -> JSONResponse:
    _log.error("unforeseen error at %s %s", request.method, request.url.path, exc_info=error)
    # The only answer that is sent from outside of every layer, the one that adds this header among them.
    headers = {HEADER: current_request_id()}
    return problem_response(500, "The service made a mistake; its log has the details.", headers=headers)
