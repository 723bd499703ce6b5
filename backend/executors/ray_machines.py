"""The machines of a Ray cluster as they come and go: looked at every few seconds, lost with their head, and found again.

What is found goes into the ledger, under the lock of the executor; places on machines that are gone are told so.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable

from backend.executors.ray_connection import GRACE_S, Connection
from backend.executors.ray_kinds import code_of_here
from backend.executors.ray_ledger import Ledger, Slot
from backend.executors.ray_nodes import refusals
from backend.executors.ray_place import Place

__all__ = ["Machines"]

LOOK_S = 3.0
"""How often the machines of the cluster are looked at."""

STALE_S = 15.0
"""A head that has not answered for so long is counted as gone, though the connection stands."""

AVOID_S = 30.0
"""A machine on which work was lost is given none for so long: the cluster counts a dead one as alive for some seconds more."""

_log = logging.getLogger(__name__)


class Machines:
    """Keeps the ledger's list of machines true.

    Args:
        connection: to the cluster.
        ledger: whose machines these are.
        lock: of the executor, held while the ledger is used.
        places: every place that is held; asked under the lock.
        on_joined: called when a machine has joined.
    """

    def __init__(
        self,
        connection: Connection,
        ledger: Ledger,
        lock: threading.Lock,
        places: Callable[[], Iterable[Place]],
        on_joined: Callable[[], None],
    ) -> None:
        """Look at nothing yet."""
        self._connection, self._ledger, self._lock = connection, ledger, lock
        self._places, self._on_joined = places, on_joined
        self._left_out: dict[str, str] = {}
        self._avoided: dict[str, float] = {}
        self._lost = f"The Ray cluster at {connection.address} has not been connected to."
        self._answered_s = time.monotonic()
        self._closing = threading.Event()
        self._watcher: threading.Thread | None = None

    def open(self) -> None:
        """Look at them, and from then on watch them."""
        self._closing.clear()
        self._look()
        self._watcher = threading.Thread(target=self._watch, name="ray-watch", daemon=True)
        self._watcher.start()

    def close(self) -> None:
        """Look no more."""
        self._closing.set()
        if self._watcher is not None:
            self._watcher.join()

    def problem(self) -> str:
        """Why none can be used; empty when one can. Asks nobody; the lock is held."""
        if self._lost:
            return self._lost
        if not self._connection.is_connected():
            return self._gone()
        silent_s = time.monotonic() - self._answered_s
        if silent_s > STALE_S:
            return f"The Ray head at {self._connection.address} has not answered for {silent_s:.0f} s."
        if not self._ledger.nodes:
            avoided = ["One on which work was lost is given none for a moment."] if self._avoided else []
            said = ["The Ray cluster has no machine that measures.", *avoided, *self._left_out.values()]
            return " ".join(said)
        return ""

    @property
    def are_out_of_reach(self) -> bool:
        """Whether the cluster is lost; the lock is held."""
        return bool(self._lost) or not self._connection.is_connected()

    @property
    def may_come_back(self) -> bool:
        """Whether the ledger may lack machines that are there: all of them, or one that is avoided. The lock is held."""
        return bool(self._lost or self._avoided)

    @property
    def left_out(self) -> list[str]:
        """Why machines of the cluster may not measure, a sentence each; the lock is held."""
        return list(self._left_out.values())

    def avoid(self, slot: Slot) -> None:
        """Give no work to a machine on which some was lost, until it has shown that it is still there."""
        with self._lock:
            self._avoided[slot.node.id] = time.monotonic() + AVOID_S
            self._ledger.nodes = [node for node in self._ledger.nodes if node.id != slot.node.id]

    def _watch(self) -> None:
        while not self._closing.wait(LOOK_S):
            try:
                self._look()
            except Exception as error:  # noqa: BLE001 - Ray Client raises of every family when the head is gone
                if time.monotonic() - self._answered_s > GRACE_S + LOOK_S:
                    self._lose(error)
                    self._connect_again()

    def _look(self) -> None:
        """Take over the machines there are now."""
        found = self._connection.nodes()
        left_out = refusals(found, code_of_here())
        with self._lock:
            now_s, living = time.monotonic(), {node.id for node in found}
            self._avoided = {
                node_id: until_s for node_id, until_s in self._avoided.items() if node_id in living and now_s < until_s
            }
            nodes = [node for node in found if node.id not in left_out and node.id not in self._avoided]
            self._answered_s = now_s
            before = {node.id for node in self._ledger.nodes}
            self._ledger.nodes, self._left_out, self._lost = nodes, left_out, ""
            for place in self._places():
                if place.slot.node.id not in living and not place.lost:
                    place.lost = f"{place.name} is gone from the cluster."
        if {node.id for node in nodes} - before:
            self._on_joined()

    def _lose(self, error: Exception) -> None:
        with self._lock:
            if not self._lost:
                _log.warning("the Ray cluster at %s is lost: %s", self._connection.address, error)
            self._lost = self._gone()
            self._ledger.nodes = []
            for place in self._places():
                place.lost = place.lost or self._lost

    def _gone(self) -> str:
        return f"The Ray head at {self._connection.address} is gone; it is looked for every few seconds."

    def _connect_again(self) -> None:
        self._connection.close()
        try:
            self._connection.open()
            self._look()
        except Exception as error:  # noqa: BLE001 - still gone, whatever it says; problem() tells it, and it is tried again
            _log.debug("the Ray cluster is still gone: %s", error)
        else:
            _log.warning("the Ray cluster at %s is back", self._connection.address)
