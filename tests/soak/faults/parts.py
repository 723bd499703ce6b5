"""What a bench may kill beside server and worker: a database, a node of a cluster."""

from __future__ import annotations

from typing import Protocol

from postgres_tools import PostgresServer

__all__ = ["Database", "Mortal"]


class Mortal(Protocol):
    """Something that is killed and brought back; whoever made it ends it for good."""

    @property
    def environment(self) -> dict[str, str]:
        """Settings by which the service finds it."""

    def kill(self) -> None:
        """End it without a farewell; return when it is gone."""

    def revive(self) -> None:
        """Start it again; return when it answers."""


class Database:
    """A PostgreSQL server with one database for the bench; killed by its immediate shutdown."""

    def __init__(self, server: PostgresServer) -> None:
        """Use a running server."""
        self._server = server
        self._name = server.new_database()

    @property
    def environment(self) -> dict[str, str]:
        """The address of the database."""
        return {"DYAD_DATABASE_URL": self._server.url(self._name)}

    def kill(self) -> None:
        """Cut every connection; the next start recovers from the log."""
        self._server.kill()

    def revive(self) -> None:
        """Start it on the same port with the same data."""
        self._server.start()
