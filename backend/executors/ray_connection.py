"""The way to a Ray cluster: Ray Client, over one port of its head.

Not a driver of Ray's own: that would need a node of Ray beside the service, and ends the process that it lives in when the head
is gone for a minute. A client is told instead, and can connect again. It never starts a Ray of its own.
"""

from __future__ import annotations

import contextlib
import importlib
import logging
import os
import socket
import threading
import time
from pathlib import Path
from typing import Any

from backend.executors.base import ExecutorUnusable
from backend.executors.ray_ledger import Slot
from backend.executors.ray_nodes import Node, nodes_of

__all__ = ["CLIENT_PORT", "GRACE_S", "Connection", "parse_address"]

CLIENT_PORT = 10001
"""Where a head listens for clients unless it is told otherwise."""

KNOCK_S = 3.0
"""A port that takes no connection within this time is not reached."""

GRACE_S = 5
"""A connection that breaks may come back within this time; then the head ends what it ran for this service."""

CONNECT_S = 90.0
"""A head that lets nobody in within this time is of no use."""

TRIES = 3
"""A head that answers and lets nobody in is asked again so often."""

CLIENT_VARIABLES = {
    # Without a connection Ray would start a cluster of its own on this machine at the next call.
    "RAY_ENABLE_AUTO_CONNECT": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_CLIENT_RECONNECT_GRACE_PERIOD": str(GRACE_S),
    # Three tries within 25 seconds; the last would take 15 seconds more.
    "RAY_CLIENT_MAX_CONNECTION_TIMEOUT_S": "10",
}


TOKEN_VARIABLES = ("RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH")
TOKEN_FILE = Path("~/.ray/auth_token").expanduser()
"""Where Ray finds the token that nodes and clients of a cluster share."""


def parse_address(address: str) -> tuple[str, int]:
    """Host and port of ``head``, ``head:10001`` or ``ray://head:10001``.

    Raises:
        ExecutorUnusable: it is none of these.
    """
    host, separator, port = address.removeprefix("ray://").rpartition(":")
    if not separator:
        host, port = port, str(CLIENT_PORT)
    if not host or not port.isdigit() or not 0 < int(port) < 65536 or "/" in host:
        raise ExecutorUnusable(
            f"{address!r} is no address of a Ray head; DYAD_RAY_ADDRESS takes HOST:PORT, for example head:{CLIENT_PORT}."
        )
    return host.strip("[]"), int(port)


class Connection:
    """A connection that can be lost and made anew.

    Args:
        address: as DYAD_RAY_ADDRESS.
    """

    def __init__(self, address: str) -> None:
        """Connect to nothing yet."""
        self.address = address
        self.ray: Any = None
        self._host, self._port = parse_address(address)

    def open(self) -> None:
        """Connect; within a minute and a half it is done or has failed, and within seconds where nothing answers.

        Raises:
            ExecutorUnusable: it cannot be done; the message says why and what to do.
        """
        self._knock()
        self.ray = _ray()
        failed: list[BaseException] = []
        # Ray bounds its own waiting only in parts; and in the main thread it would take over SIGTERM.
        thread = threading.Thread(target=self._connect, args=(failed,), name="ray-connect", daemon=True)
        thread.start()
        thread.join(CONNECT_S)
        if thread.is_alive():
            raise ExecutorUnusable(f"The Ray head at {self.address} let nobody in for {CONNECT_S:.0f} s.")
        if failed:
            self.close()
            raise ExecutorUnusable(self._sentence(failed[-1])) from failed[-1]

    def close(self) -> None:
        """Leave; the head ends what it ran for this service."""
        if self.ray is not None:
            with contextlib.suppress(Exception):  # the head may be gone, and then so is everything it ran
                self.ray.shutdown()

    def nodes(self) -> list[Node]:
        """The machines with something to measure with."""
        return nodes_of(self._connected().nodes())

    def actor(self, actor: type[Any], slot: Slot) -> Any:
        """Start an actor that holds ``slot``, on its machine and on no other."""
        ray = self._connected()
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        return (
            ray.remote(actor)
            .options(
                num_cpus=0,
                num_gpus=slot.gpus,
                resources=slot.resources,
                max_concurrency=4,
                max_restarts=0,
                scheduling_strategy=NodeAffinitySchedulingStrategy(slot.node.id, soft=False),
            )
            .remote()
        )

    def answer(self, question: Any, timeout_s: float) -> tuple[bool, Any]:
        """Whether a question was answered within this time, and what with; raises what the other side raised."""
        ray = self._connected()
        ready, _ = ray.wait([question], timeout=timeout_s)
        return (True, ray.get(question)) if ready else (False, None)

    def kill(self, actor: Any) -> None:
        """End an actor at once."""
        self._connected().kill(actor)

    def _connected(self) -> Any:
        """Ray, where there is a connection.

        Raises:
            ConnectionError: there is none.
        """
        if not self.is_connected():
            raise ConnectionError(f"there is no connection to the Ray head at {self.address}")
        return self.ray

    def tells_loss(self, error: Exception) -> bool:
        """Whether an error means that a machine or the way to it is gone, rather than a mistake of ours."""
        exceptions = self.ray.exceptions
        if isinstance(error, exceptions.RayTaskError):
            return False
        return isinstance(error, (exceptions.RayError, ConnectionError)) or not self.is_connected()

    def is_connected(self) -> bool:
        """Whether the client believes that it is connected."""
        return self.ray is not None and bool(self.ray.util.client.ray.is_connected())

    def _connect(self, failed: list[BaseException]) -> None:
        """Connect, in a thread of its own; ``failed`` is what came in the way, and empty when nothing did."""
        for _ in range(TRIES):
            try:
                self.ray.init(f"ray://{self._host}:{self._port}", log_to_driver=False, configure_logging=False)
            except ConnectionAbortedError as error:
                # The head starts a process for every client, and can fail at that when it has just been started itself.
                failed.append(error)
                time.sleep(1.0)
            except BaseException as error:  # noqa: BLE001 - raised in the thread that waits
                failed.append(error)
                return
            else:
                failed.clear()
                return

    def _knock(self) -> None:
        try:
            with socket.create_connection((self._host, self._port), timeout=KNOCK_S):
                return
        except OSError as error:
            raise ExecutorUnusable(
                f"Nothing answers at {self.address} ({error}). DYAD_RAY_ADDRESS names the client port of a running Ray head, "
                f"{CLIENT_PORT} unless it was started with another; `dyad worker --head` starts one. "
                "Nothing runs on this machine instead."
            ) from error

    def _sentence(self, error: BaseException) -> str:
        text = " ".join(str(error).split())
        if "mismatch" in text.lower():
            return (
                f"The Ray head at {self.address} runs other versions than this service; give both the same ones. {text}"
            )
        return (
            f"What answers at {self.address} is no Ray head that takes clients ({text}). DYAD_RAY_ADDRESS names its client "
            f"port, {CLIENT_PORT} unless it was started with another, and not the port that nodes join at. A head that wants a "
            "token (RAY_AUTH_MODE=token) wants the same RAY_AUTH_TOKEN here."
        )


def _ray() -> Any:
    """Ray with its client, which reads its settings when it is imported."""
    for name, value in CLIENT_VARIABLES.items():
        os.environ.setdefault(name, value)
    if any(os.environ.get(name) for name in TOKEN_VARIABLES) or TOKEN_FILE.is_file():
        os.environ.setdefault("RAY_AUTH_MODE", "token")  # as the nodes do, and Ray Client does not
    records = logging.getLogRecordFactory()
    try:
        importlib.import_module("grpc")  # Ray Client needs it and would say so less plainly
        import ray.util.client
    except ImportError as error:
        raise ExecutorUnusable(
            f"DYAD_EXECUTOR=ray needs Ray with its client ({error}): pip install 'dyad-explorer[cluster]'."
        ) from error
    logging.setLogRecordFactory(records)  # Ray's puts a field of its own into every record of the process
    # It tells of every reconnection, and that it does not handle SIGTERM; what matters is told by problem().
    logging.getLogger("ray").setLevel(logging.ERROR)
    return ray
