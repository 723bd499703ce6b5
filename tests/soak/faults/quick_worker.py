"""The process of a quick job: real in its effects, over in milliseconds.

It speaks the protocol of every measuring process (:mod:`dyad_core.bench.serving`), but without torch. While it works it
holds two locks that end with it, however it ends: one of its job and one of its device. So a job that runs twice at
once, or two that share a device, are caught in the act and written into the journal.
"""

import fcntl
import json
import os
import sys
import time
import types
import uuid
from pathlib import Path

LIBRARY = Path(__file__).resolve().parents[3] / "dyad_core"
for name, folder in (
    ("dyad_core", LIBRARY),
    ("dyad_core.bench", LIBRARY / "bench"),
):  # their __init__ would import torch
    package = types.ModuleType(name)
    package.__path__ = [str(folder)]
    sys.modules[name] = package

from dyad_core.bench.serving import Report, leave, serve  # noqa: E402 - after the packages were put there

FAILED_ON_PURPOSE = 3


def note(folder: Path, event: str, **values: object) -> None:
    """One line in the journal; a short write at the end of a file is never torn."""
    line = json.dumps({"event": event, "pid": os.getpid(), "at": time.time(), **values}) + "\n"
    descriptor = os.open(folder / "journal", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
    os.write(descriptor, line.encode())
    os.close(descriptor)


def held(path: Path) -> bool:
    """Take a lock that ends with this process; False where another process holds it."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def work(request: dict, report: Report) -> dict:
    folder, nonce = Path(request["folder"]), request["nonce"]
    token = uuid.uuid4().hex
    note(folder, "started", nonce=nonce, token=token)
    if not held(folder / f"job-{nonce}.lock"):
        note(folder, "twice", nonce=nonce)
    device = os.environ.get("SOAK_PLACE", "cpu")
    if not held(folder / f"device-{device}.lock"):
        note(folder, "not alone", nonce=nonce)
    end = time.monotonic() + request["seconds"]
    while time.monotonic() < end:
        report({"stage": "timing", "token": token})
        time.sleep(min(0.1, max(0.0, end - time.monotonic())))
    if request["fails"]:
        note(folder, "failed", nonce=nonce, token=token)
        leave(FAILED_ON_PURPOSE)
    note(folder, "finished", nonce=nonce, token=token)
    return {**request["run"], "reading": token}


if __name__ == "__main__":
    leave(serve(work))
