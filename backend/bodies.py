"""Read a JSON request body without trusting it.

The bytes are bounded before they are read (:mod:`backend.security.sizes`), the number of values before they are parsed,
and every value is looked at before it reaches a specification: NaN and
Infinity, numbers beyond 64 bits, characters that cannot be stored and deep nesting each become a sentence with the
name of the field. No value is converted: ``"4"`` and ``4.0`` are not the integer 4, and the rules of each
specification say so.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import MISSING, fields
from typing import Annotated, Any, TypeVar

from fastapi import Depends, Request
from pydantic import TypeAdapter

from backend.problems import Refusal
from dyad_core.errors import Problem, SpecError

__all__ = [
    "BodyBytes",
    "JsonBody",
    "Problems",
    "as_object",
    "body_schema",
    "build",
    "media_type_of",
    "nested",
    "or_null",
    "schema_of",
]

DEEPEST = 32
MOST_VALUES = 100_000
"""A byte or two of JSON, such as ``[],``, becomes a hundred in memory; no request comes near this many."""
LARGEST_INTEGER = 2**63 - 1
LONGEST_INTEGER_TEXT = 400
_T = TypeVar("_T")


def media_type_of(request: Request, missing: str) -> str:
    """The media type that the request declares for its body, without parameters; ``missing`` where it says none."""
    return request.headers.get("content-type", missing).partition(";")[0].strip().lower()


async def read_bytes(request: Request) -> bytes:
    """Read the body, whose size is bounded on its way here.

    Raises:
        Refusal: 415 for a body that says it is not JSON, 413 for one that is too large.
    """
    media_type = media_type_of(request, "application/json")
    if media_type != "application/json" and not media_type.endswith("+json"):
        problem = Problem("Content-Type", "must be application/json", media_type, "send the header with the body")
        raise Refusal(415, "The body must be JSON.", problem)
    return await request.body()


BodyBytes = Annotated[bytes, Depends(read_bytes)]
"""A route's parameter: the request body as it came; :data:`JsonBody` checks the same bytes."""


def json_object(body: BodyBytes) -> dict[str, Any]:
    """Parse the body and check every value in it.

    Raises:
        Refusal: 400 when it is not JSON, 413 when it holds more values than any request.
        SpecError: it is not an object, or holds values that no field can take.
    """
    if sum(map(body.count, (b",", b"[", b"{"))) > MOST_VALUES:
        raise Refusal(413, f"The JSON holds more than {MOST_VALUES:,} values.")
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


class Problems:
    """What is wrong with a request, gathered so that everything is said at once."""

    def __init__(self) -> None:
        """Start with nothing."""
        self.found: list[Problem] = []

    @contextmanager
    def collecting(self, prefix: str = "") -> Iterator[None]:
        """Keep the problems that the ``with`` block raises, their fields named under ``prefix``."""
        try:
            yield
        except SpecError as error:
            self.found += [
                problem if not prefix or problem.field == prefix else problem.under(prefix)
                for problem in error.problems
            ]

    def refuse_unknown(self, values: dict[str, Any], known: Collection[str]) -> None:
        """Add one problem for each field that is not known."""
        rule, listed = "is not a field of this request", f"known fields: {', '.join(known)}"
        self.found += [Problem(name, rule, value, listed) for name, value in values.items() if name not in known]

    def flag(self, values: dict[str, Any], name: str) -> bool:
        """A field that is true or false, false when it is missing."""
        value = values.get(name, False)
        if not isinstance(value, bool):
            self.found.append(Problem(name, "must be true or false", value))
        return value is True

    def stop(self) -> None:
        """Return when there is none.

        Raises:
            SpecError: with all of them.
        """
        if self.found:
            raise SpecError(self.found)


def as_object(name: str, value: Any) -> dict[str, Any]:
    """A value that must be a JSON object.

    Raises:
        SpecError: it is none.
    """
    if not isinstance(value, dict):
        raise SpecError([Problem(name, "must be an object", value)])
    return value


def nested(problems: Problems, kind: Callable[..., _T], values: dict[str, Any], name: str) -> _T | None:
    """Build a dataclass from the object in the field ``name``; None when it is missing, null or wrong."""
    if values.get(name) is None:
        return None
    with problems.collecting(name):
        return build(kind, as_object(name, values[name]))
    return None


def schema_of(kind: Any) -> dict[str, Any]:
    """The JSON schema of a dataclass without references, to be put into a larger one."""
    schema = TypeAdapter(kind).json_schema()
    if "$defs" in schema:
        msg = f"{kind.__name__} refers to other schemas: put those of its fields in by hand"
        raise TypeError(msg)
    return schema


def or_null(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema of a value that may be null."""
    return {"anyOf": [schema, {"type": "null"}]}


def body_schema(schema: dict[str, Any], example: dict[str, Any]) -> dict[str, Any]:
    """The ``openapi_extra`` of a route whose body is read by :data:`JsonBody`."""
    content = {"application/json": {"schema": schema, "example": example}}
    return {"requestBody": {"required": True, "content": content}}
