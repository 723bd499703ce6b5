"""Start the service and the dashboard as two processes, watch both, and end both together.

Each child leads a process group of its own, so that ending it ends what it started. The parent sleeps until
a signal comes or a child ends.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

import httpx

from backend.ports import url_of
from backend.security.configuration import is_loopback
from dyad_core.errors import DyadError

__all__ = ["ChildEnded", "Program", "backend_program", "dashboard_program", "run_together"]

ROOT = Path(__file__).resolve().parent.parent
START_TIMEOUT_S = 120.0
END_TIMEOUT_S = 15.0


class ChildEnded(DyadError):  # noqa: N818 - the event, as the library's family names it
    """One of the programs ended or never answered; the message says which."""


@dataclass(frozen=True)
class Program:
    """One child: what to start and where it answers once it is up."""

    name: str
    command: list[str]
    health_url: str
    url: str
    environment: dict[str, str] = field(default_factory=dict)
    folder: Path | None = None


def backend_program(host: str, port: int) -> Program:
    """The service."""
    url = url_of(host, port)
    return Program(
        name="backend",
        command=[sys.executable, "-m", "backend"],
        health_url=f"{url}/healthz",
        url=url,
        environment={"DYAD_HOST": host, "DYAD_PORT": str(port)},
    )


def dashboard_program(host: str, port: int, api_url: str) -> Program:
    """The dashboard; its pages talk to the service at ``api_url``.

    Raises:
        ChildEnded: the dashboard is not beside the service.
    """
    script = ROOT / "frontend" / "app.py"
    if not script.is_file():
        raise ChildEnded(f"There is no dashboard at {script}; start `dyad up` from a complete checkout.")
    options = {
        "server.port": str(port),
        "server.address": host,
        "server.headless": "true",
        "browser.gatherUsageStats": "false",
    }
    url = url_of(host, port)
    # Who reaches the dashboard would act with our token: beyond this machine everybody gives their own.
    token = {} if is_loopback(host) else {"DYAD_API_TOKEN": ""}
    return Program(
        name="dashboard",
        command=[
            *(sys.executable, "-m", "streamlit", "run", str(script)),
            *(part for name, value in options.items() for part in (f"--{name}", value)),
        ],
        health_url=f"{url}/_stcore/health",
        url=url,
        environment={"DYAD_API_URL": api_url, **token},
        folder=ROOT,  # makes the package frontend importable; its configuration lies beside the entry script
    )


def run_together(programs: Sequence[Program], on_ready: Callable[[], None]) -> None:
    """Start every program, call ``on_ready`` once all answer, and return after a SIGINT or SIGTERM ended all.

    Raises:
        ChildEnded: one ended by itself or did not answer in time; the others are ended too.
    """
    changed = threading.Event()
    asked_to_stop = threading.Event()

    def stop(_number: int, _frame: FrameType | None) -> None:
        asked_to_stop.set()
        changed.set()

    children: list[tuple[Program, subprocess.Popen[bytes]]] = []
    with _handling(stop):
        try:
            for program in programs:
                child = _start(program)
                children.append((program, child))
                threading.Thread(target=_watch, args=(child, changed), daemon=True).start()
            _wait_until_ready(children, changed)
            if not changed.is_set():
                on_ready()
            changed.wait()
            if not asked_to_stop.is_set():
                _raise_for_ended(children)
        finally:
            _end(children)


@contextmanager
def _handling(stop: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _start(program: Program) -> subprocess.Popen[bytes]:
    path = os.pathsep.join(part for part in (str(ROOT), os.environ.get("PYTHONPATH", "")) if part)
    return subprocess.Popen(
        program.command,
        stdin=subprocess.DEVNULL,
        stdout=sys.stderr.fileno(),  # our own stdout holds the addresses alone
        cwd=program.folder,
        env={**os.environ, "PYTHONPATH": path, **program.environment},
        start_new_session=True,
    )


def _watch(child: subprocess.Popen[bytes], changed: threading.Event) -> None:
    child.wait()
    changed.set()


def _wait_until_ready(children: list[tuple[Program, subprocess.Popen[bytes]]], changed: threading.Event) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    with httpx.Client(trust_env=False, timeout=2.0) as client:
        for program, _ in children:
            while not changed.is_set() and not _answers(client, program.health_url):
                if time.monotonic() > deadline:
                    raise ChildEnded(f"The {program.name} did not answer within {START_TIMEOUT_S:.0f} s.")
                changed.wait(0.2)


def _answers(client: httpx.Client, url: str) -> bool:
    try:
        return client.get(url).is_success
    except httpx.TransportError:
        return False


def _raise_for_ended(children: list[tuple[Program, subprocess.Popen[bytes]]]) -> None:
    for program, child in children:
        if child.poll() is not None:
            raise ChildEnded(
                f"The {program.name} ended by itself (exit code {child.returncode}), so everything was stopped."
            )


def _end(children: list[tuple[Program, subprocess.Popen[bytes]]]) -> None:
    for _, child in children:
        _signal_group(child, signal.SIGTERM)
    deadline = time.monotonic() + END_TIMEOUT_S
    for _, child in children:
        try:
            child.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            _signal_group(child, signal.SIGKILL)
            child.wait()


def _signal_group(child: subprocess.Popen[bytes], number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):  # it and all it started have ended
        os.killpg(child.pid, number)
