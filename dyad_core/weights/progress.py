"""How far a computation on a matrix is, and how it is stopped."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from dyad_core.errors import OperationCancelled

__all__ = ["OnProgress", "Progress", "Reporter"]


@dataclass(frozen=True)
class Progress:
    """State of a running computation.

    Attributes:
        stage: what it does now.
        done: steps of this stage that are finished.
        total: steps of this stage.
        fraction: of the whole, 0 to 1, never falling; steps are weighted by their arithmetic.
        message: one line for people.
        elapsed_s: seconds since the start.
        eta_s: seconds left, estimated from the fraction; None while nothing is done.
    """

    stage: str
    done: int
    total: int
    fraction: float
    message: str
    elapsed_s: float
    eta_s: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready values."""
        return asdict(self)


OnProgress = Callable[[Progress], None]
"""Called in the computing thread, before each step; an exception in it ends the computation."""


class Reporter:
    """Tells a callback how far the work is, and raises when the work is to stop.

    Args:
        work: weight of each stage, in any unit (floating-point operations, say).
        on_progress: called before every step and at the end of a stage; None for nobody.
        cancel: set from another thread to stop before the next step.
    """

    def __init__(
        self, work: dict[str, float], on_progress: OnProgress | None = None, cancel: threading.Event | None = None
    ) -> None:
        """Start the clock."""
        self.work, self.on_progress, self.cancel = work, on_progress, cancel
        self.finished = 0.0
        self.started = time.monotonic()

    def step(self, stage: str, done: int, total: int, message: str) -> None:
        """Report that ``done`` of ``total`` steps of a stage are finished; a finished stage counts whole.

        Raises:
            OperationCancelled: when ``cancel`` is set.
        """
        if self.cancel is not None and self.cancel.is_set():
            raise OperationCancelled(f"stopped during: {message}")
        weight = self.work[stage]
        fraction = (self.finished + weight * done / total) / sum(self.work.values())
        if done == total:
            self.finished += weight
        if self.on_progress is not None:
            elapsed = time.monotonic() - self.started
            eta = elapsed * (1 - fraction) / fraction if fraction > 0 else None
            self.on_progress(Progress(stage, done, total, min(fraction, 1.0), message, elapsed, eta))
