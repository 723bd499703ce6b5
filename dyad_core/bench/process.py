"""Run one piece of work in a process of its own, and leave nothing behind whatever happens: the waiting side.

The process serves one request (:mod:`dyad_core.bench.serving`). It cannot inherit CUDA or threads, its crash or its
end for want of memory is an answer and not our end, and the next one starts clean. It is a plain ``python -m``, so
this works from unguarded scripts, notebooks and server threads alike. The parent sleeps in the kernel while it
waits, for a parent that spins takes processor time from what is measured.

POSIX only: process groups and waiting on pipes.
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Protocol

from dyad_core.bench import tree
from dyad_core.bench.child import child_environment
from dyad_core.errors import (
    BenchmarkCancelled,
    BenchmarkFailed,
    BenchmarkMemoryLimit,
    BenchmarkTimeout,
    Problem,
    SpecError,
)

__all__ = ["RunWork", "Work", "run_process"]

RECORD_SEPARATOR = b"\x1e"
# An event has no file descriptor to wait on beside the pipe, and the memory of a process tells nobody that it grew, so
# both are looked at four times a second.
LOOK_INTERVAL_S = 0.25
# After its last word a process may take this long to end.
EXIT_GRACE_S = 10.0
TAIL_LINES = 20


@dataclass(frozen=True)
class Work:
    """What to run and how messages speak of it.

    Attributes:
        command: the program, which calls :func:`dyad_core.bench.serving.serve`.
        request: what it is sent, JSON-ready.
        name: of the work, as in "the benchmark was cancelled".
        process_name: of its process, as in "the measuring process ended with exit code 3".
        environment: variables that are set for it beside those of this process.
    """

    command: Sequence[str]
    request: dict[str, Any]
    name: str
    process_name: str
    environment: Mapping[str, str] = field(default_factory=dict)


class RunWork(Protocol):
    """How work is run: :func:`run_process` on this machine, or what does the same on another one."""

    def __call__(
        self,
        work: Work,
        /,
        *,
        on_message: Callable[[dict[str, Any]], None],
        cancel: threading.Event | None,
        timeout_s: float | None,
    ) -> Any:
        """Run it and return its result; raises as :func:`run_process` does."""


def run_process(
    work: Work,
    /,
    *,
    on_message: Callable[[dict[str, Any]], None],
    cancel: threading.Event | None = None,
    timeout_s: float | None = None,
    memory_limit_bytes: int | None = None,
    cpus: Iterable[int] | None = None,
) -> Any:
    """Start the process, hand on what it reports, and return its result; blocks until it is gone.

    Args:
        work: what to run.
        on_message: told of every report, in this thread; if it raises, the process is killed and the error goes on.
        cancel: set it from another thread to end the process within two seconds.
        timeout_s: after so many seconds it is killed; None for no limit.
        memory_limit_bytes: it is killed when it and what it started hold more resident memory; None for no limit.
        cpus: logical processors that it is confined to; None leaves it those of this process.

    Raises:
        SpecError: the process found the request wrong.
        BenchmarkFailed: it ended without a result; says exit code and last error lines.
        BenchmarkCancelled: ``cancel`` was set.
        BenchmarkTimeout: ``timeout_s`` passed.
        BenchmarkMemoryLimit: it held more than ``memory_limit_bytes``.
    """
    deadline = None if timeout_s is None else time.monotonic() + timeout_s
    kills_before, mark = tree.memory_kills(), tree.make_mark()
    with _folder(mark) as folder, _started(work, folder, mark) as process:
        result_path = folder / "result.json"
        if cpus is not None and hasattr(os, "sched_setaffinity"):
            with contextlib.suppress(ProcessLookupError):  # dead already, which its exit code will tell
                os.sched_setaffinity(process.pid, cpus)
        _send(process, {**work.request, "result_path": str(result_path)})
        wait = Wait(work.name, process.pid, cancel, deadline, timeout_s, memory_limit_bytes)
        for message in _messages(process, wait):
            on_message(message)
        exit_code = _exit_code(process, wait)
        killed = exit_code == -signal.SIGKILL
        ended = _End(
            exit_code, _tail(folder / "stderr"), wait.peak_bytes, killed and tree.memory_kills() != kills_before
        )
        return _result(work, result_path, ended)


@contextlib.contextmanager
def _folder(mark: str) -> Iterator[Path]:
    """A folder of its own for the result, named by the mark of the work."""
    folder = Path(tempfile.gettempdir()) / f"{tree.FOLDER}{mark}"
    folder.mkdir(mode=0o700)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)  # the process removes it too, when it notices that it is alone


@contextlib.contextmanager
def _started(work: Work, folder: Path, mark: str) -> Iterator[subprocess.Popen[bytes]]:
    """Start the process; on the way out it and all it started are killed, it is reaped, and its pipes are closed."""
    with (folder / "stderr").open("wb") as stderr:
        process = subprocess.Popen(
            work.command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
            env={**child_environment(), **work.environment, tree.MARK: mark},
            start_new_session=True,
        )
    try:
        yield process
    finally:
        if process.returncode is None:  # not reaped yet, so its number cannot belong to another process
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        tree.end_marked(mark)  # whatever left the group
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with contextlib.suppress(BrokenPipeError):
                    pipe.close()


@dataclass
class Wait:
    """What ends the waiting: the caller, the clock, or the memory that is held."""

    name: str
    pid: int
    cancel: threading.Event | None
    deadline: float | None
    timeout_s: float | None
    memory_limit_bytes: int | None
    peak_bytes: int = 0

    def check(self) -> None:
        """Raise if it is time to stop."""
        if self.cancel is not None and self.cancel.is_set():
            raise BenchmarkCancelled(f"the {self.name} was cancelled and its process killed")
        if self.deadline is not None and time.monotonic() >= self.deadline:
            raise BenchmarkTimeout(f"the {self.name} ran past its limit of {self.timeout_s:g} s and was killed")
        held = tree.resident_bytes(self.pid)
        self.peak_bytes = max(self.peak_bytes, held)
        if self.memory_limit_bytes is not None and held > self.memory_limit_bytes:
            raise BenchmarkMemoryLimit(self.name, limit_bytes=self.memory_limit_bytes, held_bytes=held)

    def slice_s(self) -> float | None:
        """How long to sleep before looking again; None is until something happens."""
        slices = [] if self.cancel is None and self.memory_limit_bytes is None else [LOOK_INTERVAL_S]
        if self.deadline is not None:
            slices.append(max(0.0, self.deadline - time.monotonic()))
        return min(slices, default=None)


def _send(process: subprocess.Popen[bytes], request: dict[str, Any]) -> None:
    pipe = _pipe(process.stdin)
    # A process that is dead already is told by its exit code, below.
    with contextlib.suppress(BrokenPipeError):
        pipe.write(json.dumps(request).encode() + b"\n")
        pipe.flush()


def _messages(process: subprocess.Popen[bytes], wait: Wait) -> Iterator[dict[str, Any]]:
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
                    yield json.loads(text)
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


@dataclass(frozen=True)
class _End:
    """How a process ended; ``for_memory``: the system counts one more that it killed for want of memory."""

    exit_code: int | None
    stderr_tail: str
    peak_bytes: int
    for_memory: bool

    def __str__(self) -> str:
        if self.exit_code is None:
            return f"did not end within {EXIT_GRACE_S:g} s of closing its output"
        if self.exit_code >= 0:
            return f"ended with exit code {self.exit_code}"
        name = signal.Signals(-self.exit_code).name
        memory = ""
        if self.for_memory:
            held = (
                f"; the process held {self.peak_bytes / 2**30:.2f} GiB when last looked at" if self.peak_bytes else ""
            )
            memory = f" because memory ran out{held}"
        return f"was killed by {name}{memory}, exit code {self.exit_code},"


def _result(work: Work, path: Path, end: _End) -> Any:
    answer = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    if "problems" in answer:
        raise SpecError([Problem(**problem) for problem in answer["problems"]])
    if "result" in answer and end.exit_code == 0:
        return answer["result"]
    reason = f" with {answer['error']}" if "error" in answer else ""
    raise BenchmarkFailed(
        f"the {work.process_name} {end}{reason} before it had a result",
        exit_code=end.exit_code,
        stderr_tail=end.stderr_tail,
        peak_bytes=end.peak_bytes,
        out_of_memory=end.for_memory,
    )


def _tail(path: Path) -> str:
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    # The profiler's own notes of start and stop say nothing about an error.
    return "\n".join([line for line in lines if not line.startswith("USDT:")][-TAIL_LINES:])


def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
    if pipe is None:
        msg = "the process was started with pipes"
        raise RuntimeError(msg)
    return pipe
