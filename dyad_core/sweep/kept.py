"""Points kept as they are measured, so that no end of a process, however sudden, costs more than the one under way.

One file of runs, a JSON text a line, appended to. It is a cache and not a result: a line that cannot be read (the last one
of a process that was killed) is left out and measured again.
"""

from __future__ import annotations

import json
import logging
from pathlib import Path

from dyad_core.bench.files import MAX_FILE_BYTES
from dyad_core.bench.results import BenchmarkRun
from dyad_core.errors import SpecError
from dyad_core.sweep.known import point_digest

__all__ = ["KeptRuns"]

_log = logging.getLogger(__name__)


class KeptRuns:
    """The runs in one file.

    Args:
        path: the file; made, with its folder, at the first run.
    """

    def __init__(self, path: Path) -> None:
        """Touch nothing yet."""
        self.path = path

    def load(self) -> list[BenchmarkRun]:
        """Every run that can be read, the latest of each request; the file is written anew where it holds more."""
        if not self.path.exists():
            return []
        if self.path.stat().st_size > MAX_FILE_BYTES:
            _log.warning("%s is larger than %s bytes and was begun anew", self.path, MAX_FILE_BYTES)
            self.path.unlink()
            return []
        lines = self.path.read_bytes().splitlines()
        found: dict[str, BenchmarkRun] = {}
        for line in lines:
            try:
                run = BenchmarkRun.from_dict(json.loads(line))
            except (ValueError, RecursionError, SpecError):  # a SpecError is a ValueError; said for the reader
                _log.warning("a line of %s could not be read and is measured again", self.path)
                continue
            found[point_digest(run.spec)] = run
        if len(found) < len(lines):
            self._write(list(found.values()))
        return list(found.values())

    def add(self, run: BenchmarkRun) -> None:
        """Keep one more run; it is in the file when this returns."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("ab") as file:
            file.write(_line(run))

    def forget(self) -> None:
        """Delete the file."""
        self.path.unlink(missing_ok=True)

    def _write(self, runs: list[BenchmarkRun]) -> None:
        part = self.path.with_name(f"{self.path.name}.part")
        part.write_bytes(b"".join(_line(run) for run in runs))
        part.replace(self.path)


def _line(run: BenchmarkRun) -> bytes:
    return json.dumps(run.to_dict(), allow_nan=False).encode() + b"\n"
