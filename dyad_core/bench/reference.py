"""The reference runs: result files that ship with the library, so that a person without a GPU can explore and the README's
figures come from data.

``python -m dyad_core.bench.reference cpu-epyc`` measures the speed suite here and makes a reference file of it, which the
service shows from its next start on; ``python -m dyad_core.bench.reference dyad-results.json cpu-epyc`` makes one of a result
file. Neither keeps the name of the host; samples have five digits; one line per candidate.
"""

from __future__ import annotations

import dataclasses
import json
import re
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path, PurePosixPath

from dyad_core.bench.files import load_runs
from dyad_core.bench.results import SCHEMA_VERSION, BenchmarkRun
from dyad_core.bench.speed_run import SpeedOptions, run_speed
from dyad_core.errors import BenchmarkFailed, Problem, SpecError

__all__ = ["FOLDER", "adopt", "anonymous", "main", "make_reference", "reference_runs"]

FOLDER = Path(__file__).parent / "reference_runs"
NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,63}", re.ASCII)
USAGE = """usage: python -m dyad_core.bench.reference NAME               measures the speed suite here
       python -m dyad_core.bench.reference RESULT_FILE NAME   takes a result file
"""


def reference_runs(folder: Path = FOLDER) -> dict[str, list[BenchmarkRun]]:
    """Every reference file by name, read and checked.

    Raises:
        SpecError: one is damaged or of a newer schema.
    """
    return {path.stem: load_runs(path) for path in sorted(folder.glob("*.json"))}


def make_reference(
    name: str,
    *,
    device: str = "cpu",
    quick: bool = False,
    anyway: bool = False,
    folder: Path = FOLDER,
    say: Callable[[str], None],
) -> Path:
    """Measure the speed suite on this machine and write it as the reference file ``name``; half an hour at most.

    Args:
        name: of the file: lower-case letters, digits and dashes.
        device: where to measure.
        quick: tiny points, to try the path.
        anyway: measure on a busy machine too; disturbed points say so.
        folder: where to write.
        say: told how it goes.

    Raises:
        SpecError: the name or the device will not do, or the folder cannot be written.
        BenchmarkFailed: no point could be measured, or the machine was not quiet.
    """
    path_of(name, folder)
    with tempfile.TemporaryDirectory() as scratch:
        results = Path(scratch) / "results.json"
        run_speed(SpeedOptions(device, results, quick=quick, anyway=anyway), say=say)
        if not results.exists():
            raise BenchmarkFailed("nothing was measured, so there is no reference run")
        return adopt(load_runs(results), name, folder)


def path_of(name: str, folder: Path = FOLDER) -> Path:
    """Where the reference file ``name`` lies.

    Raises:
        SpecError: the name is no plain name.
    """
    if not NAME.fullmatch(name):
        rule = "must be lower-case letters, digits and dashes, at most 64"
        raise SpecError([Problem("name", rule, name, "for example cpu-epyc-zen4-2-cores")])
    return folder / f"{name}.json"


def adopt(runs: Sequence[BenchmarkRun], name: str, folder: Path = FOLDER) -> Path:
    """Write ``runs`` as the reference file ``name``, whole or not at all, and return its path.

    Raises:
        SpecError: the name is no plain name, or the folder cannot be written.
    """
    path = path_of(name, folder)
    kept = [anonymous(run).to_dict() for run in runs]
    parts = []
    for values in kept:
        candidates = ",\n   ".join(json.dumps(candidate) for candidate in values.pop("candidates"))
        parts.append(f'{json.dumps(values)[:-1]}, "candidates": [\n   {candidates}]}}')
    body = ",\n  ".join(parts)
    scratch = path.with_suffix(".part")
    try:
        scratch.write_text(f'{{"schema_version": {SCHEMA_VERSION}, "runs": [\n  {body}]}}\n', encoding="utf-8")
        scratch.replace(path)
    except OSError as error:
        raise SpecError([Problem("folder", f"must be writable, and is not: {error.strerror}", str(folder))]) from error
    return path


def anonymous(run: BenchmarkRun) -> BenchmarkRun:
    """The same run without the name of its host and of its folders, samples to five digits."""
    candidates = tuple(
        dataclasses.replace(each, samples_ms=tuple(float(f"{sample:.5g}") for sample in each.samples_ms))
        for each in run.candidates
    )
    # A preloaded allocator is told by its name; where it lies is of this machine alone.
    allocator = {name: PurePosixPath(value).name for name, value in run.environment.allocator.items()}
    environment = dataclasses.replace(run.environment, hostname="", allocator=allocator)
    return dataclasses.replace(run, environment=environment, candidates=candidates)


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")


def main(arguments: list[str]) -> int:
    """Make a reference file and return the exit code: 0 made, 1 not measured, 2 wrong input."""
    if len(arguments) not in (1, 2):
        sys.stderr.write(USAGE)
        return 2
    try:
        if len(arguments) == 2:
            path = adopt(load_runs(arguments[0]), arguments[1])
        else:
            path = make_reference(arguments[0], say=_say)
    except SpecError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    except BenchmarkFailed as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(f"{path}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
