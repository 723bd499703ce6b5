"""Read a JSON request body without trusting it.

The bytes are bounded before they are read, and every value is looked at before it reaches a specification: NaN and
Infinity, numbers beyond 64 bits, characters that cannot be stored and deep nesting each become a sentence with the
name of the field. No value is converted: ``"4"`` and ``4.0`` are not the integer 4, and the rules of each
specification say so.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from dataclasses import MISSING, fields
from typing import Annotated, Any, TypeVar

from fastapi import Depends, Request

from backend.problems import Refusal
from backend.settings import Settings
from dyad_core.errors import Problem, SpecError

__all__ = ["BodyBytes", "JsonBody", "body_schema", "build"]

DEEPEST = 32
LARGEST_INTEGER = 2**63 - 1
LONGEST_INTEGER_TEXT = 400
_T = TypeVar("_T")


async def read_bytes(request: Request) -> bytes:
    """Read the body, at most ``max_body_bytes`` of it.

    Raises:
        Refusal: 415 for a body that says it is not JSON, 413 for one that is too large.
    """
    settings: Settings = request.app.state.settings
    media_type = request.headers.get("content-type", "application/json").partition(";")[0].strip().lower()
    if media_type != "application/json" and not media_type.endswith("+json"):
        problem = Problem("Content-Type", "must be application/json", media_type, "send the header with the body")
        raise Refusal(415, "The body must be JSON.", problem)
    too_large = Refusal(
        413,
        f"The body is larger than {settings.max_body_bytes} bytes; DYAD_MAX_BODY_BYTES changes the limit.",
    )
    declared = request.headers.get("content-length", "")
    if declared.isascii() and declared.isdigit() and int(declared[:20]) > settings.max_body_bytes:
        raise too_large
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > settings.max_body_bytes:
            raise too_large
    return bytes(body)


BodyBytes = Annotated[bytes, Depends(read_bytes)]
"""A route's parameter: the request body as it came; :data:`JsonBody` checks the same bytes."""


def json_object(body: BodyBytes) -> dict[str, Any]:
    """Parse the body and check every value in it.

    Raises:
        Refusal: 400 when it is not JSON.
        SpecError: it is not an object, or holds values that no field can take.
    """
    try:
        # A number of a hundred digits and more stays text: converting it would cost time and serve nobody.
        values = json.loads(
            body, parse_int=lambda digits: int(digits) if len(digits) < LONGEST_INTEGER_TEXT else digits
        )
    except RecursionError as error:
        raise Refusal(400, f"The JSON is nested deeper than {DEEPEST} levels.") from error
    except UnicodeDecodeError as error:
        raise Refusal(400, f"The body is not UTF-8: byte {error.start} cannot be decoded.") from error
    except json.JSONDecodeError as error:
        raise Refusal(
            400, f"The body is not JSON: {error.msg} at line {error.lineno}, column {error.colno}."
        ) from error
    if not isinstance(values, dict):
        raise SpecError([Problem("body", "must be a JSON object", values, 'for example {"in_features": 768, …}')])
    problems = list(_value_problems(values))
    if problems:
        raise SpecError(problems)
    return values


JsonBody = Annotated[dict[str, Any], Depends(json_object)]
"""A route's parameter: the request body as a checked dictionary."""


def _value_problems(root: dict[str, Any]) -> Iterator[Problem]:
    """Walk without recursion; report at most one problem per value and stop at a hundred."""
    waiting: list[tuple[str, Any, int]] = [("", root, 0)]
    found = 0
    while waiting and found < 100:
        where, value, depth = waiting.pop()
        if depth > DEEPEST:
            yield Problem(where[:80], f"must not be nested deeper than {DEEPEST} levels")
            return
        if isinstance(value, dict):
            for key, item in reversed(value.items()):
                if rule := _text_rule(key):
                    found += 1
                    yield Problem(f"{where}.{key}".lstrip("."), f"the name {rule}", key)
                waiting.append((f"{where}.{key}".lstrip("."), item, depth + 1))
        elif isinstance(value, list):
            waiting.extend((f"{where}.{index}", item, depth + 1) for index, item in reversed(list(enumerate(value))))
        elif rule := _scalar_rule(value):
            found += 1
            yield Problem(where, rule, value)


def _scalar_rule(value: Any) -> str:
    if isinstance(value, float) and not math.isfinite(value):
        return "must be a finite number; NaN and Infinity are not JSON"
    if isinstance(value, int) and abs(value) > LARGEST_INTEGER:
        return "must lie between -(2**63 - 1) and 2**63 - 1"
    return _text_rule(value) if isinstance(value, str) else ""


def _text_rule(text: str) -> str:
    if "\x00" in text:
        return "must not contain the character NUL"
    if not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text):
        return "must not contain half of a surrogate pair"
    return ""


def build(kind: Callable[..., _T], values: dict[str, Any], allowed: frozenset[str] = frozenset()) -> _T:
    """Build a dataclass from a mapping, reporting unknown, missing and wrong fields together.

    ``allowed`` names further keys of ``values`` that belong to the caller.

    Raises:
        SpecError: with every problem.
    """
    known = {item.name: item for item in fields(kind)}  # type: ignore[arg-type] # a dataclass
    listed = ", ".join([*known, *sorted(allowed)])
    problems = [
        Problem(name, "is not a field of this request", values[name], f"known fields: {listed}")
        for name in values
        if name not in known and name not in allowed
    ]
    missing = [
        name
        for name, item in known.items()
        if name not in values and item.default is MISSING and item.default_factory is MISSING
    ]
    problems += [Problem(name, "is required") for name in missing]
    given = {name: value for name, value in values.items() if name in known}
    try:
        made = kind(**dict.fromkeys(missing), **given)
    except SpecError as error:
        problems += [problem for problem in error.problems if problem.field not in missing]
    if problems:
        raise SpecError(problems)
    return made


def body_schema(schema: dict[str, Any], example: dict[str, Any]) -> dict[str, Any]:
    """The ``openapi_extra`` of a route whose body is read by :data:`JsonBody`."""
    content = {"application/json": {"schema": schema, "example": example}}
    return {"requestBody": {"required": True, "content": content}}
