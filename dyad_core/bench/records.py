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

__all__ = ["build_record", "read_record"]

T = TypeVar("T")


def build_record(kind: type[T], values: dict[str, Any], where: str) -> T:
    """Make the dataclass ``kind`` of values read from JSON: every field known, present and of its type.

    Lists become tuples. A field of the dataclass that ends in an underscore has none in JSON.

    Raises:
        SpecError: with every wrong field; ``where`` begins its name.
    """
    types = _types(kind)
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


def read_record(kind: type[T], values: Any, where: str) -> T:
    """Like :func:`build_record` for records that hold records: each field that is one, or a list of them, is read first.

    A field whose name ends in an underscore has none in JSON (``pass_`` is ``"pass"``).

    Raises:
        SpecError: with every wrong field of the first record that has one; ``where`` begins its name.
    """
    if not isinstance(values, dict):
        raise SpecError([Problem(where, "must be an object", _short(values))])
    aliases = {name.rstrip("_"): name for name in _types(kind)}
    given: dict[str, Any] = {aliases.get(str(name), str(name)): value for name, value in values.items()}
    for name, wanted in _types(kind).items():
        inner = _record_in(wanted)
        if inner is None or given.get(name) is None:
            continue
        value, named = given[name], _named(where, name)
        if isinstance(value, list | tuple):
            given[name] = [read_record(inner, item, f"{named}.{index}") for index, item in enumerate(value)]
        else:
            given[name] = read_record(inner, value, named)
    return build_record(kind, given, where)


_KNOWN: dict[type[Any], dict[str, Any]] = {}


def _types(kind: type[Any]) -> dict[str, Any]:
    """Annotations of a record, evaluated once: that costs more than everything else here."""
    if kind not in _KNOWN:
        _KNOWN[kind] = get_type_hints(kind)
    return _KNOWN[kind]


def _record_in(wanted: Any) -> type[Any] | None:
    """The record class inside an annotation: itself, or the one of a union with None or of a tuple."""
    for each in (wanted, *get_args(wanted)):
        if isinstance(each, type) and dataclasses.is_dataclass(each):
            return each
    return None


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
        return isinstance(value, int | float) and not isinstance(value, bool) and _is_finite(value)
    if wanted is int:
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, wanted)


def _is_finite(value: float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:  # an integer beyond the largest float
        return False


def _named(where: str, name: str) -> str:
    return f"{where}.{name.rstrip('_')}"


def _readable(wanted: Any) -> str:
    if get_origin(wanted) is Literal:
        return f"one of {', '.join(get_args(wanted))}"
    return str(getattr(wanted, "__name__", wanted)) if get_origin(wanted) is None else str(wanted)


def _short(value: Any) -> Any:
    text = repr(value)
    return value if len(text) <= 80 else f"{text[:77]}..."
