"""What the tests of the service share: small requests, a kind of job that starts a real process, and waiting."""

import contextlib
import io
import json
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import psutil
import pytest

from backend.jobs.context import Context
from backend.jobs.kind import Outcome, Request
from backend.ports import free_port
from backend.settings import Settings
from backend.store.models import Job
from backend.store.queue import Queue
from backend.store.store import NewJob, Store
from dyad_core.errors import BenchmarkCancelled, BenchmarkFailed

ROOT = Path(__file__).resolve().parent.parent

NewSettings = Callable[..., contextlib.AbstractContextManager[Settings]]
"""The fixture ``new_settings``: settings with a home and a database of their own, for the length of a ``with`` block."""

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

LONG = SMALL | {
    "in_features": 2048,
    "out_features": 2048,
    "tokens": 2048,
    "n_blocks": [4, 8],
    "variants": ["it", "ot", "dt"],
    "dtype": "float64",
    "passes": ["train_step"],
    "max_seconds": 600.0,
}
"""A benchmark of minutes, which somebody has to end."""


class ProcessKind:
    """Runs the Python text ``code`` of its request in a process; the text's last line of output is the result."""

    name = "process"

    def read(self, body: dict[str, Any]) -> Request:
        return Request(spec=body, digest="0" * 64)

    def run(self, spec: dict[str, Any], context: Context) -> Outcome:
        with subprocess.Popen(
            [sys.executable, "-c", spec["code"]], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as process:
            while process.poll() is None:
                context.on_progress({"stage": "running", "pid": process.pid, "candidates": []})
                if context.cancel.wait(0.02):
                    process.kill()
                    raise BenchmarkCancelled("it was asked to stop")
            if process.returncode:
                raise BenchmarkFailed(f"the process ended with exit code {process.returncode}")
            assert process.stdout is not None
            result = json.loads(process.stdout.read() or "null")
        return Outcome(result={"value": result}, headline=f"value {result}", warnings=[], environment_digest="1" * 64)


def as_schema_1(result: dict[str, Any]) -> dict[str, Any]:
    """A result as the first version of the program wrote it."""
    run_fields = ("spec", "environment", "candidates", "created_at", "duration_s", "reading", "warnings")
    old = {name: result[name] for name in run_fields} | {"schema_version": 1}
    later = ("memory", "memory_predicted", "bytes_moved", "operations", "energy_j")
    old["candidates"] = [
        {name: value for name, value in each.items() if name not in later}
        | ({"outcome": "measured"} if each["median_ms"] is not None else {})
        for each in result["candidates"]
    ]
    later = ("optimizer", "float32_matmul_precision", "compile", "cuda_graph", "cache", "n_seeds", "target_interval")
    old["spec"] = {name: value for name, value in result["spec"].items() if name not in later}
    return old


SLEEP = "import time; time.sleep(600)"


def new_job(code: str = "print(1)", kind: str = "process") -> NewJob:
    return NewJob(kind=kind, spec={"code": code}, spec_digest="0" * 64, warnings=[])


def claim_next(store: Store, place: str = "here (cpu)") -> Job | None:
    """Start the next job as the scheduler does; None when none waits."""
    while ordered := Queue(store.engine).ordered():
        if (job := store.claim(ordered[0].id, place, uuid.uuid4().hex)) is not None:
            return job
    return None


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


def workers_of(pid: int, module: str = "dyad_core.bench.worker") -> list[int]:
    """Ids of the measuring (or other working) processes that a server started."""
    found = []
    for child in psutil.Process(pid).children(recursive=True):
        with contextlib.suppress(psutil.Error):  # it ended in between
            if module in child.cmdline():
                found.append(child.pid)
    return found


def npy(values: Any) -> bytes:
    """A .npy file."""
    file = io.BytesIO()
    np.save(file, values)
    return file.getvalue()


def safetensors(**tensors: Any) -> bytes:
    """A .safetensors file of float32 and int64 arrays."""
    header, data = {}, b""
    for name, values in tensors.items():
        raw = values.tobytes()
        code = {"float32": "F32", "int64": "I64"}[values.dtype.name]
        header[name] = {"dtype": code, "shape": list(values.shape), "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data


def send(client: Any, content: Any, name: str = "weights") -> Any:
    """Upload a file; the answer of the service."""
    headers = {"Content-Type": "application/octet-stream"}
    return client.post("/api/v1/uploads", params={"name": name}, content=content, headers=headers)


@contextlib.contextmanager
def serving(where: Path | Settings, **environment: str) -> Iterator[tuple[httpx.Client, subprocess.Popen[bytes]]]:
    """Run ``python -m backend`` on a free port; what is still alive at the end is killed.

    ``where`` is the folder of its data, or settings of which the folder and the database are used.
    """
    port = free_port("127.0.0.1")
    home = where.home if isinstance(where, Settings) else where
    # Only tests of the runs that ship with the library want them in their lists.
    settings = {"DYAD_HOME": str(home), "DYAD_PORT": str(port), "DYAD_REFERENCE_RUNS": "0"} | environment
    if isinstance(where, Settings) and where.database_url is not None:
        settings["DYAD_DATABASE_URL"] = where.database_url
    with (home.parent / f"{home.name}.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "backend"], env=os.environ | settings, stdout=log, stderr=log, cwd=ROOT
        )
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=30.0) as client:
            wait_until(lambda: process.poll() is not None or answers(client, "/healthz"), "the start of the server")
            yield client, process
    finally:
        if process.poll() is None:
            process.terminate()
        process.wait(30)


def answers(client: httpx.Client, path: str) -> bool:
    """Whether a server answers there."""
    try:
        return client.get(path).is_success
    except httpx.TransportError:
        return False
