"""The scheduler: one thread that starts waiting jobs as soon as there is room, and looks after those that run.

It sleeps on a condition until something happens: a job came, one ended, a machine joined, a time limit passes. What runs, runs in
threads (:mod:`backend.jobs.running`) that wait for processes; this server never computes and never touches a GPU.

Of several servers on one database one has its turn and schedules (:mod:`backend.jobs.turn`); the others answer requests.
"""

from __future__ import annotations

import logging
import threading
import time
import uuid
from collections.abc import Callable, Mapping

from sqlalchemy.exc import SQLAlchemyError

from backend.executors.base import Executor, Needs
from backend.jobs.kind import JobKind
from backend.jobs.recovery import Recovery
from backend.jobs.rules import after_error
from backend.jobs.running import RunningJob, StopReason
from backend.jobs.server_id import this_server
from backend.jobs.states import TERMINAL, IllegalChange, State
from backend.jobs.turn import Turn
from backend.store.models import Job
from backend.store.queue import Queue, QueuedJob
from backend.store.store import Store
from dyad_core.errors import DyadError

__all__ = ["Scheduler"]

_log = logging.getLogger(__name__)

IDLE_CHECK_S = 5.0  # finds jobs that another server on the same database has queued
WATCH_S = 1.0  # while jobs run: finds those that another server has cancelled
RETRY_S = 1.0
STOP_TIMEOUT_S = 10.0


class Scheduler:
    """Runs queued jobs.

    Args:
        store: where jobs are kept.
        kinds: how each kind of job is run.
        executor: where; open.
        turn: whether this server is the one that schedules.
        on_change: told of every job that changed, from threads of the scheduler; must not block.
    """

    def __init__(
        self,
        store: Store,
        kinds: Mapping[str, JobKind],
        executor: Executor,
        turn: Turn,
        on_change: Callable[[Job], None],
    ) -> None:
        """Prepare; nothing runs before :meth:`start`."""
        self._store, self._queue, self._kinds, self._executor = store, Queue(store.engine), kinds, executor
        self._turn, self._on_change = turn, on_change
        self._condition = threading.Condition()
        self._news = False
        self._stopping = False
        self._running: dict[str, RunningJob] = {}
        self._recovery = Recovery(store, turn, on_change)
        self._elsewhere = False
        self._cut_off_at: float | None = None
        self._has_turn = False
        self._thread = threading.Thread(target=self._loop, name="dyad-scheduler", daemon=True)

    # --- called from other threads -------------------------------------------------------------

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Stop: what runs is ended by the rule for a server that is asked to, queued jobs stay for the next start."""
        with self._condition:
            self._stopping = True
            running = list(self._running.values())
            self._condition.notify_all()
        for job in running:
            job.stop("shutdown")
        deadline = time.monotonic() + STOP_TIMEOUT_S
        for job in running:
            if not job.join(max(0.0, deadline - time.monotonic())):
                job.give_up_writing()
        if self._thread.ident is not None:
            self._thread.join(STOP_TIMEOUT_S)
            if self._thread.is_alive():
                _log.error("the scheduler did not stop within %s s", STOP_TIMEOUT_S)

    def wake(self) -> None:
        """Say that something happened: a job was queued, devices were freed."""
        with self._condition:
            self._news = True
            self._condition.notify_all()

    def cancel(self, job_id: str) -> Job:
        """Cancel a job: a queued one at once, the processes of a running one die within two seconds.

        Raises:
            UnknownJob: no job has this id.
            IllegalChange: the job is over.
        """
        with self._condition:  # claiming happens under the same lock, so a job is either queued or running here
            running = self._running.get(job_id)
            if running is not None:
                job = self._store.get(job_id)
                if job.status in TERMINAL:  # its end is written, its thread about to be gone
                    raise IllegalChange(job.status, State.CANCELLED)
                running.stop("cancel")
                return job
            job = self._store.change(job_id, State.CANCELLED, line="It was cancelled.")
        self._on_change(job)
        return job

    @property
    def state(self) -> str:
        """``measuring`` (this server runs jobs), ``standby`` (another one does) or ``stopped``."""
        if not self._thread.is_alive():
            return "stopped"
        return "measuring" if self._has_turn else "standby"

    # --- the thread ----------------------------------------------------------------------------

    def _loop(self) -> None:
        try:
            while not self._stopping:
                try:
                    if self._takes_turn():
                        self._watch_running()
                        self._start_what_fits()
                    self._sleep()
                except Exception:  # noqa: BLE001 - the queue must go on, whatever it was; mostly the database is away
                    _log.exception("the queue cannot go on; trying again in %s s", RETRY_S)
                    self._has_turn = False
                    self._when_cut_off()
                    self._pause(RETRY_S)
        finally:
            for job in list(self._running.values()):
                job.join(STOP_TIMEOUT_S)
            self._turn.give_back()

    def _takes_turn(self) -> bool:
        if not self._turn.take():
            if self._has_turn:
                self._stop_all("over")
            self._has_turn = False
            return False
        if not self._has_turn:
            self._recovery.turn_came()
        self._has_turn, self._cut_off_at = True, None
        return True

    def _when_cut_off(self) -> None:
        """End what runs once another server may have begun to run it: nothing runs twice."""
        now = time.monotonic()
        self._cut_off_at = self._cut_off_at or now
        if now - self._cut_off_at >= self._turn.lease_s:
            self._stop_all("over")

    def _watch_running(self) -> None:
        """End what took too long and what the database says is over; apply the rule to what nobody runs after all."""
        with self._condition:
            mine = dict(self._running)
        now = time.monotonic()
        alive = {job.claim: job for job in self._store.running()}
        for running in mine.values():
            if alive.pop(running.job.claim, None) is None:
                running.stop("over")
            elif running.deadline is not None and now >= running.deadline:
                running.stop("time_limit")
        self._elsewhere = bool(alive)
        self._recovery.apply(list(alive.values()))

    def _start_what_fits(self) -> None:
        """Start every waiting job there is room for; one that waits is not overtaken by another that needs the same."""
        with self._condition:
            self._news = False  # from here on: wake() needs the same lock, so no call is missed
        passed: list[Needs] = []
        for queued in self._queue.ordered():
            if self._stopping:
                return
            if queued.kind not in self._kinds:
                self._fail_unknown(queued)
            elif not self._executor.may_overtake(queued.needs, passed) or not self._started(queued):
                passed.append(queued.needs)

    def _started(self, queued: QueuedJob) -> bool:
        """Start one job; False where it has to wait for room."""
        reservation = self._executor.reserve(queued.needs)
        if reservation is None:
            return False
        claim = uuid.uuid4().hex
        with self._condition:
            try:
                places = ", ".join(reservation.places)
                job = None if self._stopping else self._store.claim(queued.id, places, claim, this_server())
            except SQLAlchemyError:
                self._recovery.may_have_begun(claim)
                reservation.release()
                raise
            if job is None:  # cancelled in between
                reservation.release()
                return True
            running = RunningJob(
                job,
                self._kinds[job.kind],
                reservation,
                self._store,
                on_change=self._on_change,
                on_end=self._ended,
                is_local=self._executor.is_local,
            )
            self._running[job.id] = running
            running.start()
        return True

    def _fail_unknown(self, queued: QueuedJob) -> None:
        job = self._store.get(queued.id)
        error = DyadError(f"This version of dyad-explorer does not know jobs of the kind {queued.kind!r}.")
        ending = after_error(job, error)
        self._on_change(self._store.change(job.id, ending.state, line=ending.line, **ending.values))

    def _ended(self, job_id: str) -> None:
        with self._condition:
            self._running.pop(job_id, None)
        self.wake()

    def _stop_all(self, reason: StopReason) -> None:
        with self._condition:
            running = list(self._running.values())
        for job in running:
            job.stop(reason)

    def _sleep(self) -> None:
        with self._condition:
            limits = [WATCH_S if self._running or self._elsewhere else IDLE_CHECK_S if self._has_turn else RETRY_S]
            now = time.monotonic()
            limits += [max(0.0, job.deadline - now) for job in self._running.values() if job.deadline is not None]
            self._condition.wait_for(lambda: self._stopping or self._news, min(limits))

    def _pause(self, seconds: float) -> None:
        with self._condition:
            self._condition.wait_for(lambda: self._stopping, seconds)
