"""Run one benchmark in a process of its own, and leave nothing behind whatever happens.

One process per run: it cannot inherit CUDA or threads, its crash or its end for want of memory is an answer and
not our end, and the next run starts clean. The process is a plain ``python -m``, so this works from unguarded
scripts, notebooks and server threads alike. The parent sleeps in the kernel while it waits, for a parent that
spins takes processor time from what it measures.

POSIX only: process groups and waiting on pipes.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import selectors
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from dyad_core.bench.child import child_environment
from dyad_core.bench.preflight import preflight
from dyad_core.bench.progress import OnProgress, Progress
from dyad_core.bench.results import BenchmarkRun
from dyad_core.bench.spec import BenchmarkSpec
from dyad_core.errors import BenchmarkCancelled, BenchmarkFailed, BenchmarkTimeout, Problem, SpecError

__all__ = ["run_benchmark"]

COMMAND = (sys.executable, "-m", "dyad_core.bench.worker")
RECORD_SEPARATOR = b"\x1e"
# An event has no file descriptor to wait on beside the pipe, so it is looked at four times a second.
CANCEL_INTERVAL_S = 0.25
# After its last word a process may take this long to end.
EXIT_GRACE_S = 10.0
TAIL_LINES = 20


def run_benchmark(
    spec: BenchmarkSpec,
    *,
    on_progress: OnProgress | None = None,
    cancel: threading.Event | None = None,
    timeout_s: float | None = None,
) -> BenchmarkRun:
    """Measure ``spec`` in a process of its own and return the run; blocks until it is done.

    Args:
        spec: what to measure.
        on_progress: called in this thread with the state at least every few rounds; if it raises, the
            measurement is ended and the exception goes on.
        cancel: set it from another thread to end the measurement within two seconds.
        timeout_s: most seconds the whole may take; None for no limit.

    Raises:
        SpecError: the request does not suit this machine; nothing was started.
        BenchmarkFailed: the process ended without a result; says exit code and last error lines.
        BenchmarkCancelled: ``cancel`` was set.
        BenchmarkTimeout: ``timeout_s`` passed.
    """
    start = time.monotonic()

    def report(progress: Progress) -> None:
        if on_progress is not None:
            on_progress(dataclasses.replace(progress, elapsed_s=time.monotonic() - start))

    warnings = preflight(spec)
    if cancel is not None and cancel.is_set():
        raise BenchmarkCancelled("the benchmark was cancelled before it started")
    report(Progress("starting", 0, 1, 0.0, "starting the measuring process", 0.0))
    deadline = None if timeout_s is None else start + timeout_s
    with tempfile.TemporaryDirectory(prefix="dyad-bench-") as folder, _worker(Path(folder)) as process:
        result_path = Path(folder) / "result.json"
        request = {"spec": spec.to_dict(), "warnings": warnings, "result_path": str(result_path)}
        _send(process, request)
        wait = Wait(cancel, deadline, timeout_s)
        for progress in _progress(process, wait):
            report(progress)
        exit_code = _exit_code(process, wait)
        return _result(result_path, exit_code, _tail(Path(folder) / "stderr"))


@contextlib.contextmanager
def _worker(folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Start the process; on the way out its whole group is killed, it is reaped, and its pipes are closed."""
    with (folder / "stderr").open("wb") as stderr:
        process = subprocess.Popen(
            COMMAND,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
            env=child_environment(),
            start_new_session=True,
        )
    try:
        yield process
    finally:
        if process.returncode is None:  # not reaped yet, so its number cannot belong to another process
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with contextlib.suppress(BrokenPipeError):
                    pipe.close()


@dataclasses.dataclass(frozen=True)
class Wait:
    """What ends the waiting: the caller, or the clock."""

    cancel: threading.Event | None
    deadline: float | None
    timeout_s: float | None

    def check(self) -> None:
        """Raise if it is time to stop."""
        if self.cancel is not None and self.cancel.is_set():
            raise BenchmarkCancelled("the benchmark was cancelled and its process killed")
        if self.deadline is not None and time.monotonic() >= self.deadline:
            raise BenchmarkTimeout(f"the benchmark ran past its limit of {self.timeout_s:g} s and was killed")

    def slice_s(self) -> float | None:
        """How long to sleep before looking again; None is until something happens."""
        slices = [] if self.cancel is None else [CANCEL_INTERVAL_S]
        if self.deadline is not None:
            slices.append(max(0.0, self.deadline - time.monotonic()))
        return min(slices, default=None)


def _send(process: subprocess.Popen[bytes], request: dict[str, Any]) -> None:
    pipe = _pipe(process.stdin)
    # A process that is dead already is told by its exit code, below.
    with contextlib.suppress(BrokenPipeError):
        pipe.write(json.dumps(request).encode() + b"\n")
        pipe.flush()


def _progress(process: subprocess.Popen[bytes], wait: Wait) -> Iterator[Progress]:
    """Yield what the process reports until it closes its output, sleeping in between."""
    descriptor = _pipe(process.stdout).fileno()
    pending = b""
    with selectors.DefaultSelector() as selector:
        selector.register(descriptor, selectors.EVENT_READ)
        while True:
            wait.check()
            if not selector.select(wait.slice_s()):
                continue
            data = os.read(descriptor, 65536)
            if not data:
                return
            *lines, pending = (pending + data).split(b"\n")
            for line in lines:
                stray, separator, text = line.rpartition(RECORD_SEPARATOR)
                if separator:
                    yield Progress.from_dict(json.loads(text))
                if words := (stray if separator else line).strip():
                    sys.stderr.write(words.decode(errors="replace") + "\n")


def _exit_code(process: subprocess.Popen[bytes], wait: Wait) -> int | None:
    """Wait for the end without reaping, so that the group can still be killed safely; None if it will not end."""
    end = time.monotonic() + EXIT_GRACE_S
    while time.monotonic() < end:
        wait.check()
        state = os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        if state is not None:
            return state.si_status if state.si_code == os.CLD_EXITED else -state.si_status
        time.sleep(0.01)
    return None


def _result(path: Path, exit_code: int | None, tail: str) -> BenchmarkRun:
    answer = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    if "problems" in answer:
        raise SpecError([Problem(**problem) for problem in answer["problems"]])
    if "run" in answer and exit_code == 0:
        return BenchmarkRun.from_dict(answer["run"])
    reason = f" with {answer['error']}" if "error" in answer else ""
    message = f"the measuring process {_ended(exit_code)}{reason} before it had a result"
    raise BenchmarkFailed(message, exit_code=exit_code, stderr_tail=tail)


def _ended(exit_code: int | None) -> str:
    if exit_code is None:
        return f"did not end within {EXIT_GRACE_S:g} s of closing its output"
    if exit_code >= 0:
        return f"ended with exit code {exit_code}"
    name = signal.Signals(-exit_code).name
    memory = " (the system does this when memory runs out)" if name == "SIGKILL" else ""
    return f"was killed by {name}{memory}, exit code {exit_code},"


def _tail(path: Path) -> str:
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    # The profiler's own notes of start and stop say nothing about an error.
    return "\n".join([line for line in lines if not line.startswith("USDT:")][-TAIL_LINES:])


def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
    if pipe is None:
        msg = "the process was started with pipes"
        raise RuntimeError(msg)
    return pipe
