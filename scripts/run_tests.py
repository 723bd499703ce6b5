"""Run every test: the library's and the others side by side where two processors are free, for most tests keep only one busy.

``python scripts/run_tests.py`` prints the others as they go, then what the library's said, and fails if either failed. With arguments
it is plain pytest. No test asserts a duration, so that another one runs beside it changes none of them.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LIBRARY = "tests/dyad_core"
PYTEST = [sys.executable, "-m", "pytest"]


def processors() -> int:
    """How many this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def side_by_side(halves: tuple[list[str], list[str]]) -> int:
    """Run both commands, the first one's output kept until the second has ended; the larger exit code of the two."""
    with tempfile.TemporaryFile() as kept:
        first = subprocess.Popen(halves[0], cwd=ROOT, stdout=kept, stderr=subprocess.STDOUT)
        try:
            codes = [subprocess.run(halves[1], cwd=ROOT, check=False).returncode, first.wait()]
        finally:
            if first.poll() is None:  # this one was interrupted
                first.terminate()
                first.wait()
        kept.seek(0)
        sys.stdout.flush()
        sys.stdout.buffer.write(kept.read())
        sys.stdout.flush()
    return max(abs(code) for code in codes)


def main(arguments: list[str]) -> int:
    """Run; returns the exit code."""
    if arguments or processors() < 2:
        return subprocess.run([*PYTEST, *arguments], cwd=ROOT, check=False).returncode
    apart = ["-p", "no:cacheprovider"]  # the two would write one file
    return side_by_side(([*PYTEST, *apart, LIBRARY], [*PYTEST, *apart, "tests", f"--ignore={LIBRARY}"]))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
