"""Serve one request as a process of its own: the working side of :mod:`dyad_core.bench.process`.

The first line on standard input is the request; the pipe then stays open, and when it closes the parent is dead and
so is this process. Reports go to standard output, one JSON text a line, each after a record separator (RFC 7464), so
that a library's stray print can never pass for one. The result is one file, written whole or not at all.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sys
import threading
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from dyad_core.errors import SpecError

__all__ = ["Report", "leave", "serve"]

RECORD_SEPARATOR = b"\x1e"
PARENT_DIED = 75
FAILED = 70

Report = Callable[[dict[str, Any]], None]


def serve(work: Callable[[dict[str, Any], Report], Any]) -> int:
    """Read one request, do ``work(request, report)``, deliver what it returns and return the exit code."""
    channel = os.dup(1)
    os.dup2(2, 1)  # whatever prints from here on goes to the error output
    _volunteer()
    request = json.loads(_first_line(0))
    result_path = Path(request.pop("result_path"))
    threading.Thread(target=_end_with_parent, args=(result_path.parent,), daemon=True).start()

    def report(message: dict[str, Any]) -> None:
        _write(channel, RECORD_SEPARATOR + json.dumps(message).encode() + b"\n")

    try:
        _deliver(result_path, {"result": work(request, report)})
    except SpecError as error:
        _deliver(result_path, {"problems": [problem.to_dict() for problem in error.problems]})
    except Exception as error:  # noqa: BLE001 - the parent raises it, with this process's error output beside it
        traceback.print_exc()
        _deliver(result_path, {"error": f"{type(error).__name__}: {error}"})
        return FAILED
    return 0


def leave(code: int) -> NoReturn:
    """End the process. Not a plain return: tearing torch and CUDA down takes long and can fail, after all is done."""
    sys.stderr.flush()
    os._exit(code)


def _volunteer() -> None:
    """Be the one that the system kills when memory runs out, rather than whoever waits for this process."""
    with contextlib.suppress(OSError):  # not Linux, or not allowed
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")


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
