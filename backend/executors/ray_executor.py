"""Work on the machines of a Ray cluster: each job placed by the kind of its device, and alone on it.

Who holds what is kept here (:mod:`.ray_ledger`), of the machines there are (:mod:`.ray_machines`), and asked of Ray too, as resources, so that two services on one cluster do
not meet on a device. What needs files of the service runs on the machine of the service, as without a cluster.

A job with several devices (``Needs.count``) holds them all at once and runs work on each by its ``index``. For a training over
several GPUs a later kind runs ``torchrun``, one process an index, the place of index 0 being the rendezvous; Ray Train is the
other way, for which :meth:`.RayReservation.run` on index 0 would be the driver.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from backend.executors.base import SERVER, DeviceGroup, Needs, NoSuchDevice, Reservation
from backend.executors.local import LocalExecutor
from backend.executors.ray_connection import Connection
from backend.executors.ray_ledger import Ledger
from backend.executors.ray_machines import Machines
from backend.executors.ray_place import Place
from backend.executors.ray_reservation import RayReservation

__all__ = ["RayExecutor"]


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
        self._machines = Machines(self._connection, self._ledger, self._lock, self._held, lambda: self._wake())
        self._wake: Callable[[], None] = lambda: None

    def open(self) -> None:
        """Connect, and from then on watch the machines come and go."""
        self._here.open()
        self._connection.open()
        self._machines.open()

    def close(self) -> None:
        """End all that runs in the cluster for this service, and leave it."""
        self._machines.close()
        for reservation in list(self._reservations):
            reservation.release()
        self._connection.close()
        self._here.close()

    def problem(self) -> str:
        """Why nothing can be run; asks nobody."""
        with self._lock:
            return self._machines.problem()

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
                if self._machines.may_come_back:
                    return
                raise NoSuchDevice(" ".join([str(error), *self._machines.left_out])) from None

    def reserve(self, needs: Needs) -> Reservation | None:
        """Hold devices; None while they are not free or the cluster is out of reach."""
        if needs.device == SERVER:
            return self._here.reserve(needs)
        with self._lock:
            if self._machines.are_out_of_reach:
                return None
            try:
                slots = self._ledger.take(needs)
            except NoSuchDevice:
                return None  # there were such devices when the job was accepted, and their machine may come back
            if slots is None:
                return None
            places = [Place(self._connection, slot, self._machines.avoid) for slot in slots]
            reservation = RayReservation(places, self._give_back)
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

    def _give_back(self, reservation: RayReservation) -> None:
        with self._lock:
            self._ledger.give_back(place.slot for place in reservation.held)
            self._reservations.discard(reservation)
        self._wake()

    def _held(self) -> list[Place]:
        """Every place that is held; the lock is held too."""
        return [place for reservation in self._reservations for place in reservation.held]
