"""What a bench may kill beside server and worker: a database, a node of a cluster."""

from __future__ import annotations

import os
from random import Random
from typing import Protocol

from postgres_tools import PostgresServer
from ray_tools import RayCluster

__all__ = ["Database", "Mortal", "Node"]

NODES = 2
PLACE = "SOAK_PLACE"
"""Environment variable that the processes of a node have; quick jobs lock their device under it."""


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


class Node:
    """One of two measuring nodes of a Ray cluster, drawn anew each time; killed as by a loss of power.

    Args:
        cluster: with its head and no node yet.
        seed: of which node dies.
    """

    def __init__(self, cluster: RayCluster, seed: int) -> None:
        """Start the nodes; they join by themselves."""
        self._cluster, self._random, self._count = cluster, Random(f"{seed} nodes"), 0
        self._alive: list[str] = []
        for _ in range(NODES):
            self.revive()

    @property
    def environment(self) -> dict[str, str]:
        """Where the cluster is."""
        return {"DYAD_EXECUTOR": "ray", "DYAD_RAY_ADDRESS": self._cluster.address}

    def kill(self) -> None:
        """End every process of a node."""
        name = self._random.choice(self._alive)
        self._alive.remove(name)
        self._cluster.nodes[name].kill()

    def revive(self) -> None:
        """Start another one, which joins within seconds."""
        self._count += 1
        name = f"node{self._count}"
        os.environ[PLACE] = name  # its processes inherit it, and the journal's lock of their device is called so
        try:
            self._cluster.start(name)
        finally:
            del os.environ[PLACE]
        self._alive.append(name)
