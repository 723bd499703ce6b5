"""A service in one process whose jobs end when a test says so, and which can die as a killed server does.

Scheduler, desk, store and database are the real ones. Work is a thread that waits for its orders and holds its job and its room
for itself, so that a job that runs twice at once, or two in one room, are seen.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from backend.executors.base import DeviceGroup, Needs, PlaceLost
from backend.jobs.context import Context
from backend.jobs.desk import Desk
from backend.jobs.kind import Outcome, Request
from backend.jobs.states import State
from backend.settings import Settings
from backend.store.models import Job, JobRow
from backend.store.store import Store
from dyad_core.errors import BenchmarkCancelled, DyadError

__all__ = ["ROOMS", "Dead", "Orders", "Server", "Start"]

ROOMS = 2


@dataclass(frozen=True)
class Start:
    """One start of a job, and who waited at that moment: number, client and priority by id, the started one among them."""

    id: str
    waiting: dict[str, tuple[int, str, int]]


@dataclass
class Orders:
    """What every server of a test shares: what the work is told, and what was seen of it."""

    mail: dict[int, queue.Queue[str]] = field(default_factory=dict)
    inside: set[int] = field(default_factory=set)
    starts: list[Start] = field(default_factory=list)
    changes: list[tuple[str, State]] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def tell(self, nonce: int, order: str) -> None:
        """Send an order to the work of a job."""
        self.mail[nonce].put(order)


class Dead(SystemExit):
    """The server was killed: its threads end where they are, and write nothing more."""


class MortalStore(Store):
    """The real store, until its server dies; notes every start and every change."""

    def __init__(self, engine: Engine, orders: Orders) -> None:
        super().__init__(engine)
        self.orders, self.is_dead = orders, False

    def change(self, job_id: str, wanted: State, **values: Any) -> Job:
        self._live()
        job = super().change(job_id, wanted, **values)
        self.orders.changes.append((job_id, wanted))
        return job

    def claim(self, job_id: str, place: str, claim: str, server: str | None = None) -> Job | None:
        self._live()
        query = select(JobRow.id, JobRow.number, JobRow.client, JobRow.priority).where(JobRow.status == State.QUEUED)
        with Session(self.engine) as session:
            waiting = {row.id: (row.number, row.client, row.priority) for row in session.execute(query)}
        job = super().claim(job_id, place, claim, server)
        if job is not None:
            self.orders.starts.append(Start(job_id, waiting))
        return job

    def write_progress(self, job: Job, progress: dict[str, Any]) -> bool:
        self._live()
        return super().write_progress(job, progress)

    def running(self) -> list[Job]:
        self._live()
        return super().running()

    def _live(self) -> None:
        if self.is_dead:
            raise Dead


class Obedient:
    """A kind of job whose work does what it is told."""

    name = "obedient"

    def __init__(self, orders: Orders) -> None:
        self._orders = orders

    def read(self, body: dict[str, Any]) -> Request:
        return Request(spec=body, digest=f"{body['what']:064}", attempts=1)

    def run(self, spec: dict[str, Any], context: Context) -> Outcome:
        nonce, orders = spec["nonce"], self._orders
        with orders.lock:
            if nonce in orders.inside:
                orders.wrong.append(f"job {nonce} runs twice at once")
            orders.inside.add(nonce)
        try:
            while True:
                if context.cancel.is_set():
                    raise BenchmarkCancelled("it was asked to stop")
                try:
                    order = orders.mail[nonce].get(timeout=0.002)
                except queue.Empty:
                    continue
                if order == "progress":
                    context.on_progress({"stage": "timing", "candidates": []})
                elif order == "lose":
                    raise PlaceLost("the machine far away is gone")
                elif order == "fail":
                    raise DyadError("it could not be done")
                else:
                    return Outcome(result={"nonce": nonce}, headline=None, warnings=[])
        finally:
            with orders.lock:
                orders.inside.discard(nonce)


class Rooms:
    """An executor with two rooms."""

    name, is_local = "rooms", True

    def __init__(self) -> None:
        self.free = [f"room {number}" for number in range(ROOMS)]
        self._lock = threading.Lock()

    def open(self) -> None: ...

    def close(self) -> None: ...

    def problem(self) -> str:
        return ""

    def groups(self) -> list[DeviceGroup]:
        return [DeviceGroup("cpu", ROOMS, len(self.free), ("here",))]

    def check(self, needs: Needs) -> None: ...

    def when_freed(self, wake: Callable[[], None]) -> None: ...

    def may_overtake(self, needs: Needs, waiting: Sequence[Needs]) -> bool:
        return not waiting

    def reserve(self, needs: Needs) -> Any:
        with self._lock:
            return Room(self, self.free.pop()) if self.free else None

    def give_back(self, room: str) -> None:
        with self._lock:
            self.free.append(room)


class Room:
    """One of them, held."""

    def __init__(self, rooms: Rooms, name: str) -> None:
        self._rooms, self.places = rooms, (name,)
        self._held = True

    def release(self) -> None:
        if self._held:
            self._held = False
            self._rooms.give_back(self.places[0])


class Clock:
    """A turn that nobody else wants; it counts how often it was asked for, which is once a round of the scheduler."""

    grace_s = 0.0

    def __init__(self) -> None:
        self.rounds = 0

    def take(self) -> bool:
        self.rounds += 1
        return True

    def give_back(self) -> None: ...


class Deaf:
    """Instead of the metrics."""

    def observe_end(self, job: Job) -> None: ...


class Server:
    """One life of a server on a database."""

    def __init__(self, engine: Engine, settings: Settings, orders: Orders) -> None:
        self.store, self.clock, self.rooms = MortalStore(engine, orders), Clock(), Rooms()
        kinds = {"obedient": Obedient(orders)}
        self.desk = Desk(self.store, kinds, self.rooms, self.clock, settings, Deaf())  # type: ignore[arg-type]
        self.desk.scheduler.start()

    def a_round_later(self) -> None:
        """Return when the scheduler has gone through the queue at least once since the call."""
        until = self.clock.rounds + 2
        while self.clock.rounds < until and self.desk.scheduler.state != "stopped":
            self.desk.scheduler.wake()
            threading.Event().wait(0.001)

    def die(self) -> None:
        """As SIGKILL: nothing is written from here on, and what ran is gone."""
        self.store.is_dead = True
        self.desk.scheduler.stop()
