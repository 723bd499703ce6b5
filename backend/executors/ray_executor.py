"""Work on the machines of a Ray cluster: each job placed by the kind of its device, and alone on it.

Who holds what is kept here (:mod:`.ray_ledger`), and asked of Ray too, as resources, so that two services on one cluster do
not meet on a device. What needs files of the service runs on the machine of the service, as without a cluster.

A job with several devices (``Needs.count``) holds them all at once and runs work on each by its ``index``. For a training over
several GPUs a later kind runs ``torchrun``, one process an index, the place of index 0 being the rendezvous; Ray Train is the
other way, for which :meth:`RayReservation.run` on index 0 would be the driver.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from backend.executors.base import (
    NO_LIMITS,
    SERVER,
    DeviceGroup,
    Limits,
    Needs,
    NoSuchDevice,
    Reservation,
)
from backend.executors.local import LocalExecutor
from backend.executors.ray_connection import GRACE_S, Connection
from backend.executors.ray_kinds import code_of_here
from backend.executors.ray_ledger import Ledger, Slot
from backend.executors.ray_nodes import refusals
from backend.executors.ray_place import Place
from dyad_core.bench.process import Work

__all__ = ["RayExecutor", "RayReservation"]

LOOK_S = 3.0
"""How often the machines of the cluster are looked at."""

STALE_S = 15.0
"""A head that has not answered for so long is counted as gone, though the connection stands."""

AVOID_S = 30.0
"""A machine on which work was lost is given none for so long: the cluster counts a dead one as alive for some seconds more."""

_log = logging.getLogger(__name__)


class RayExecutor:
    """The devices of a cluster.

    Args:
        address: the client port of its head, as DYAD_RAY_ADDRESS.
        workers: how many jobs that need the machine of the service may run there at once.
    """

    name, is_local = "ray", False

    def __init__(self, address: str, workers: int = 2) -> None:
        """Connect to nothing yet."""
        self._connection = Connection(address)
        self._here = LocalExecutor(workers)
        self._lock = threading.Lock()
        self._ledger = Ledger()
        self._reservations: set[RayReservation] = set()
        self._left_out: dict[str, str] = {}
        self._avoided: dict[str, float] = {}
        self._lost = f"The Ray cluster at {address} has not been connected to."
        self._answered_s = time.monotonic()
        self._closing = threading.Event()
        self._watcher: threading.Thread | None = None
        self._wake: Callable[[], None] = lambda: None

    def open(self) -> None:
        """Connect, and from then on watch the machines come and go."""
        self._here.open()
        self._connection.open()
        self._closing.clear()
        self._look()
        self._watcher = threading.Thread(target=self._watch, name="ray-watch", daemon=True)
        self._watcher.start()

    def close(self) -> None:
        """End all that runs in the cluster for this service, and leave it."""
        self._closing.set()
        if self._watcher is not None:
            self._watcher.join()
        for reservation in list(self._reservations):
            reservation.release()
        self._connection.close()
        self._here.close()

    def problem(self) -> str:
        """Why nothing can be run; asks nobody."""
        with self._lock:
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

    def groups(self) -> list[DeviceGroup]:
        """The kinds of the cluster."""
        with self._lock:
            return self._ledger.groups()

    def check(self, needs: Needs) -> None:
        """Return when the cluster has these devices, free or not, or while it cannot be asked: then the job waits."""
        if needs.device == SERVER:
            self._here.check(needs)
            return
        with self._lock:
            try:
                self._ledger.check(needs)
            except NoSuchDevice as error:
                if self._lost or self._avoided:
                    return
                if self._left_out:
                    raise NoSuchDevice(" ".join([str(error), *self._left_out.values()])) from None
                raise

    def reserve(self, needs: Needs) -> Reservation | None:
        """Hold devices; None while they are not free or the cluster is out of reach."""
        if needs.device == SERVER:
            return self._here.reserve(needs)
        with self._lock:
            if self._lost or not self._connection.is_connected():
                return None
            try:
                slots = self._ledger.take(needs)
            except NoSuchDevice:
                return None  # there were such devices when the job was accepted, and their machine may come back
            if slots is None:
                return None
            reservation = RayReservation(self, [Place(self._connection, slot, self._avoid) for slot in slots])
            self._reservations.add(reservation)
            return reservation

    def may_overtake(self, needs: Needs, waiting: Sequence[Needs]) -> bool:
        """What runs on the machine of the service and what runs in the cluster never wait for each other."""
        here = needs.device == SERVER
        others = [other for other in waiting if (other.device == SERVER) == here]
        if here:
            return self._here.may_overtake(needs, others)
        with self._lock:
            return self._ledger.may_overtake(needs, others)

    def when_freed(self, wake: Callable[[], None]) -> None:
        """Call ``wake`` when devices are given back, when a machine joins, and when the cluster is back."""
        self._wake = wake
        self._here.when_freed(wake)

    def give_back(self, reservation: RayReservation) -> None:
        """Free what a reservation holds; only that calls it."""
        with self._lock:
            self._ledger.give_back(place.slot for place in reservation.held)
            self._reservations.discard(reservation)
        self._wake()

    # --- the machines, as they come and go ------------------------------------------------------

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
            self._tell_gone(living)
        if {node.id for node in nodes} - before:
            self._wake()

    def _avoid(self, slot: Slot) -> None:
        """Give no work to a machine on which some was lost, until it has shown that it is still there."""
        with self._lock:
            self._avoided[slot.node.id] = time.monotonic() + AVOID_S
            self._ledger.nodes = [node for node in self._ledger.nodes if node.id != slot.node.id]

    def _tell_gone(self, living: set[str]) -> None:
        for reservation in self._reservations:
            for place in reservation.held:
                if place.slot.node.id not in living and not place.lost:
                    place.lost = f"{place.name} is gone from the cluster."

    def _lose(self, error: Exception) -> None:
        with self._lock:
            if not self._lost:
                _log.warning("the Ray cluster at %s is lost: %s", self._connection.address, error)
            self._lost = self._gone()
            self._ledger.nodes = []
            for reservation in self._reservations:
                for place in reservation.held:
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


class RayReservation:
    """Devices of a cluster that are held for one job."""

    def __init__(self, executor: RayExecutor, places: list[Place]) -> None:
        """Remember what to give back."""
        self._executor, self.held = executor, places
        self._lock, self._released = threading.Lock(), False

    @property
    def places(self) -> tuple[str, ...]:
        """One name per device: ``"tower (H200)"``."""
        return tuple(place.name for place in self.held)

    def run(
        self,
        work: Work,
        *,
        on_message: Callable[[dict[str, Any]], None],
        cancel: threading.Event,
        limits: Limits = NO_LIMITS,
        index: int = 0,
    ) -> Any:
        """Run ``work`` on the device of this index, whatever else runs on the others."""
        return self.held[index].run(work, on_message, cancel, limits)

    def release(self) -> None:
        """End what runs there and give the devices back."""
        with self._lock:
            if self._released:
                return
            self._released = True
        for place in self.held:
            place.kill()
        self._executor.give_back(self)
