"""Older result files become what this version reads; newer ones are refused with a sentence."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from dyad_core.bench.parts import compared
from dyad_core.errors import Problem, SpecError

__all__ = ["SCHEMA_VERSION", "upgraded"]

SCHEMA_VERSION = 2


def _compared_with_dense(values: dict[str, Any]) -> dict[str, Any]:
    """Version 2 splits the outcome ``measured`` by the interval; training steps had no optimizer before it."""
    candidates, spec = values.get("candidates"), values.get("spec")
    upgraded = {**values, "schema_version": 2}
    if isinstance(spec, dict):
        upgraded["spec"] = {"optimizer": "none", **spec}
    if isinstance(candidates, list):
        upgraded["candidates"] = [_with_comparison(each) for each in candidates]
    return upgraded


def _with_comparison(values: Any) -> Any:
    if not isinstance(values, dict) or values.get("outcome") != "measured" or values.get("variant") == "dense":
        return values
    low, high = values.get("speedup_low"), values.get("speedup_high")
    if not isinstance(low, int | float) or not isinstance(high, int | float):
        return values
    return {**values, "outcome": compared(low, high)}


_UPGRADES: dict[int, Callable[[dict[str, Any]], dict[str, Any]]] = {1: _compared_with_dense}
"""From version k to k + 1; each entry takes and returns the whole file as a dictionary."""


def upgraded(values: Any) -> dict[str, Any]:
    """The same file in the newest version.

    Raises:
        SpecError: it is no file of ours, or newer.
    """
    if not isinstance(values, dict):
        raise SpecError([Problem("run", "must be a JSON object", type(values).__name__)])
    version = values.get("schema_version")
    if isinstance(version, bool) or not isinstance(version, int) or version < 1:
        raise SpecError([Problem("schema_version", "must be a positive integer", version)])
    if version > SCHEMA_VERSION:
        rule = f"this version reads result files up to schema {SCHEMA_VERSION}"
        raise SpecError([Problem("schema_version", rule, version, "update dyad-explorer to read this file")])
    while version < SCHEMA_VERSION:
        values = _UPGRADES[version](values)
        version += 1
    return dict(values)
