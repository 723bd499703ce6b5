"""Maps that ship with the library: sweeps of named machines, for people whose machine is another one.

``python -m dyad_core.sweep.reference FILE NAME`` makes one of a file that ``dyad sweep --save`` or the Crossover page made:
without the name of the host, samples to five digits, one line per measured size.
"""

from __future__ import annotations

import dataclasses
import json
import sys
from pathlib import Path

from dyad_core.bench.reference import anonymous, path_of
from dyad_core.errors import Problem, SpecError
from dyad_core.sweep.files import load_sweep
from dyad_core.sweep.results import SweepResult

__all__ = ["FOLDER", "adopt", "main"]

FOLDER = Path(__file__).parent / "reference_maps"
"""Sweep files; the service shows each on the first start."""


def adopt(result: SweepResult, name: str, folder: Path = FOLDER) -> Path:
    """Write ``result`` as the reference map ``name`` and return its path.

    Raises:
        SpecError: the name is no plain one, or the file cannot be written.
    """
    path = path_of(name, folder)
    points = tuple(
        point if point.run is None else dataclasses.replace(point, run=anonymous(point.run)) for point in result.points
    )
    measured = next((point.run for point in points if point.run is not None), None)
    environment = result.environment if measured is None else measured.environment
    values = dataclasses.replace(result, points=points, environment=environment).to_dict()
    lines = ",\n  ".join(json.dumps(point) for point in values.pop("points"))
    try:
        path.write_text(f'{json.dumps(values)[:-1]}, "points": [\n  {lines}]}}\n', encoding="utf-8")
    except OSError as error:
        raise SpecError([Problem("folder", f"must be writable, and is not: {error.strerror}", str(folder))]) from error
    return path


def main(arguments: list[str]) -> int:
    """Make a reference map and return the exit code: 0 made, 2 wrong input."""
    if len(arguments) != 2:
        sys.stderr.write("usage: python -m dyad_core.sweep.reference SWEEP_FILE NAME\n")
        return 2
    try:
        path = adopt(load_sweep(arguments[0]), arguments[1])
    except SpecError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    sys.stdout.write(f"{path}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
