"""The reference runs: result files that ship with the library, so that the README's figures come from data.

``python -m dyad_core.bench.reference dyad-results.json cpu-epyc`` makes one of a result file: without the name of the
host, samples to five digits, one line per candidate.
"""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from dyad_core.bench.files import load_runs
from dyad_core.bench.results import SCHEMA_VERSION, BenchmarkRun
from dyad_core.errors import SpecError

__all__ = ["FOLDER", "adopt", "main", "reference_runs"]

FOLDER = Path(__file__).parent / "reference_runs"


def reference_runs(folder: Path = FOLDER) -> dict[str, list[BenchmarkRun]]:
    """Every reference file by name, read and checked.

    Raises:
        SpecError: one is damaged or of another schema.
    """
    return {path.stem: load_runs(path) for path in sorted(folder.glob("*.json"))}


def adopt(runs: Sequence[BenchmarkRun], name: str, folder: Path = FOLDER) -> Path:
    """Write ``runs`` as the reference file ``name`` and return its path."""
    path = folder / f"{name}.json"
    kept = [_anonymous(run).to_dict() for run in runs]
    parts = []
    for values in kept:
        candidates = ",\n   ".join(json.dumps(candidate) for candidate in values.pop("candidates"))
        parts.append(f'{json.dumps(values)[:-1]}, "candidates": [\n   {candidates}]}}')
    body = ",\n  ".join(parts)
    path.write_text(f'{{"schema_version": {SCHEMA_VERSION}, "runs": [\n  {body}]}}\n', encoding="utf-8")
    return path


def _anonymous(run: BenchmarkRun) -> BenchmarkRun:
    candidates = tuple(
        dataclasses.replace(each, samples_ms=tuple(float(f"{sample:.5g}") for sample in each.samples_ms))
        for each in run.candidates
    )
    return dataclasses.replace(
        run, environment=dataclasses.replace(run.environment, hostname=""), candidates=candidates
    )


def main(arguments: list[str]) -> int:
    """Adopt a result file under a name and return the exit code."""
    if len(arguments) != 2:
        sys.stderr.write("usage: python -m dyad_core.bench.reference RESULT_FILE NAME\n")
        return 2
    try:
        path = adopt(load_runs(arguments[0]), arguments[1])
    except SpecError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    sys.stdout.write(f"{path}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
