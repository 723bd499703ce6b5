"""Result files: one run, or several under ``{"schema_version": 2, "runs": [...]}``; JSON, UTF-8.

Files come from other machines, so nothing in them is trusted: size and first bytes before anything is read, then the text
(:mod:`dyad_core.bench.json_text`), then the shape, every field and what the figures must at least be. A wrong field is named
with its line. Older schemas are upgraded, newer ones refused with a sentence.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from dyad_core.bench.json_text import JsonText, check_header, read_json
from dyad_core.bench.plausibility import implausible
from dyad_core.bench.results import SCHEMA_VERSION, BenchmarkRun
from dyad_core.errors import Problem, SpecError

__all__ = ["MAX_FILE_BYTES", "MAX_RUNS", "load_runs", "parse_runs", "save_runs"]

MAX_FILE_BYTES = 64 * 2**20
"""A run of the largest request (256 candidates, two passes, 30 samples each) is under 2 MiB."""

MAX_RUNS = 1000

HEADER_BYTES = 64


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
            if (size := path.stat().st_size) > MAX_FILE_BYTES:
                raise _too_large(f"{size:,} bytes")
            head = file.read(HEADER_BYTES)
            check_header(head)
            data = head + file.read(MAX_FILE_BYTES + 1 - len(head))
    except OSError as error:
        raise SpecError([Problem("file", f"must be readable, and is not: {error.strerror}", str(path))]) from error
    return parse_runs(data)


def parse_runs(data: bytes) -> list[BenchmarkRun]:
    """Read the bytes of a result file; errors as for :func:`load_runs`.

    Raises:
        NotJson: a SpecError; the bytes are no JSON text at all.
    """
    if len(data) > MAX_FILE_BYTES:
        raise _too_large(f"more than {MAX_FILE_BYTES:,} bytes")
    read = read_json(data)
    with _placing(read):
        if not isinstance(read.values, dict):
            raise SpecError([Problem("run", "must be a JSON object", type(read.values).__name__)])
        return _several(read.values) if "runs" in read.values else [_one(read.values)]


def _too_large(received: str) -> SpecError:
    return SpecError([Problem("file", f"must be at most {MAX_FILE_BYTES:,} bytes", received)])


@contextmanager
def _placing(read: JsonText) -> Iterator[None]:
    try:
        yield
    except SpecError as error:
        raise read.placed(error.problems) from error


def _several(values: dict[str, Any]) -> list[BenchmarkRun]:
    version, runs = values.get("schema_version"), values["runs"]
    if isinstance(version, bool) or not isinstance(version, int) or not 1 <= version <= SCHEMA_VERSION:
        rule = f"must be an integer from 1 to {SCHEMA_VERSION}, the newest that this version of dyad-explorer reads"
        raise SpecError([Problem("schema_version", rule, version, "update dyad-explorer to read a newer file")])
    if not isinstance(runs, list) or not 0 < len(runs) <= MAX_RUNS:
        received = f"{len(runs):,} runs" if isinstance(runs, list) else type(runs).__name__
        raise SpecError([Problem("runs", f"must be a list of 1 to {MAX_RUNS} runs", received)])
    if unknown := values.keys() - {"schema_version", "runs"}:
        known = "a file of several runs has schema_version and runs"
        raise SpecError([Problem(name, "is not a field of a result file", None, known) for name in sorted(unknown)])
    read = []
    for index, run in enumerate(runs):
        try:
            read.append(_one(run))
        except SpecError as error:
            raise SpecError([problem.under(f"runs.{index}") for problem in error.problems]) from error
    return read


def _one(values: Any) -> BenchmarkRun:
    run = BenchmarkRun.from_dict(values)
    if problems := list(implausible(run)):
        raise SpecError(problems)
    return run
