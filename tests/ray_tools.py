"""A real Ray cluster on this machine: nodes started by the real ``dyad worker``, each on a loopback address of its own."""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil

from backend.executors.base import Needs, Reservation
from backend.executors.ray_executor import RayExecutor
from backend.executors.ray_kinds import code_of_here
from dyad_core.bench.process import Work

__all__ = [
    "ALONE",
    "JOIN_S",
    "RayCluster",
    "RayNode",
    "eventually",
    "ray_cluster",
    "run",
    "script",
    "skip_reason",
    "total",
    "wait_for_nodes",
]

ALONE = Needs("cpu")
JOIN_S = 60.0

START_TIMEOUT_S = 90.0
ROOT = Path(__file__).resolve().parent.parent

# Read by Ray once, when it is imported: the clusters of the tests take nobody without this token.
os.environ["RAY_AUTH_MODE"] = "token"
os.environ["RAY_AUTH_TOKEN"] = "dyad" * 16


def skip_reason() -> str:
    """Why there can be no cluster here; empty when there can."""
    try:
        import grpc  # noqa: F401
        import ray  # noqa: F401
    except ImportError as error:
        return f"Ray is not installed ({error})"
    return "" if sys.platform == "linux" else "loopback addresses beside 127.0.0.1 need Linux"


IMPATIENT = {"RAY_gcs_rpc_server_reconnect_timeout_s": "5"}
"""A node whose head is gone ends sooner than ``dyad worker`` would have it."""


class RayNode:
    """One node: the process of ``dyad worker --block`` and all it started."""

    def __init__(self, process: subprocess.Popen[bytes], address: str) -> None:
        self.process, self.address = process, address

    def processes(self) -> list[psutil.Process]:
        with contextlib.suppress(psutil.NoSuchProcess):
            parent = psutil.Process(self.process.pid)
            return [parent, *parent.children(recursive=True)]
        return []

    def kill(self) -> None:
        """As when the machine loses its power: everything at once, by SIGKILL."""
        found = self.processes()
        for process in found:  # first of all stop them, so that none starts another
            with contextlib.suppress(psutil.NoSuchProcess):
                process.suspend()
        for process in {*found, *self.processes()}:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        self.process.wait()


class RayCluster:
    """A head and nodes."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.port, self.client_port = folder, free_port(), free_port()
        self.nodes: dict[str, RayNode] = {}
        self.numbers, self.names = itertools.count(3), itertools.count(1)
        # A copy of the code, so that whoever edits it while the tests run makes no machine differ from another.
        for package in ("dyad_core", "backend"):
            shutil.copytree(ROOT / package, self.code / package, ignore=shutil.ignore_patterns("__pycache__"))
        code_of_here()

    @property
    def code(self) -> Path:
        """The copy of the code that the nodes run: also the working folder of other processes that belong to the cluster."""
        return self.folder / "code"

    @property
    def environment(self) -> dict[str, str]:
        """For processes that belong to the cluster."""
        return {**os.environ, "PYTHONPATH": os.pathsep.join([str(self.code), str(ROOT / "tests")])}

    @property
    def address(self) -> str:
        """For DYAD_RAY_ADDRESS."""
        return f"127.0.0.2:{self.client_port}"

    def start(self, name: str, *options: str) -> RayNode:
        """``head``, or a node with the devices of this machine."""
        address = "127.0.0.2" if name == "head" else f"127.0.0.{next(self.numbers)}"
        joining = (
            ("--head", f"--port={self.port}", f"--client-port={self.client_port}", "--no-measuring")
            if name == "head"
            else (f"--address=127.0.0.2:{self.port}",)
        )
        command = [str(Path(sys.executable).with_name("dyad")), "worker", "--block", *joining, f"--node-ip={address}"]
        command += [f"--temp-dir={self.folder / name}", *options]
        log = (self.folder / f"{name}.log").open("ab")
        with log:
            process = subprocess.Popen(
                command, stdout=log, stderr=log, start_new_session=True, env={**IMPATIENT, **self.environment}
            )
        self.nodes[name] = RayNode(process, address)
        return self.nodes[name]

    def fill(self, count: int) -> None:
        """See to it that so many nodes measure, beside the head; those that died are replaced."""
        measuring = [name for name, node in self.nodes.items() if name != "head" and node.process.poll() is None]
        for name in measuring[count:]:
            self.nodes.pop(name).kill()
        for _ in range(count - len(measuring)):
            self.start(f"n{next(self.names)}")

    def wait_for_head(self) -> None:
        def answers() -> bool:
            assert self.nodes["head"].process.poll() is None, (self.folder / "head.log").read_text()
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.2", self.client_port), timeout=1):
                return True
            return False

        eventually(answers, within_s=START_TIMEOUT_S, what="the head answers", log=self.folder / "head.log")

    def end(self) -> None:
        for node in reversed(self.nodes.values()):
            node.kill()


@contextlib.contextmanager
def ray_cluster() -> Iterator[RayCluster]:
    """A head that measures nothing; start nodes as they are needed. Everything is ended and deleted."""
    folder = Path(tempfile.mkdtemp(prefix="dr-", dir="/tmp"))
    cluster = RayCluster(folder)
    try:
        cluster.start("head")
        cluster.wait_for_head()
        yield cluster
    finally:
        cluster.end()
        shutil.rmtree(folder, ignore_errors=True)


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.2", 0))
        return int(found.getsockname()[1])


def eventually(is_so: Callable[[], Any], *, within_s: float, what: str, log: Path | None = None) -> Any:
    """Wait until something is so and return it."""
    deadline = time.monotonic() + within_s
    while not (found := is_so()):
        if time.monotonic() > deadline:
            said = "" if log is None else log.read_text(errors="replace")[-3000:]
            raise AssertionError(f"not within {within_s:.0f} s: {what}\n{said}")
        time.sleep(0.1)
    return found


PROGRAM = """
import json, os, sys, threading, time

def report(message):
    os.write(1, b"\\x1e" + json.dumps(message).encode() + b"\\n")

def work():
    {body}

def end_with_parent():
    while os.read(0, 4096):
        pass
    os._exit(75)

request = json.loads(os.fdopen(os.dup(0), "rb", buffering=0).readline())
threading.Thread(target=end_with_parent, daemon=True).start()
found = json.dumps({{"result": work()}})
with open(request["result_path"], "w") as file:
    file.write(found)
os._exit(0)
"""
"""As :mod:`dyad_core.bench.serving`, which imports torch: that takes longer than all that these tests do."""


def script(text: str, *, name: str = "measurement", **environment: str) -> Work:
    """Work that runs ``text`` as the body of a function that may ``report`` and returns the result."""
    program = PROGRAM.format(body="\n    ".join(text.strip().splitlines()))
    return Work((sys.executable, "-c", program), {}, name, "measuring process", environment)


def wait_for_nodes(executor: RayExecutor, count: int) -> None:
    eventually(lambda: total(executor) == count, within_s=JOIN_S, what=f"{count} nodes measure")


def total(executor: RayExecutor) -> int:
    return sum(group.total for group in executor.groups() if group.kind == "cpu")


def run(place: Reservation, text: str, *, index: int = 0, **options: Any) -> Any:
    options = {"on_message": lambda _message: None, "cancel": threading.Event()} | options
    return place.run(script(text), index=index, **options)
