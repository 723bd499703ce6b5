"""What the tests of the service share: small requests, a kind of job that starts a real process, and waiting."""

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import psutil
import pytest

from backend.jobs.kind import OnProgress, Outcome, Request
from backend.store.store import NewJob
from dyad_core.errors import BenchmarkCancelled, BenchmarkFailed

SMALL = {
    "in_features": 64,
    "out_features": 64,
    "tokens": 8,
    "n_blocks": [4],
    "variants": ["it"],
    "max_seconds": 0.2,
    "threads": 1,
}
"""A benchmark that the real engine finishes in about two seconds, most of it the start of its process."""

LONG = SMALL | {"in_features": 512, "out_features": 512, "tokens": 256, "max_seconds": 600.0}
"""A benchmark that goes on until somebody ends it."""


class ProcessKind:
    """Runs the Python text ``code`` of its request in a process; the text's last line of output is the result."""

    name = "process"

    def read(self, body: dict[str, Any]) -> Request:
        return Request(spec=body, digest="0" * 64)

    def run(self, spec: dict[str, Any], on_progress: OnProgress, cancel: threading.Event) -> Outcome:
        with subprocess.Popen(
            [sys.executable, "-c", spec["code"]], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as process:
            on_progress({"stage": "running", "pid": process.pid, "candidates": []})
            while process.poll() is None:
                if cancel.wait(0.02):
                    process.kill()
                    raise BenchmarkCancelled("it was asked to stop")
            if process.returncode:
                raise BenchmarkFailed(f"the process ended with exit code {process.returncode}")
            assert process.stdout is not None
            result = json.loads(process.stdout.read() or "null")
        return Outcome(result={"value": result}, headline=f"value {result}", warnings=[], environment_digest="1" * 64)


SLEEP = "import time; time.sleep(600)"


def new_job(code: str = "print(1)", kind: str = "process") -> NewJob:
    return NewJob(kind=kind, spec={"code": code}, spec_digest="0" * 64, warnings=[])


def wait_until(condition: Callable[[], Any], what: str = "it", limit_s: float = 60.0) -> Any:
    """Return the first true value of ``condition``; fail after ``limit_s``, which only a hang reaches."""
    end = time.monotonic() + limit_s
    while time.monotonic() < end:
        if value := condition():
            return value
        time.sleep(0.02)
    return pytest.fail(f"{what} did not happen within {limit_s} s")


def alive(pid: int) -> bool:
    """Whether a process runs (one that ended and was not yet collected does not)."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def ended(client: Any, run_id: str) -> dict[str, Any]:
    """Wait for the end of a run and return its record. ``client`` is anything with httpx' ``get``."""

    def over() -> dict[str, Any] | None:
        record: dict[str, Any] = client.get(f"/api/v1/jobs/{run_id}").json()
        return record if record["status"] not in ("queued", "running") else None

    found: dict[str, Any] = wait_until(over, f"the end of run {run_id}")
    return found
