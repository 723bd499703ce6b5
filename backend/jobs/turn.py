"""Whose turn it is to measure: at most one server per database does, however many are started.

A measurement must be alone, and the server that measures may declare jobs of a dead one interrupted. Both need a
lock that ends with its holder, even by SIGKILL: a file lock beside the SQLite database, an advisory lock in
PostgreSQL. A second server answers requests and takes over when the first is gone.
"""

from __future__ import annotations

import fcntl
import math
import os
from pathlib import Path
from typing import Protocol

from sqlalchemy import Connection, Engine, text

__all__ = ["AdvisoryTurn", "FileTurn", "Turn", "turn_for"]

_ADVISORY_KEY = 0x64796164  # "dyad" in ASCII


class Turn(Protocol):
    """A lock that is asked for without waiting and freed at the end of its holder."""

    @property
    def lease_s(self) -> float:
        """How long a server that cannot reach the database goes on with its jobs: within it, nobody else starts them."""

    @property
    def grace_s(self) -> float:
        """How long whoever held the turn before may still be running jobs; longer than ``lease_s``."""

    def take(self) -> bool:
        """Whether this server has its turn now; asking again while holding it is free."""

    def give_back(self) -> None:
        """Let the next server measure."""


class FileTurn:
    """A turn held by locking a file; the system frees it when the process ends."""

    lease_s, grace_s = math.inf, 0.0  # only the end of the process frees it, and the processes of its jobs end with it

    def __init__(self, path: Path) -> None:
        """Use the file ``path``, made when missing."""
        self._path = path
        self._descriptor: int | None = None

    def take(self) -> bool:
        """Try to lock the file."""
        if self._descriptor is not None:
            return True
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return False
        self._descriptor = descriptor
        return True

    def give_back(self) -> None:
        """Close the file, which frees the lock."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


class AdvisoryTurn:
    """A turn held by an advisory lock of PostgreSQL on a connection of its own."""

    lease_s, grace_s = 20.0, 30.0  # a lost connection frees it

    def __init__(self, engine: Engine) -> None:
        """Lock in the database of ``engine``."""
        self._engine = engine
        self._connection: Connection | None = None

    def take(self) -> bool:
        """Try to lock; a lost connection lost the lock, so it is asked for anew."""
        if self._connection is not None and not self._connection.closed and not self._connection.invalidated:
            self._connection.execute(text("SELECT 1"))
            return True
        connection = self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        if connection.scalar(text("SELECT pg_try_advisory_lock(:key)"), {"key": _ADVISORY_KEY}):
            self._connection = connection
            return True
        connection.close()
        return False

    def give_back(self) -> None:
        """End the connection, which frees the lock."""
        if self._connection is not None:
            self._connection.invalidate()
            self._connection.close()
            self._connection = None


def turn_for(engine: Engine, home: Path) -> Turn:
    """The turn that belongs to this database."""
    if engine.dialect.name == "postgresql":
        return AdvisoryTurn(engine)
    return FileTurn(home / "measuring.lock")
