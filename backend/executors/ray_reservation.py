"""Devices of a cluster that are held for one job: work runs on each of them by its index, until all are given back."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from backend.executors.base import NO_LIMITS, Limits
from backend.executors.ray_place import Place
from dyad_core.bench.process import Work

__all__ = ["RayReservation"]


class RayReservation:
    """Devices of a cluster.

    Args:
        held: a place for each.
        give_back: called once, when nothing runs on them any more.
    """

    def __init__(self, held: list[Place], give_back: Callable[[RayReservation], None]) -> None:
        """Remember what to give back."""
        self.held, self._give_back = held, give_back
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
        self._give_back(self)
