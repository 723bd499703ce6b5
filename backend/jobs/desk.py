"""The desk of the queue: what routes ask for, in one object that ties store, runner, feed and kinds together."""

from __future__ import annotations

import contextlib
import dataclasses
import logging
from collections.abc import Mapping
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from backend.jobs.feed import Feed
from backend.jobs.kind import JobKind, Outcome, Request, UpgradingKind
from backend.jobs.records import Origin, record, summary
from backend.jobs.runner import Runner
from backend.jobs.states import TERMINAL, IllegalChange, State
from backend.jobs.turn import Turn
from backend.metrics import Metrics
from backend.store.models import Job
from backend.store.store import Filter, NewJob, Store, UnknownJob
from dyad_core.errors import DyadError

__all__ = ["Desk", "QueueFull", "StillRunning"]

_log = logging.getLogger(__name__)


class QueueFull(DyadError):  # noqa: N818 - the event, as the library's family names it
    """As many jobs wait as may."""


class StillRunning(DyadError):  # noqa: N818 - the event, as the library's family names it
    """A job has to end before this can be done."""


class Desk:
    """Submit, look at, cancel and delete jobs.

    Args:
        store: where jobs are kept.
        kinds: every kind of job by its name.
        turn: whether this server is the one that measures.
        queue_limit: how many jobs may wait.
        metrics: told how jobs end.
    """

    def __init__(
        self, store: Store, kinds: Mapping[str, JobKind], turn: Turn, queue_limit: int, metrics: Metrics
    ) -> None:
        """Prepare; nothing runs before ``desk.runner.start()``."""
        self.store, self.kinds, self.feed = store, kinds, Feed()
        self.runner = Runner(store, kinds, turn, self._changed)
        self._queue_limit, self._metrics = queue_limit, metrics

    def submit(self, kind: str, body: dict[str, Any]) -> dict[str, Any]:
        """Check a request, queue it and return its record.

        Raises:
            SpecError: with every problem of the request.
            QueueFull: no more jobs may wait.
        """
        return self._queue(kind, self.kinds[kind].read(body))

    def serve(self, kind: str, body: dict[str, Any]) -> tuple[dict[str, Any], bool]:
        """Check a request; return the record of an equal one that was measured here before, or queue it.

        Also returns whether it was served from the store. Same errors as :meth:`submit`.
        """
        request = self.kinds[kind].read(body)
        if request.environment_digest is not None:
            stored = self.store.find_servable(kind, request.digest, request.environment_digest)
            if stored is not None:
                return record(self._upgraded(stored), None), True
        return self._queue(kind, request), False

    def _queue(self, kind: str, request: Request) -> dict[str, Any]:
        if self.store.counts()[State.QUEUED] >= self._queue_limit:
            raise QueueFull(f"{self._queue_limit} jobs are waiting already, and no more may.")
        job = self.store.add(_new(kind, request.spec, request.digest, request.warnings))
        self.runner.wake()
        return self._record(job)

    def keep(self, kind: str, request: Request, outcome: Outcome, *, origin: Origin = "imported") -> tuple[Job, bool]:
        """Keep a result that was measured elsewhere; return its job and whether it was not here yet."""
        new = _new(kind, request.spec, request.digest, outcome.warnings)
        return self.store.add_finished(new, outcome, origin=origin)

    def look(self, job_id: str, *, kind: str | None = None, with_result: bool = True) -> dict[str, Any]:
        """The record of one job.

        Raises:
            UnknownJob: no job (of this kind) has this id.
        """
        job = self.find(job_id, kind=kind, with_result=with_result)
        return record(job, self.store.queue_position(job), with_result=with_result)

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
        items = [summary(job, self.store.queue_position(job)) for job in jobs]
        return {"items": items, "total": total, "limit": limit, "offset": offset}

    def cancel(self, job_id: str, *, kind: str | None = None) -> dict[str, Any]:
        """Cancel a job and return its record; a running one ends within two seconds.

        Raises:
            UnknownJob: no job (of this kind) has this id.
            IllegalChange: the job is over.
        """
        self.find(job_id, kind=kind)
        return self._record(self.runner.cancel(job_id))

    def delete(self, job_id: str, *, kind: str | None = None) -> None:
        """Forget a job; a queued one is cancelled first, so that nobody waits for it any longer.

        Raises:
            UnknownJob: no job (of this kind) has this id.
            StillRunning: it has to be cancelled and to end first.
        """
        if self.find(job_id, kind=kind).status is State.QUEUED:
            with contextlib.suppress(IllegalChange):  # it was started or cancelled in between; the next line decides
                self.runner.cancel(job_id)
        if not self.store.delete(job_id):
            raise StillRunning("A running job cannot be deleted.")

    def _record(self, job: Job) -> dict[str, Any]:
        return record(job, self.store.queue_position(job))

    # --- news ----------------------------------------------------------------------------------

    def _changed(self, job: Job) -> None:
        """Tell listeners; called by the runner, which must not fail because of it."""
        if job.status in TERMINAL:
            self._metrics.observe_end(job)
        try:
            self.feed.publish(record(job, self.store.queue_position(job), with_result=False))
            if job.progress is None or job.status is not State.RUNNING:
                self._tell_waiting()
        except SQLAlchemyError:
            _log.warning("listeners could not be told about job %s", job.id, exc_info=True)

    def _tell_waiting(self) -> None:
        """Tell those who listen to queued jobs their new place in the queue."""
        for job_id in self.feed.watched():
            with contextlib.suppress(UnknownJob):  # deleted in between
                job = self.store.get(job_id)
                if job.status is State.QUEUED:
                    self.feed.publish(record(job, self.store.queue_position(job), with_result=False))


def _new(kind: str, spec: dict[str, Any], digest: str, warnings: list[str]) -> NewJob:
    return NewJob(kind=kind, spec=spec, spec_digest=digest, warnings=warnings)
