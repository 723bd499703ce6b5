"""What an executor is: it knows the devices there are, lends them out, and runs work on them in processes of their own.

The scheduler asks for room (:meth:`Executor.reserve`); what it gets holds the devices until it is released. What runs there is
always a :class:`dyad_core.bench.process.Work`: a command, a request and a result in JSON. So one description serves a process
of this machine and one of another, and a kind of job never knows which it was.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from dyad_core.bench.process import Work
from dyad_core.errors import DyadError

__all__ = [
    "NO_LIMITS",
    "SERVER",
    "DeviceGroup",
    "Executor",
    "ExecutorUnusable",
    "Limits",
    "Needs",
    "NoSuchDevice",
    "PlaceLost",
    "Reservation",
]

SERVER = "server"
"""The device of work that needs none and reads files of the service: it runs on the machine of the service."""


class ExecutorUnusable(DyadError):  # noqa: N818 - the event, as the library's family names it
    """The executor that the settings name cannot be used; the message says why and what to do."""


class NoSuchDevice(DyadError):  # noqa: N818 - the event, as the library's family names it
    """No machine has the device that a job needs, and waiting will not bring it."""


class PlaceLost(DyadError):  # noqa: N818 - the event, as the library's family names it
    """The machine on which work ran is gone; the message says which. The job may be started elsewhere."""


@dataclass(frozen=True)
class Needs:
    """What a job needs before it can start.

    Attributes:
        device: ``"cpu"``, ``"cuda"``, ``"cuda:1"``, the kind of a device in a cluster (``"H200"``), or :data:`SERVER`.
        count: how many devices of that kind, all at once.
        alone: whether nothing else may run on them meanwhile, as for a measurement.
        spread: take every device of the kind that is free, ``count`` at least.
        threads: processor threads that the work is confined to; None for all.
    """

    device: str = "cpu"
    count: int = 1
    alone: bool = True
    spread: bool = False
    threads: int | None = None


@dataclass(frozen=True)
class Limits:
    """What ends work early; None is no limit.

    Attributes:
        seconds: from the start of one process.
        memory_bytes: resident memory of the process and all it started.
    """

    seconds: float | None = None
    memory_bytes: int | None = None


NO_LIMITS = Limits()


@dataclass(frozen=True)
class DeviceGroup:
    """Devices of one kind, for ``/system``, ``/metrics`` and people.

    Attributes:
        kind: ``"cpu"``, ``"cuda:0"``, or in a cluster ``"H200"``.
        total: how many there are.
        free: how many nothing runs on.
        places: names of their machines.
    """

    kind: str
    total: int
    free: int
    places: tuple[str, ...]


class Reservation(Protocol):
    """Devices that are held for one job."""

    @property
    def places(self) -> tuple[str, ...]:
        """One name per device, for people: ``"tower (cpu)"``."""

    def run(
        self,
        work: Work,
        *,
        on_message: Callable[[dict[str, Any]], None],
        cancel: threading.Event,
        limits: Limits = NO_LIMITS,
        index: int = 0,
    ) -> Any:
        """Run ``work`` on the device of this index and return its result; blocks. May be called from several threads.

        Raises:
            SpecError, BenchmarkFailed, BenchmarkCancelled, BenchmarkTimeout: as :func:`dyad_core.bench.process.run_process`.
            PlaceLost: the machine is gone.
        """

    def release(self) -> None:
        """Give the devices back; doing so twice is harmless. Nothing of the work is left running."""


class Executor(Protocol):
    """Where work runs."""

    @property
    def name(self) -> str:
        """``"local"`` or ``"ray"``."""

    @property
    def is_local(self) -> bool:
        """Whether work runs on the machine of this service, so that a request can be held against its devices."""

    def open(self) -> None:
        """Connect.

        Raises:
            ExecutorUnusable: it cannot; there is no silent fall-back.
        """

    def close(self) -> None:
        """End everything that was started here."""

    def problem(self) -> str:
        """A sentence that says why nothing can be run now; empty when it can. Answers within a second."""

    def groups(self) -> list[DeviceGroup]:
        """The devices there are."""

    def check(self, needs: Needs) -> None:
        """Return when the devices exist, free or not.

        Raises:
            NoSuchDevice: they do not.
        """

    def reserve(self, needs: Needs) -> Reservation | None:
        """Hold devices for a job; None while they are not free."""

    def may_overtake(self, needs: Needs, waiting: Sequence[Needs]) -> bool:
        """Whether a job may be started before others that came first and have no room: it must take nothing they wait for."""

    def when_freed(self, wake: Callable[[], None]) -> None:
        """Call ``wake`` whenever room may have appeared (a machine that joined); called once."""
