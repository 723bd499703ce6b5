"""A real PostgreSQL server that the tests start: on a free port of this machine, ended with whoever started it.

``initdb`` and ``postgres`` refuse to run as root, so root becomes the user that PostgreSQL's packages make.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from service_tools import wait_until

from backend.ports import free_port
from backend.settings import Settings
from backend.store.database import open_database

__all__ = ["PostgresServer", "running_postgres"]

TEMPLATE = "dyad_template"


class PostgresServer:
    """One server and its data; it can be stopped and started again, on the same port with the same data."""

    def __init__(self, programs: Path, folder: Path) -> None:
        """Make the data folder inside ``folder``; nothing runs before :meth:`start`."""
        self.programs, self._folder = programs, folder
        self._process: subprocess.Popen[bytes] | None = None
        self.port = free_port("127.0.0.1")
        self._as_user: list[str] = []
        if os.geteuid() == 0:
            self._as_user = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
            shutil.chown(folder, "postgres", "postgres")
        options = ["-A", "trust", "-U", "dyad", "--no-sync", "-E", "UTF8", "--locale=C.UTF-8"]
        done = subprocess.run(
            [*self._as_user, str(programs / "initdb"), "-D", str(folder / "data"), *options],
            cwd=folder, capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode:
            raise RuntimeError(done.stdout + done.stderr)

    def url(self, name: str = "postgres") -> str:
        """The address of one of its databases, as ``DYAD_DATABASE_URL`` takes it."""
        return f"postgresql://dyad@127.0.0.1:{self.port}/{name}"

    def start(self, **settings: str) -> None:
        """Start it with further ``settings`` and return when it answers."""
        chosen = {
            "listen_addresses": "127.0.0.1",
            "port": str(self.port),
            "unix_socket_directories": str(self._folder),
            "max_connections": "200",
            # What follows a crash of the machine is not tried here, and each database of a test would wait for the disk.
            "fsync": "off",
        }
        options = [part for name, value in (chosen | settings).items() for part in ("-c", f"{name}={value}")]
        # The kernel ends it, too, where the tests are killed; SIGQUIT is PostgreSQL's immediate shutdown.
        with_us = self._as_user or ["setpriv"] if shutil.which("setpriv") else []
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [*with_us, *(["--pdeathsig=QUIT"] if with_us else []), str(self.programs / "postgres"),
                 "-D", str(self._folder / "data"), *options],
                cwd=self._folder, stdout=log, stderr=log,
            )  # fmt: skip
        wait_until(self._answers_or_ended, "the start of PostgreSQL")
        if self._process.poll() is not None:
            raise RuntimeError((self._folder / "log").read_text(encoding="utf-8"))

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """End it: SIGINT cuts every connection and keeps the books, SIGQUIT leaves them to the recovery of the next start."""
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(60)
            self._process = None

    def kill(self) -> None:
        """End it as a crash would: nothing is written, every connection is cut."""
        self.stop(signal.SIGQUIT)

    def new_database(self, template: str | None = None) -> str:
        """Make a database, empty or a copy of ``template``, and return its name."""
        name = f"dyad_{uuid.uuid4().hex}"
        self.execute(f"CREATE DATABASE {name} TEMPLATE {template or 'template0'}")
        return name

    def migrated_database(self) -> str:
        """Make a database with the newest schema, copied, which is quicker than migrating; return its name."""
        with psycopg.connect(self.url(), autocommit=True) as connection:
            if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [TEMPLATE]).fetchone():
                connection.execute(f"CREATE DATABASE {TEMPLATE} TEMPLATE template0")
                open_database(Settings(home=self._folder / "home", database_url=self.url(TEMPLATE))).dispose()
        return self.new_database(TEMPLATE)

    def drop(self, name: str) -> None:
        """Remove a database, whoever is connected to it."""
        self.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    def execute(self, command: str, name: str = "postgres") -> None:
        """Run one command outside of a transaction."""
        with psycopg.connect(self.url(name), autocommit=True) as connection:
            connection.execute(command)

    def _answers_or_ended(self) -> bool:
        if self._process is None or self._process.poll() is not None:
            return True
        with contextlib.suppress(psycopg.OperationalError), psycopg.connect(self.url(), connect_timeout=2):
            return True
        return False


def programs_folder() -> Path | None:
    """Where ``initdb`` and ``postgres`` lie: on the path, or where Debian's packages put them."""
    on_path = shutil.which("initdb")
    found = [Path(on_path)] if on_path else sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return found[-1].resolve().parent if found else None


@contextlib.contextmanager
def running_postgres() -> Iterator[PostgresServer]:
    """A server of its own, ended with the ``with`` block; skips the test where PostgreSQL is not installed."""
    programs = programs_folder()
    if programs is None:
        pytest.skip("PostgreSQL's programs (initdb, postgres) are not installed")
    # Not among pytest's folders, which nobody but root could enter where root runs the tests.
    with tempfile.TemporaryDirectory(prefix="dyad-postgres-") as folder:
        server = PostgresServer(programs, Path(folder))
        try:
            server.start()
            yield server
        finally:
            server.stop()
