"""What a kind of job gets to work with: where to run processes, whom to tell, and when to stop."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from backend.executors.base import Limits, Reservation
from dyad_core.bench.process import RunWork, Work

__all__ = ["Context", "OnProgress"]

OnProgress = Callable[[dict[str, Any]], None]
"""Takes the progress of a running job as JSON-ready values."""


@dataclass(frozen=True)
class Context:
    """The surroundings of one start of one job.

    Attributes:
        reservation: the devices it holds.
        on_progress: told how far it is; quick, and may be called as often as one likes.
        on_line: takes a line for the log of the job.
        cancel: set when the work has to end.
        is_local: whether it runs on the machine of the service.
        memory_limit_bytes: most resident memory of each process, None for no limit.
    """

    reservation: Reservation
    on_progress: OnProgress
    on_line: Callable[[str], None]
    cancel: threading.Event
    is_local: bool = True
    memory_limit_bytes: int | None = None

    @property
    def machines(self) -> int:
        """How many devices the job holds."""
        return len(self.reservation.places)

    def run(
        self,
        work: Work,
        /,
        *,
        on_message: Callable[[dict[str, Any]], None],
        cancel: threading.Event | None = None,
        timeout_s: float | None = None,
        index: int = 0,
    ) -> Any:
        """Run ``work`` on the device of this index; as :func:`dyad_core.bench.process.run_process`, which it becomes there."""
        started = time.monotonic()
        place = self.reservation.places[index]
        try:
            return self.reservation.run(
                work,
                on_message=on_message,
                cancel=cancel or self.cancel,
                limits=Limits(timeout_s, self.memory_limit_bytes),
                index=index,
            )
        finally:
            self.on_line(f"The {work.process_name} on {place} ended after {time.monotonic() - started:.1f} s.")

    def runner(self, index: int) -> RunWork:
        """:meth:`run` on one of the devices, for functions of the library that start processes."""
        return partial(self.run, index=index)
