"""Files of measured models: one run, JSON, UTF-8, written whole or not at all, and nothing in them trusted when they are read.

The reading is made anew from the figures, so the one in a file is for other readers.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, TypeVar

from dyad_core.bench.files import MAX_FILE_BYTES
from dyad_core.bench.json_text import check_header, read_json
from dyad_core.bench.noise import Noise
from dyad_core.bench.parts import Environment
from dyad_core.bench.records import build_record, read_record
from dyad_core.errors import Problem, SpecError
from dyad_core.models.measuring.plausibility import implausible
from dyad_core.models.measuring.reading import read_model_run
from dyad_core.models.records import SCHEMA_VERSION, LayerRow, ModelCandidate, ModelRun, ModelSampling, PartTime
from dyad_core.models.spec import ModelSpec

__all__ = ["load_model_run", "model_run_from_dict", "parse_model_run", "save_model_run"]

HEADER_BYTES = 64
MAX_ITEMS = 100_000
"""Of one list of a file; a model has at most some thousand linear layers."""

T = TypeVar("T")


def save_model_run(path: Path | str, run: ModelRun) -> None:
    """Write a run to a file, whole or not at all.

    Raises:
        SpecError: when the file cannot be written there.
    """
    target = Path(path)
    part = target.with_name(f"{target.name}.part")
    try:
        part.write_text(json.dumps(run.to_dict(), allow_nan=False, indent=1) + "\n", encoding="utf-8")
        part.replace(target)
    except OSError as error:
        raise SpecError([Problem("file", f"must be writable, and is not: {error.strerror}", str(target))]) from error


def load_model_run(path: Path | str) -> ModelRun:
    """Read a file.

    Raises:
        SpecError: not readable, too large, not JSON, not a measured model or of a newer schema; wrong fields are named.
    """
    source = Path(path)
    try:
        with source.open("rb") as file:
            check_header(file.read(HEADER_BYTES))
            file.seek(0)
            data = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise SpecError([Problem("file", f"must be readable, and is not: {error.strerror}", str(source))]) from error
    return parse_model_run(data)


def parse_model_run(data: bytes) -> ModelRun:
    """Read the bytes of a file; errors as for :func:`load_model_run`."""
    if len(data) > MAX_FILE_BYTES:
        rule = f"must be at most {MAX_FILE_BYTES:,} bytes"
        raise SpecError([Problem("file", rule, f"more than {MAX_FILE_BYTES:,} bytes")])
    read = read_json(data)
    try:
        return model_run_from_dict(read.values)
    except SpecError as error:
        raise read.placed(error.problems) from error


def model_run_from_dict(values: Any) -> ModelRun:
    """Read what :meth:`ModelRun.to_dict` wrote.

    Raises:
        SpecError: a newer schema, a missing or unknown field, a wrong type, figures that no measurement can have.
    """
    if not isinstance(values, dict):
        raise SpecError([Problem("run", "must be a JSON object", type(values).__name__)])
    version = values.get("schema_version")
    if isinstance(version, bool) or not isinstance(version, int) or not 1 <= version <= SCHEMA_VERSION:
        rule = f"must be an integer from 1 to {SCHEMA_VERSION}, the newest that this version of dyad-explorer reads"
        raise SpecError([Problem("schema_version", rule, version, "update dyad-explorer to read a newer file")])
    given: dict[str, Any] = {
        "spec": _spec(values.get("spec")),
        "environment": read_record(Environment, values.get("environment"), "environment"),
        "layers": _each(LayerRow, values, "layers"),
        "candidates": _each(ModelCandidate, values, "candidates"),
        "parts": _each(PartTime, values, "parts"),
    }
    if "sampling" in values:
        given["sampling"] = _each(ModelSampling, values, "sampling")
    if values.get("noise") is not None:
        given["noise"] = read_record(Noise, values["noise"], "noise")
    rest = {name: value for name, value in values.items() if name not in given}
    run = build_record(ModelRun, {**rest, **given}, "run")
    if problems := list(implausible(run)):
        raise SpecError(problems)
    return read_model_run(run)


def _spec(values: Any) -> ModelSpec:
    if not isinstance(values, dict):
        raise SpecError([Problem("spec", "must be an object", values)])
    try:
        return ModelSpec.from_dict(values)
    except SpecError as error:
        raise SpecError([problem.under("spec") for problem in error.problems]) from error


def _each(kind: type[T], values: dict[str, Any], name: str) -> tuple[T, ...]:
    found = values.get(name)
    if not isinstance(found, list) or len(found) > MAX_ITEMS:
        raise SpecError([Problem(name, f"must be a list of at most {MAX_ITEMS:,} records", type(found).__name__)])
    return tuple(read_record(kind, item, f"{name}.{index}") for index, item in enumerate(found))
