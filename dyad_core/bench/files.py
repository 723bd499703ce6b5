"""Result files: one run, or several under ``{"schema_version": 1, "runs": [...]}``; JSON, UTF-8.

Files come from other machines, so nothing in them is trusted: size before parsing, then shape, then every field.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from dyad_core.bench.results import SCHEMA_VERSION, BenchmarkRun
from dyad_core.errors import Problem, SpecError

__all__ = ["MAX_FILE_BYTES", "MAX_RUNS", "load_runs", "parse_runs", "save_runs"]

MAX_FILE_BYTES = 64 * 2**20
"""A run of the largest request (256 candidates, two passes, 30 samples each) is under 2 MiB."""

MAX_RUNS = 1000


def save_runs(path: Path | str, runs: Sequence[BenchmarkRun]) -> None:
    """Write ``runs`` to one file, whole or not at all: a single run as itself, several as a list.

    Raises:
        SpecError: when the file cannot be written there.
    """
    target = Path(path)
    values = (
        runs[0].to_dict() if len(runs) == 1 else {"schema_version": SCHEMA_VERSION, "runs": [r.to_dict() for r in runs]}
    )
    part = target.with_name(f"{target.name}.part")
    try:
        part.write_text(json.dumps(values, allow_nan=False, indent=1) + "\n", encoding="utf-8")
        part.replace(target)
    except OSError as error:
        raise SpecError([Problem("file", f"must be writable, and is not: {error.strerror}", str(target))]) from error


def load_runs(source: Path | str | bytes) -> list[BenchmarkRun]:
    """Read a result file, by path or as its bytes.

    Raises:
        SpecError: not readable, larger than 64 MiB, not JSON, not a result file, or of a newer schema; wrong
            fields are named.
    """
    if isinstance(source, bytes):
        return parse_runs(source)
    path = Path(source)
    try:
        with path.open("rb") as file:
            return parse_runs(file.read(MAX_FILE_BYTES + 1))
    except OSError as error:
        raise SpecError([Problem("file", f"must be readable, and is not: {error.strerror}", str(path))]) from error


def parse_runs(data: bytes) -> list[BenchmarkRun]:
    """Read the bytes of a result file; errors as for :func:`load_runs`."""
    if len(data) > MAX_FILE_BYTES:
        rule = f"must be at most {MAX_FILE_BYTES:,} bytes"
        raise SpecError([Problem("file", rule, f"more than {MAX_FILE_BYTES:,} bytes")])
    try:
        values = json.loads(data, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise SpecError([Problem("file", f"must be JSON: {error}", f"{len(data):,} bytes")]) from error
    if not isinstance(values, dict) or "runs" not in values:
        return [BenchmarkRun.from_dict(values)]
    return _runs(values)


def _runs(values: dict[str, Any]) -> list[BenchmarkRun]:
    version, runs = values.get("schema_version"), values["runs"]
    if isinstance(version, bool) or not isinstance(version, int) or not 1 <= version <= SCHEMA_VERSION:
        rule = f"must be 1 to {SCHEMA_VERSION}, the newest that this version of dyad-explorer reads"
        raise SpecError([Problem("schema_version", rule, version, "update dyad-explorer to read a newer file")])
    if not isinstance(runs, list) or not 0 < len(runs) <= MAX_RUNS:
        raise SpecError([Problem("runs", f"must be a list of 1 to {MAX_RUNS} runs", type(runs).__name__)])
    read = []
    for index, run in enumerate(runs):
        try:
            read.append(BenchmarkRun.from_dict(run))
        except SpecError as error:
            raise SpecError([problem.under(f"runs.{index}") for problem in error.problems]) from error
    return read


def _no_constant(name: str) -> NoReturn:
    msg = f"{name} is not a JSON number"
    raise ValueError(msg)
