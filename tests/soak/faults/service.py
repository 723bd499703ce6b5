"""The service under test: started, killed, stopped and asked, always at one address."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import sys
import uuid
from pathlib import Path

import httpx
import psutil
from service_tools import ROOT, alive, wait_until
from soak.faults.quick import FOLDER

from backend.ports import PortUnusable, check_port

__all__ = ["COOKIE", "Service"]

COOKIE = "DYAD_SOAK_COOKIE"
"""Environment variable that every process of one bench carries, whoever started it."""
WORKERS = ("quick_worker.py", "dyad_core.bench.worker")
FAREWELL_S = 30.0


def _lasting_port() -> int:
    """A free port that the system lends to nobody's connections while a server is dead."""
    while True:
        port = random.randint(20000, 32000)
        with contextlib.suppress(PortUnusable):
            check_port("127.0.0.1", port, "")
            return port


class Service:
    """One address, one database, and the server process that lives there now.

    Args:
        folder: for the home of the service, its log, its temporary files and the journal of the quick jobs.
        environment: further settings, for example ``DYAD_DATABASE_URL``.
    """

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        """Start the nursery; the server starts with :meth:`start`."""
        self.cookie = os.environ.get(COOKIE) or uuid.uuid4().hex  # there, where nodes of a cluster carry it already
        self.folder, self.temporary = folder, folder / "tmp"
        self.journal = folder / "journal"
        for each in (self.journal, self.temporary):
            each.mkdir(parents=True)
        port = _lasting_port()
        self.url = f"http://127.0.0.1:{port}"
        self.environment = {
            "DYAD_HOME": str(folder / "home"),
            "DYAD_PORT": str(port),
            "DYAD_REFERENCE_RUNS": "0",
            "TMPDIR": str(self.temporary),
            "PYTHONPATH": str(ROOT / "tests"),
            FOLDER: str(self.journal),
            COOKIE: self.cookie,
        } | environment
        self._log = (folder / "server.log").open("ab")
        self._nursery = subprocess.Popen(
            [sys.executable, "-m", "soak.faults.nursery"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            env=os.environ | self.environment,
            cwd=ROOT,
            text=True,
        )
        self.pid = 0
        self.starts = 0

    def start(self) -> None:
        """Start a server; it need not answer yet."""
        if self._nursery.stdin is None or self._nursery.stdout is None:
            raise RuntimeError("the nursery was started with pipes")
        self._nursery.stdin.write("start\n")
        self._nursery.stdin.flush()
        self.pid = int(self._nursery.stdout.readline())
        self.starts += 1

    def kill(self) -> None:
        """SIGKILL, and wait until it is gone."""
        os.kill(self.pid, signal.SIGKILL)
        wait_until(lambda: not alive(self.pid), "the end of the killed server")

    def stop(self) -> None:
        """SIGTERM, and wait until it is gone."""
        os.kill(self.pid, signal.SIGTERM)
        wait_until(lambda: not alive(self.pid), "the end of the stopped server", FAREWELL_S)

    @property
    def is_alive(self) -> bool:
        """Whether the server's process runs."""
        return alive(self.pid)

    def client(self, timeout_s: float = 10.0) -> httpx.Client:
        """A client of whatever server lives at the address."""
        return httpx.Client(base_url=self.url, trust_env=False, timeout=timeout_s)

    def family(self) -> list[psutil.Process]:
        """Every living process that carries the cookie."""
        found = []
        for process in psutil.process_iter():
            try:
                if process.environ().get(COOKIE) == self.cookie and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process)
            except psutil.Error:  # it ended in between, or is not ours to look at
                continue
        return found

    def workers(self) -> list[psutil.Process]:
        """The processes among them that measure."""
        found = []
        for process in self.family():
            try:
                if any(word in part for word in WORKERS for part in process.cmdline()):
                    found.append(process)
            except psutil.Error:
                continue
        return found

    def close(self) -> None:
        """End everything."""
        if self._nursery.stdin is not None:
            self._nursery.stdin.close()
        self._nursery.wait(FAREWELL_S)
        if self._nursery.stdout is not None:
            self._nursery.stdout.close()
        self._log.close()
