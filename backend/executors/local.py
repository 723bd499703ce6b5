"""Work as processes of this machine.

A measurement is alone on its device. A measurement on a GPU needs the processor as well, so it shares the processor with other
GPUs and never with a measurement on the processor, which is alone on the whole machine. Work that is no measurement runs beside
one only on processors that the measurement leaves free: a request for fewer threads than there are cores leaves some. While it
runs, the service itself moves to those, too.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backend.executors.base import NO_LIMITS, SERVER, DeviceGroup, Limits, Needs, NoSuchDevice, Reservation
from dyad_core.bench.machine import usable_cores, usable_cpus
from dyad_core.bench.process import Work, run_process
from dyad_core.bench.system import system_info
from dyad_core.bench.tree import end_orphans, remove_orphaned_folders

__all__ = ["LocalExecutor", "LocalReservation"]

CPU = "cpu"
TASKS = Path("/proc/self/task")


@dataclass(frozen=True)
class _Held:
    """Names that a job has for itself, and names that it shares with others."""

    alone: tuple[str, ...]
    shared: tuple[str, ...] = ()


class LocalExecutor:
    """The devices of this machine.

    Args:
        workers: how many jobs that are no measurement may run at once.
    """

    name, is_local = "local", True

    def __init__(self, workers: int = 2) -> None:
        """Look at the processors; nothing is started."""
        self._workers = workers
        self._cpus = sorted(usable_cpus())
        self._lock = threading.Lock()
        self._alone: dict[str, Needs] = {}
        self._sharing: Counter[str] = Counter()
        self._wake: Callable[[], None] = lambda: None

    def open(self) -> None:
        """End what a server that was killed has left running, and remove its folders."""
        end_orphans()
        remove_orphaned_folders(Path(tempfile.gettempdir()))

    def close(self) -> None:
        """Nothing outlives its reservation."""

    def problem(self) -> str:
        """There is always this machine."""
        return ""

    def when_freed(self, wake: Callable[[], None]) -> None:
        """Call ``wake`` when devices are given back."""
        self._wake = wake

    def groups(self) -> list[DeviceGroup]:
        """The processor and each GPU."""
        with self._lock:
            busy = {name for name, count in self._sharing.items() if count} | set(self._alone)
        return [
            DeviceGroup(device.name, 1, int(device.name not in busy), (os.uname().nodename,))
            for device in system_info().devices
        ]

    def check(self, needs: Needs) -> None:
        """A request names devices of this machine by themselves, and takes one."""
        if needs.count > 1:
            raise NoSuchDevice(
                f"{needs.count} devices were asked for, and one machine lends one; a Ray cluster lends more."
            )
        known = [SERVER, *(device.name for device in system_info().devices)]
        if _indexed(needs.device) not in known:
            names = ", ".join(dict.fromkeys(known))
            raise NoSuchDevice(f"This machine has no device {needs.device}; it has {names}.")

    def reserve(self, needs: Needs) -> Reservation | None:
        """Hold a device and what goes with it."""
        device = _indexed(needs.device)
        if needs.threads is not None:
            system_info()  # counts the processors once and for all: it must be asked before the service moves to few of them
        held = _Held((), (SERVER,)) if not needs.alone else _Held((CPU,)) if device == CPU else _Held((device,), (CPU,))
        with self._lock:
            if not self._fits(held):
                return None
            cpus = self._cpus if needs.alone or CPU not in self._alone else self._spare()
            self._alone.update(dict.fromkeys(held.alone, needs))
            self._sharing.update(held.shared)
            if CPU in held.alone and self._spare():
                self._move_service(self._spare())
        return LocalReservation(self, device, held, cpus)

    def _fits(self, held: _Held) -> bool:
        if any(name in self._alone or self._sharing[name] for name in held.alone):
            return False
        if CPU in held.alone:
            return not self._sharing[SERVER]
        if SERVER in held.shared:
            return self._sharing[SERVER] < self._workers and (CPU not in self._alone or bool(self._spare()))
        return CPU not in self._alone

    def may_overtake(self, needs: Needs, waiting: Sequence[Needs]) -> bool:
        """A measurement on the processor waits for all else to end, so only what runs beside another one may go first."""
        devices = {_indexed(other.device) for other in waiting}
        if _indexed(needs.device) in devices:
            return False
        with self._lock:
            return CPU not in devices or (not needs.alone and CPU in self._alone)

    def give_back(self, held: _Held) -> None:
        """Free what a reservation holds; only that calls it."""
        with self._lock:
            for name in held.alone:
                del self._alone[name]
            self._sharing.subtract(held.shared)
            if CPU in held.alone:
                self._move_service(self._cpus)
        self._wake()

    def _spare(self) -> list[int]:
        """Processors that the measurement on the processor leaves; its threads are spread by the system over the others."""
        measuring = self._alone.get(CPU)
        cores = usable_cores(frozenset(self._cpus))
        threads = cores if measuring is None or measuring.threads is None else measuring.threads
        free = cores - threads
        return self._cpus[len(self._cpus) - free :] if 0 < free < len(self._cpus) else []

    def _move_service(self, cpus: list[int]) -> None:
        """Confine every thread of this process; where the system has no such thing, nothing happens."""
        if not hasattr(os, "sched_setaffinity") or not TASKS.is_dir():
            return
        for task in TASKS.iterdir():
            with contextlib.suppress(OSError):  # the thread has ended, or a container does not allow it
                os.sched_setaffinity(int(task.name), cpus)


class LocalReservation:
    """A device of this machine that is held for one job."""

    def __init__(self, executor: LocalExecutor, device: str, held: _Held, cpus: list[int]) -> None:
        """Remember what to give back."""
        self._executor, self._held, self._cpus = executor, held, cpus
        self._lock, self._released = threading.Lock(), False
        self.places: tuple[str, ...] = (f"{os.uname().nodename} ({device})",)

    def run(
        self,
        work: Work,
        *,
        on_message: Callable[[dict[str, Any]], None],
        cancel: threading.Event,
        limits: Limits = NO_LIMITS,
        index: int = 0,  # noqa: ARG002 - one machine has one place
    ) -> Any:
        """Run ``work`` in a process of this machine."""
        return run_process(
            work,
            on_message=on_message,
            cancel=cancel,
            timeout_s=limits.seconds,
            memory_limit_bytes=limits.memory_bytes,
            cpus=self._cpus,
        )

    def release(self) -> None:
        """Give the device back."""
        with self._lock:
            if self._released:
                return
            self._released = True
        self._executor.give_back(self._held)


def _indexed(device: str) -> str:
    """``cuda`` is ``cuda:0``."""
    return "cuda:0" if device == "cuda" else device
