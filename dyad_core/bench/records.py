"""Frozen records from values of unknown origin: an imported file must be refused with a sentence, not crash later.

Only the types that the records of :mod:`dyad_core.bench.results` use are understood: numbers, strings,
booleans, literals, unions with None, homogeneous tuples, dictionaries, and other records already built.
"""

from __future__ import annotations

import dataclasses
import math
from types import UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from dyad_core.errors import Problem, SpecError

__all__ = ["build_record"]

T = TypeVar("T")


def build_record(kind: type[T], values: dict[str, Any], where: str) -> T:
    """Make the dataclass ``kind`` of values read from JSON: every field known, present and of its type.

    Lists become tuples. A field of the dataclass that ends in an underscore has none in JSON.

    Raises:
        SpecError: with every wrong field; ``where`` begins its name.
    """
    types = get_type_hints(kind)
    known = {description.name: description for description in dataclasses.fields(kind)}  # type: ignore[arg-type]
    problems = [Problem(_named(where, name), "is not a field of this record") for name in values if name not in known]
    checked: dict[str, Any] = {}
    for description in known.values():
        name = description.name
        defaults = (description.default, description.default_factory)
        if name in values:
            value = tuple(values[name]) if isinstance(values[name], list) else values[name]
            checked[name] = value
            if not _fits(value, types[name]):
                problems.append(Problem(_named(where, name), f"must be {_readable(types[name])}", _short(values[name])))
        elif defaults == (dataclasses.MISSING, dataclasses.MISSING):
            problems.append(Problem(_named(where, name), "is required"))
    if problems:
        raise SpecError(problems)
    return kind(**checked)


def _fits(value: Any, wanted: Any) -> bool:
    """Whether a value read from JSON (lists already tuples) is of an annotated type."""
    origin, arguments = get_origin(wanted), get_args(wanted)
    if origin in (Union, UnionType):
        return any(_fits(value, argument) for argument in arguments)
    if origin is Literal:
        return isinstance(value, str) and value in arguments
    if origin is tuple:
        return isinstance(value, tuple) and all(_fits(item, arguments[0]) for item in value)
    if origin is dict:
        return isinstance(value, dict) and all(_fits(item, arguments[1]) for item in value.values())
    if wanted is float:
        return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    if wanted is int:
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, wanted)


def _named(where: str, name: str) -> str:
    return f"{where}.{name.rstrip('_')}"


def _readable(wanted: Any) -> str:
    if get_origin(wanted) is Literal:
        return f"one of {', '.join(get_args(wanted))}"
    return str(getattr(wanted, "__name__", wanted)) if get_origin(wanted) is None else str(wanted)


def _short(value: Any) -> Any:
    text = repr(value)
    return value if len(text) <= 80 else f"{text[:77]}..."
