"""The measuring process: one request in, progress out, one result file, and gone.

Started by :mod:`dyad_core.bench.isolation` as ``python -m dyad_core.bench.worker``. The first line on standard
input is the request; the pipe then stays open, and when it closes the parent is dead and so is this process.
Progress goes to standard output, one JSON text a line, each after a record separator (RFC 7464), so that a
library's stray print can never pass for it.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import threading
import traceback
from pathlib import Path
from typing import Any

from dyad_core.bench.measure import measure
from dyad_core.bench.progress import Progress
from dyad_core.bench.spec import BenchmarkSpec
from dyad_core.errors import SpecError

__all__ = ["RECORD_SEPARATOR", "main"]

RECORD_SEPARATOR = b"\x1e"
PARENT_DIED = 75
FAILED = 70


def main() -> int:
    """Serve one request and return the exit code."""
    channel = os.dup(1)
    os.dup2(2, 1)  # whatever prints from here on goes to the error output
    request = json.loads(_first_line(0))
    result_path = Path(request["result_path"])
    threading.Thread(target=_end_with_parent, args=(result_path.parent,), daemon=True).start()

    def report(progress: Progress) -> None:
        _write(channel, RECORD_SEPARATOR + json.dumps(progress.to_dict()).encode() + b"\n")

    try:
        spec = BenchmarkSpec.from_dict(request["spec"])
        run = measure(spec, on_progress=report, warnings=request["warnings"])
        _deliver(result_path, {"run": run.to_dict()})
    except SpecError as error:
        _deliver(result_path, {"problems": [problem.to_dict() for problem in error.problems]})
    except Exception as error:  # noqa: BLE001 - the parent raises it, with this process's error output beside it
        traceback.print_exc()
        _deliver(result_path, {"error": f"{type(error).__name__}: {error}"})
        return FAILED
    return 0


def _first_line(descriptor: int) -> bytes:
    """Read up to the first line feed, unbuffered: what follows belongs to the thread that watches the pipe."""
    line = bytearray()
    while not line.endswith(b"\n"):
        byte = os.read(descriptor, 1)
        if not byte:
            os._exit(PARENT_DIED)
        line += byte
    return bytes(line)


def _end_with_parent(folder: Path) -> None:
    """Block on the pipe; it closes when the parent goes, however it goes. Then its folder has no owner either."""
    while os.read(0, 4096):
        pass
    shutil.rmtree(folder, ignore_errors=True)
    os._exit(PARENT_DIED)


def _write(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]


def _deliver(path: Path, answer: dict[str, Any]) -> None:
    """Write the answer whole or not at all."""
    part = path.with_suffix(".part")
    part.write_text(json.dumps(answer, allow_nan=False), encoding="utf-8")
    part.replace(path)


if __name__ == "__main__":
    code = main()
    sys.stderr.flush()
    # Not a plain return: tearing torch and CUDA down takes long and can fail, after all is said and done.
    os._exit(code)
