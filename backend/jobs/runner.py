"""The queue's one worker thread: it takes the oldest job, has it measured, and always writes how it ended.

The thread sleeps on a condition until there is work. The work itself happens in a process that the job's kind
starts and kills; this server never computes and never touches a GPU. Three things end a job early: a request to
cancel it, the server stopping, and its record being ended by somebody else (another server on the same database).
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from backend.jobs.kind import JobKind, Outcome
from backend.jobs.records import PRELIMINARY
from backend.jobs.states import IllegalChange, State
from backend.jobs.turn import Turn
from backend.store.models import Job
from backend.store.store import Store, UnknownJob
from dyad_core.errors import BenchmarkCancelled, DyadError, SpecError

__all__ = ["Runner"]

_log = logging.getLogger(__name__)

PROGRESS_INTERVAL_S = 0.25
IDLE_CHECK_S = 5.0  # finds jobs that another server on the same database has queued
RETRY_S = 1.0
STOP_TIMEOUT_S = 10.0

DIED = {
    "title": "The server stopped while this was running",
    "detail": "The server ended without finishing this run, so it has no result. "
    "Nothing else is affected; start the run again.",
}
SHUT_DOWN = {
    "title": "The server was shut down while this was running",
    "detail": "The server was asked to stop, so this run was stopped and has no result. Start the run again.",
}


class Runner:
    """Runs queued jobs one at a time.

    Args:
        store: where jobs are kept.
        kinds: how each kind of job is run.
        turn: whether this server is the one that measures.
        on_change: told of every job that changed, from the runner's thread; must not block.
    """

    def __init__(
        self, store: Store, kinds: Mapping[str, JobKind], turn: Turn, on_change: Callable[[Job], None]
    ) -> None:
        """Prepare; nothing runs before :meth:`start`."""
        self._store, self._kinds, self._turn, self._on_change = store, kinds, turn, on_change
        self._condition = threading.Condition()
        self._work_came = False
        self._stopping = False
        self._current: tuple[str, threading.Event] | None = None
        self._measures = False
        self._thread = threading.Thread(target=self._loop, name="dyad-runner", daemon=True)

    # --- called from other threads -------------------------------------------------------------

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Stop: a job under way is killed and marked interrupted, queued ones stay for the next start."""
        with self._condition:
            self._stopping = True
            if self._current is not None:
                self._current[1].set()
            self._condition.notify_all()
        if self._thread.ident is not None:
            self._thread.join(STOP_TIMEOUT_S)
            if self._thread.is_alive():
                _log.error("the runner did not stop within %s s", STOP_TIMEOUT_S)

    def wake(self) -> None:
        """Say that a job was queued."""
        with self._condition:
            self._work_came = True
            self._condition.notify_all()

    def cancel(self, job_id: str) -> Job:
        """Cancel a job: a queued one at once, the process of a running one dies within two seconds.

        Raises:
            UnknownJob: no job has this id.
            IllegalChange: the job is over.
        """
        with self._condition:  # claiming happens under the same lock, so a job is either queued or current here
            if self._current is not None and self._current[0] == job_id:
                self._current[1].set()
                return self._store.get(job_id)
            job = self._store.change(job_id, State.CANCELLED)
        self._on_change(job)
        return job

    @property
    def state(self) -> str:
        """``measuring`` (this server runs jobs), ``standby`` (another one does) or ``stopped``."""
        if not self._thread.is_alive():
            return "stopped"
        return "measuring" if self._measures else "standby"

    # --- the thread ----------------------------------------------------------------------------

    def _loop(self) -> None:
        try:
            while not self._stopping:
                try:
                    job = self._next_job()
                    if job is not None:
                        self._run(job)
                except (SQLAlchemyError, OSError):
                    _log.exception("the queue cannot reach its database; trying again in %s s", RETRY_S)
                    self._measures = False  # a job whose start was written but not heard of is found on return
                    self._pause(RETRY_S)
        finally:
            self._turn.give_back()

    def _next_job(self) -> Job | None:
        if not self._turn.take():
            self._measures = False
            self._pause(RETRY_S)
            return None
        if not self._measures:
            for job_id in self._store.interrupt_running(DIED):
                _log.warning("job %s was running when its server died; it is marked interrupted", job_id)
            self._measures = True
        with self._condition:
            self._work_came = False  # from here on: wake() needs the same lock, so no call is missed
            job = None if self._stopping else self._store.claim_oldest()
            if job is not None:
                self._current = (job.id, threading.Event())
                return job
            self._condition.wait_for(lambda: self._stopping or self._work_came, IDLE_CHECK_S)
        return None

    def _pause(self, seconds: float) -> None:
        with self._condition:
            self._condition.wait_for(lambda: self._stopping, seconds)

    def _run(self, job: Job) -> None:
        if self._current is None:
            raise RuntimeError("a job runs only after it was claimed")
        cancel = self._current[1]
        try:
            self._on_change(job)
            ending, values = self._outcome(job, cancel)
            self._finish(job, ending, values)
        finally:
            with self._condition:
                self._current = None

    def _outcome(self, job: Job, cancel: threading.Event) -> tuple[State, dict[str, Any]]:
        progress = _ProgressWriter(self._store, job, cancel, self._on_change)
        try:
            kind = self._kinds.get(job.kind)
            if kind is None:
                raise DyadError(f"This version of dyad-explorer does not know jobs of the kind {job.kind!r}.")
            outcome = kind.run(job.spec, progress, cancel)
        except BenchmarkCancelled:
            if self._stopping:
                return State.INTERRUPTED, {"error": SHUT_DOWN}
            return State.CANCELLED, {}
        except DyadError as error:
            # The first line is for people; what the process wrote before it ended is for whoever runs the server.
            _log.warning("job %s failed: %s", job.id, error)
            return State.FAILED, {"error": {"title": "The run failed", "detail": _sentence(error)}}
        except Exception as error:  # noqa: BLE001 - the job must end and the queue must go on, whatever it was
            _log.exception("job %s failed in an unforeseen way", job.id)
            detail = f"{type(error).__name__}: {error}. The server's log has the details."
            return State.FAILED, {"error": {"title": "The run failed in an unforeseen way", "detail": detail}}
        return State.SUCCEEDED, _columns(job, outcome, progress.latest)

    def _finish(self, job: Job, ending: State, values: dict[str, Any]) -> None:
        while True:
            try:
                self._on_change(self._store.change(job.id, ending, **values))
            except IllegalChange as error:
                _log.warning("job %s was ended by somebody else: %s", job.id, error)
            except UnknownJob:
                _log.warning("job %s was deleted while it ran", job.id)
            except SQLAlchemyError:
                _log.exception("the end of job %s cannot be written; trying again in %s s", job.id, RETRY_S)
                if self._stopping:
                    return  # the next start finds it running and marks it interrupted
                self._pause(RETRY_S)
                continue
            return


class _ProgressWriter:
    """Keeps a job's progress in the database, at most a few times a second, and tells listeners."""

    def __init__(self, store: Store, job: Job, cancel: threading.Event, on_change: Callable[[Job], None]) -> None:
        self._store, self._job, self._cancel, self._on_change = store, job, cancel, on_change
        self._written_at = float("-inf")
        self._stage: Any = None
        self.latest: dict[str, Any] | None = None

    def __call__(self, progress: dict[str, Any]) -> None:
        self.latest = progress
        now = time.monotonic()
        if progress.get("stage") == self._stage and now - self._written_at < PROGRESS_INTERVAL_S:
            return
        self._stage, self._written_at = progress.get("stage"), now
        try:
            if not self._store.write_progress(self._job.id, progress):
                self._cancel.set()  # its record was ended by somebody else, so nobody waits for the result
                return
            self._on_change(self._store.get(self._job.id))
        except UnknownJob:
            self._cancel.set()
        except SQLAlchemyError:
            # Progress is a courtesy: a database that is busy for a moment must not cost the measurement.
            _log.warning("progress of job %s could not be written", self._job.id, exc_info=True)


def _sentence(error: DyadError) -> str:
    if isinstance(error, SpecError):
        return " ".join(f"{problem}." for problem in error.problems)
    line = str(error).partition("\n")[0].rstrip(".")
    return f"{line[:1].upper()}{line[1:]}."


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
