"""Sweep files: one result, JSON, UTF-8, written whole or not at all, and nothing in them trusted when they are read.

Contours, rules and the reading are made anew from the points, so those in a file are for other readers.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from dyad_core.bench.files import MAX_FILE_BYTES
from dyad_core.bench.json_text import check_header, read_json
from dyad_core.bench.plausibility import wrong_moment
from dyad_core.bench.records import build_record
from dyad_core.bench.results import BenchmarkRun
from dyad_core.errors import Problem, SpecError
from dyad_core.sweep.conclusion import conclude
from dyad_core.sweep.points import point_of, point_without_run
from dyad_core.sweep.results import SCHEMA_VERSION, SweepPoint, SweepResult
from dyad_core.sweep.spec import MAX_POINTS, SweepSpec

__all__ = ["load_sweep", "parse_sweep", "save_sweep", "sweep_from_dict"]

HEADER_BYTES = 64
DERIVED = ("environment", "skipped", "contours", "rules", "reading")
"""Fields of a file that follow from the others."""

FIELDS = ("schema_version", "spec", "points", "stopped", "created_at", "duration_s", "warnings", *DERIVED)


def save_sweep(path: Path | str, result: SweepResult) -> None:
    """Write a result to a file, whole or not at all.

    Raises:
        SpecError: when the file cannot be written there.
    """
    target = Path(path)
    part = target.with_name(f"{target.name}.part")
    try:
        part.write_text(json.dumps(result.to_dict(), allow_nan=False, indent=1) + "\n", encoding="utf-8")
        part.replace(target)
    except OSError as error:
        raise SpecError([Problem("file", f"must be writable, and is not: {error.strerror}", str(target))]) from error


def load_sweep(path: Path | str) -> SweepResult:
    """Read a sweep file.

    Raises:
        SpecError: not readable, too large, not JSON, not a sweep or of a newer schema; wrong fields are named.
    """
    source = Path(path)
    try:
        with source.open("rb") as file:
            check_header(file.read(HEADER_BYTES))
            file.seek(0)
            data = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise SpecError([Problem("file", f"must be readable, and is not: {error.strerror}", str(source))]) from error
    return parse_sweep(data)


def parse_sweep(data: bytes) -> SweepResult:
    """Read the bytes of a sweep file; errors as for :func:`load_sweep`."""
    if len(data) > MAX_FILE_BYTES:
        rule = f"must be at most {MAX_FILE_BYTES:,} bytes"
        raise SpecError([Problem("file", rule, f"more than {MAX_FILE_BYTES:,} bytes")])
    read = read_json(data)
    try:
        return sweep_from_dict(read.values)
    except SpecError as error:
        raise read.placed(error.problems) from error


def sweep_from_dict(values: Any) -> SweepResult:
    """Read what :meth:`SweepResult.to_dict` wrote.

    Raises:
        SpecError: a newer schema, a missing or unknown field, a wrong type, figures that no measurement can have.
    """
    if not isinstance(values, dict):
        raise SpecError([Problem("sweep", "must be a JSON object", type(values).__name__)])
    version = values.get("schema_version")
    if isinstance(version, bool) or not isinstance(version, int) or not 1 <= version <= SCHEMA_VERSION:
        rule = f"must be an integer from 1 to {SCHEMA_VERSION}, the newest that this version of dyad-explorer reads"
        raise SpecError([Problem("schema_version", rule, version, "update dyad-explorer to read a newer file")])
    given = {name: value for name, value in values.items() if name not in DERIVED}
    problems = [Problem(str(name), "is not a field of a sweep file") for name in values if name not in FIELDS]
    problems += [Problem(name, "must be an object") for name in ("spec",) if not isinstance(values.get(name), dict)]
    if not isinstance(values.get("points"), list) or len(values["points"]) > MAX_POINTS:
        problems.append(Problem("points", f"must be a list of at most {MAX_POINTS:,} points"))
    if problems:
        raise SpecError(problems)
    try:
        spec = SweepSpec.from_dict(values["spec"])
    except SpecError as error:
        raise SpecError([problem.under("spec") for problem in error.problems]) from error
    points = [_point(spec, value, f"points.{index}") for index, value in enumerate(values["points"])]
    # The record checks the types of what is left; it is thrown away, for its other half is made anew.
    read = build_record(SweepResult, {**given, "spec": spec, "environment": None, "points": points}, "sweep")
    if problems := list(wrong_moment(read.created_at)):
        raise SpecError(problems)
    return conclude(
        spec,
        read.points,
        stopped=read.stopped,
        created_at=read.created_at,
        duration_s=read.duration_s,
        warnings=read.warnings,
    )


def _point(spec: SweepSpec, values: Any, where: str) -> SweepPoint:
    if not isinstance(values, dict):
        raise SpecError([Problem(where, "must be an object")])
    run = None
    if values.get("run") is not None:
        try:
            run = BenchmarkRun.from_dict(values["run"])
        except SpecError as error:
            raise SpecError([problem.under(f"{where}.run") for problem in error.problems]) from error
    point = build_record(SweepPoint, {**values, "run": run, "figures": []}, where)
    place = (point.in_features, point.out_features, point.tokens)
    columns = {(column.in_features, column.out_features): column for column in spec.grid.columns}
    if place[:2] not in columns or point.tokens not in spec.grid.tokens:
        raise SpecError([Problem(f"{where}.in_features", "must be on the lattice of its sweep", place)])
    if run is None:
        column = columns[place[:2]]
        return point_without_run(spec, column, point.tokens, point.outcome, point.detail, seconds=point.seconds)
    if problems := _foreign(spec, point, run, where):
        raise SpecError(problems)
    return point_of(spec, run, seconds=point.seconds, reused=point.reused)


def _foreign(spec: SweepSpec, point: SweepPoint, run: BenchmarkRun, where: str) -> list[Problem]:
    """A run that belongs to another size, or holds figures that no measurement can have."""
    here = (run.spec.in_features, run.spec.out_features, run.spec.tokens, run.spec.dtype, run.spec.module)
    wanted = (point.in_features, point.out_features, point.tokens, spec.dtype, spec.module)
    problems = []
    if here != wanted:
        problems.append(Problem(f"{where}.run.spec", "must be a run of its point", str(here), f"wanted: {wanted}"))
    for index, candidate in enumerate(run.candidates):
        for name in ("speedup", "speedup_low", "speedup_high"):
            value = getattr(candidate, name)
            if value is not None and value <= 0:
                problems.append(Problem(f"{where}.run.candidates.{index}.{name}", "must be above 0", value))
    return problems
