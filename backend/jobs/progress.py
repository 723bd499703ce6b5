"""The progress of a running job on its way into the database and to listeners."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from backend.store.models import Job
from backend.store.store import Store, UnknownJob

__all__ = ["ProgressWriter"]

_log = logging.getLogger(__name__)

INTERVAL_S = 0.25


class ProgressWriter:
    """Keeps the progress of one start of a job, at most a few times a second, and tells listeners.

    Args:
        store: where it is kept.
        job: as it was claimed.
        on_change: told of the job with its new progress.
        on_lost: called when this start of the job is over for the database: nobody waits for its result.
    """

    def __init__(self, store: Store, job: Job, on_change: Callable[[Job], None], on_lost: Callable[[], None]) -> None:
        """Begin with nothing written."""
        self._store, self._job, self._on_change, self._on_lost = store, job, on_change, on_lost
        self._written_at = float("-inf")
        self._stage: Any = None
        self.latest: dict[str, Any] | None = None

    def __call__(self, progress: dict[str, Any]) -> None:
        """Take the newest progress."""
        self.latest = progress
        now = time.monotonic()
        if progress.get("stage") == self._stage and now - self._written_at < INTERVAL_S:
            return
        self._stage, self._written_at = progress.get("stage"), now
        try:
            if not self._store.write_progress(self._job, progress):
                self._on_lost()
                return
            self._on_change(self._store.get(self._job.id))
        except UnknownJob:
            self._on_lost()
        except SQLAlchemyError:
            # Progress is a courtesy: a database that is busy for a moment must not cost the measurement.
            _log.warning("progress of job %s could not be written", self._job.id, exc_info=True)
