"""The desk of the queue: what routes ask for, in one object that ties store, admission, scheduler, feed and kinds together."""

from __future__ import annotations

import contextlib
import dataclasses
import logging
from collections.abc import Mapping
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from backend.executors.base import Executor
from backend.jobs.admission import Admission
from backend.jobs.feed import Feed
from backend.jobs.kind import JobKind, Outcome, Request, UpgradingKind
from backend.jobs.records import Origin, record, summary, timestamp
from backend.jobs.scheduler import Scheduler
from backend.jobs.states import TERMINAL, IllegalChange, State
from backend.jobs.turn import Turn
from backend.observing.metrics import Metrics
from backend.settings import Settings
from backend.store.lines import Lines
from backend.store.models import Job
from backend.store.queue import Queue
from backend.store.store import Filter, NewJob, Store, UnknownJob
from backend.submission import Submission
from dyad_core.errors import DyadError

__all__ = ["Answer", "Desk", "StillRunning"]

_log = logging.getLogger(__name__)


class StillRunning(DyadError):  # noqa: N818 - the event, as the library's family names it
    """A job has to end before this can be done."""


@dataclasses.dataclass(frozen=True)
class Answer:
    """What became of a request.

    Attributes:
        record: of the job, JSON-ready.
        served: it was measured here before, and no new job was queued.
        replayed: its key came before, and this is the job it queued then.
    """

    record: dict[str, Any]
    served: bool = False
    replayed: bool = False

    @property
    def headers(self) -> dict[str, str]:
        """What says so in an answer."""
        return {"Idempotent-Replayed": "true"} if self.replayed else {}


class Desk:
    """Submit, look at, cancel and delete jobs.

    Args:
        store: where jobs are kept.
        kinds: every kind of job by its name.
        executor: where they run.
        turn: whether this server is the one that schedules.
        settings: how many jobs may wait, and the limits of one that brings none.
        metrics: told how jobs end.
    """

    def __init__(
        self,
        store: Store,
        kinds: Mapping[str, JobKind],
        executor: Executor,
        turn: Turn,
        settings: Settings,
        metrics: Metrics,
    ) -> None:
        """Prepare; nothing runs before ``desk.scheduler.start()``."""
        self.store, self.kinds, self.executor, self.feed = store, kinds, executor, Feed()
        self.queue, self.lines = Queue(store.engine), Lines(store.engine)
        self.scheduler = Scheduler(store, kinds, executor, turn, self._changed)
        self._admission, self._metrics = Admission(store, executor, settings), metrics

    def submit(self, kind: str, body: dict[str, Any], submission: Submission | None = None) -> Answer:
        """Check a request and queue it.

        Raises:
            SpecError: with every problem of the request.
            QueueFull, KeyReused: as :meth:`.Admission.admit`.
        """
        return self._queue(kind, self.kinds[kind].read(body), submission or Submission())

    def serve(self, kind: str, body: dict[str, Any], submission: Submission | None = None) -> Answer:
        """Check a request; answer with an equal one that was measured here before, or queue it. Same errors as :meth:`submit`."""
        request = self.kinds[kind].read(body)
        submission = submission or Submission()
        if submission.key is None and request.environment_digest is not None:
            stored = self.store.find_servable(kind, request.digest, request.environment_digest)
            if stored is not None:
                return Answer(record(self._upgraded(stored), None), served=True)
        return self._queue(kind, request, submission)

    def _queue(self, kind: str, request: Request, submission: Submission) -> Answer:
        job, replayed = self._admission.admit(kind, request, submission)
        if replayed:
            return Answer(self.look(job.id), replayed=True)
        self.scheduler.wake()
        return Answer(self._record(job))

    def keep(self, kind: str, request: Request, outcome: Outcome, *, origin: Origin = "imported") -> tuple[Job, bool]:
        """Keep a result that was measured elsewhere; return its job and whether it was not here yet."""
        new = NewJob(kind, request.spec, request.digest, outcome.warnings, needs=request.needs)
        return self.store.add_finished(new, outcome, origin=origin)

    def look(self, job_id: str, *, kind: str | None = None, with_result: bool = True) -> dict[str, Any]:
        """The record of one job.

        Raises:
            UnknownJob: no job (of this kind) has this id.
        """
        job = self.find(job_id, kind=kind, with_result=with_result)
        return self._record(job, with_result=with_result)

    def find(self, job_id: str, *, kind: str | None = None, with_result: bool = False) -> Job:
        """One job, its result in the schema of this version; same errors as :meth:`look`."""
        return self._upgraded(self.store.get(job_id, kind=kind, with_result=with_result))

    def _upgraded(self, job: Job) -> Job:
        kind = self.kinds.get(job.kind)
        if job.result is None or not isinstance(kind, UpgradingKind):
            return job
        result = kind.upgraded(job.result)
        return job if result is job.result else dataclasses.replace(job, result=result)

    def page(self, wanted: Filter, *, limit: int, offset: int, newest_first: bool) -> dict[str, Any]:
        """One page of records without results."""
        jobs, total = self.store.page(wanted, limit=limit, offset=offset, newest_first=newest_first)
        positions = self.queue.positions() if any(job.status is State.QUEUED for job in jobs) else {}
        items = [summary(job, _position(job, positions)) for job in jobs]
        return {"items": items, "total": total, "limit": limit, "offset": offset}

    def cancel(self, job_id: str, *, kind: str | None = None) -> dict[str, Any]:
        """Cancel a job and return its record; a running one ends within two seconds.

        Raises:
            UnknownJob: no job (of this kind) has this id.
            IllegalChange: the job is over.
        """
        self.find(job_id, kind=kind)
        return self._record(self.scheduler.cancel(job_id))

    def delete(self, job_id: str, *, kind: str | None = None) -> None:
        """Forget a job; a queued one is cancelled first, so that nobody waits for it any longer.

        Raises:
            UnknownJob: no job (of this kind) has this id.
            StillRunning: it has to be cancelled and to end first.
        """
        if self.find(job_id, kind=kind).status is State.QUEUED:
            with contextlib.suppress(IllegalChange):  # it was started or cancelled in between; the next line decides
                self.scheduler.cancel(job_id)
        if not self.store.delete(job_id):
            raise StillRunning("A running job cannot be deleted.")

    def log(self, job_id: str, *, after: int, limit: int) -> dict[str, Any]:
        """Lines of a job's log after the line of this number.

        Raises:
            UnknownJob: no job has this id.
        """
        found = self.lines.read(self.store.get(job_id), after=after, limit=limit)
        items = [
            {"number": line.number, "at": timestamp(line.at), "attempt": line.attempt, "text": line.text}
            for line in found
        ]
        return {"items": items, "next": found[-1].number if found else after}

    def _record(self, job: Job, *, with_result: bool = True) -> dict[str, Any]:
        positions = self.queue.positions() if job.status is State.QUEUED else {}
        return record(job, _position(job, positions), with_result=with_result)

    # --- news ----------------------------------------------------------------------------------

    def _changed(self, job: Job) -> None:
        """Tell listeners; called by the scheduler, which must not fail because of it."""
        if job.status in TERMINAL:
            self._metrics.observe_end(job)
        try:
            self.feed.publish(self._record(job, with_result=False))
            if job.progress is None or job.status is not State.RUNNING:
                self._tell_waiting()
        except SQLAlchemyError:
            _log.warning("listeners could not be told about job %s", job.id, exc_info=True)

    def _tell_waiting(self) -> None:
        """Tell those who listen to queued jobs their new place in the queue."""
        watched = self.feed.watched()
        positions = self.queue.positions() if watched else {}
        for job_id in watched:
            if job_id in positions:
                with contextlib.suppress(UnknownJob):  # deleted in between
                    job = self.store.get(job_id)
                    self.feed.publish(record(job, _position(job, positions), with_result=False))


def _position(job: Job, positions: Mapping[str, int]) -> int | None:
    """Place of a queued job; 1 when it was started since it was read."""
    return positions.get(job.id, 1) if job.status is State.QUEUED else None
