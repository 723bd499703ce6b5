"""One start of one job: its thread, the devices it holds, why it has to stop, and how its end is written."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Any, Literal

from sqlalchemy.exc import SQLAlchemyError

from backend.executors.base import Reservation
from backend.jobs.context import Context
from backend.jobs.kind import JobKind, Outcome
from backend.jobs.progress import ProgressWriter
from backend.jobs.records import PRELIMINARY
from backend.jobs.rules import Ending, after_error, after_server_died, after_shut_down, after_time_limit
from backend.jobs.states import IllegalChange, State
from backend.observing.logging import job_context
from backend.store.lines import Lines
from backend.store.models import Job
from backend.store.store import Store, UnknownJob
from dyad_core.errors import BenchmarkCancelled, DyadError

__all__ = ["RunningJob", "StopReason"]

_log = logging.getLogger(__name__)

RETRY_S = 1.0
MOST_LINES = 1000

StopReason = Literal["cancel", "shutdown", "time_limit", "over"]
"""Somebody asked for it; the server stops; it took too long; the database says that this start of it is over."""


class RunningJob:
    """A job that was claimed, until its end is written.

    Args:
        job: as it was claimed.
        kind: how it is run.
        reservation: the devices it holds; released at the end.
        store: where its end is written.
        on_change: told of every change.
        on_end: called when the devices are free again.
        is_local: whether it runs on the machine of the service.
    """

    def __init__(
        self,
        job: Job,
        kind: JobKind,
        reservation: Reservation,
        store: Store,
        *,
        on_change: Callable[[Job], None],
        on_end: Callable[[str], None],
        is_local: bool,
    ) -> None:
        """Prepare; nothing runs before :meth:`start`."""
        self.job, self._kind, self._reservation, self._store = job, kind, reservation, store
        self._on_change, self._on_end, self._is_local = on_change, on_end, is_local
        self._lines, self._line_count = Lines(store.engine), 0
        self._cancel, self._gone = threading.Event(), threading.Event()
        self._reason: StopReason | None = None
        self.deadline = None if job.time_limit_s is None else time.monotonic() + job.time_limit_s
        self._thread = threading.Thread(target=self._run, name=f"dyad-job-{job.id[:8]}", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self, reason: StopReason) -> None:
        """End it soon; the first reason counts."""
        if self._reason is None:
            self._reason = reason
        self.deadline = None
        self._cancel.set()

    def give_up_writing(self) -> None:
        """Do not wait any longer for a database that does not answer: the next start of the server finds the job running."""
        self._gone.set()

    def join(self, seconds: float) -> bool:
        """Wait for its end; whether it came."""
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def _run(self) -> None:
        with job_context(self.job.id):
            try:
                self._on_change(self.job)
                self._finish(self._ending())
            finally:
                self._reservation.release()
                self._on_end(self.job.id)

    def _ending(self) -> Ending:
        progress = ProgressWriter(self._store, self.job, self._on_change, lambda: self.stop("over"))
        context = Context(
            self._reservation,
            progress,
            self._say,
            self._cancel,
            is_local=self._is_local,
            memory_limit_bytes=self.job.memory_limit_bytes,
        )
        try:
            outcome = self._kind.run(self.job.spec, context)
        except BenchmarkCancelled:
            return self._ending_when_stopped()
        except DyadError as error:
            # The first line is for people; what the process wrote before it ended is for whoever runs the server.
            _log.warning("job %s failed: %s", self.job.id, error)
            return after_error(self.job, error)
        except Exception as error:  # noqa: BLE001 - the job must end and the queue must go on, whatever it was
            _log.exception("job %s failed in an unforeseen way", self.job.id)
            return after_error(self.job, error)
        return Ending(State.SUCCEEDED, "It succeeded.", _columns(self.job, outcome, progress.latest))

    def _ending_when_stopped(self) -> Ending:
        if self._reason == "shutdown":
            return after_shut_down(self.job)
        if self._reason == "time_limit":
            return after_time_limit(self.job)
        if self._reason == "over":
            return after_server_died(self.job)
        return Ending(State.CANCELLED, "It was cancelled.", {})

    def _finish(self, ending: Ending) -> None:
        while True:
            try:
                changed = self._store.change(
                    self.job.id, ending.state, claim=self.job.claim, line=ending.line, **ending.values
                )
                self._on_change(changed)
            except IllegalChange as error:
                _log.warning("job %s was ended by somebody else: %s", self.job.id, error)
            except UnknownJob:
                _log.warning("job %s was deleted while it ran", self.job.id)
            except SQLAlchemyError:
                _log.exception("the end of job %s cannot be written; trying again in %s s", self.job.id, RETRY_S)
                if not self._gone.wait(RETRY_S):
                    continue
            return

    def _say(self, text: str) -> None:
        self._line_count += 1
        if self._line_count > MOST_LINES:
            return
        shown = text if self._line_count < MOST_LINES else "Further lines are left out."
        try:
            self._lines.add(self.job, shown)
        except SQLAlchemyError:
            _log.warning("a line of job %s could not be kept: %s", self.job.id, shown, exc_info=True)


def _columns(job: Job, outcome: Outcome, progress: dict[str, Any] | None) -> dict[str, Any]:
    """Columns of a job that succeeded; its figures are in the result, so the progress drops its copy."""
    return {
        "result": outcome.result,
        "headline": outcome.headline,
        "environment_digest": outcome.environment_digest,
        "machine": outcome.machine,
        "measured_at": outcome.measured_at,
        "servable": outcome.servable,
        "warnings": list(dict.fromkeys([*job.warnings, *outcome.warnings])),
        "progress": None
        if progress is None
        else {**progress, **{name: [] for name in PRELIMINARY if name in progress}},
    }
