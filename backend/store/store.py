"""Read and change jobs. Every change of state goes through :mod:`backend.jobs.states`.

A change is one conditional UPDATE, so of two that race (a cancel and a start, two servers on one database)
exactly one wins and the other gets :class:`~backend.jobs.states.IllegalChange`.
"""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Engine, delete, func, select, text, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import sessionmaker, undefer

from backend.jobs.kind import Outcome
from backend.jobs.states import TERMINAL, State, check, sources
from backend.store.filter import Filter, filtered
from backend.store.models import Job, JobRow
from dyad_core.errors import DyadError

__all__ = ["Filter", "NewJob", "Store", "UnknownJob"]

_ID = re.compile(r"[0-9a-f]{32}", re.ASCII)


class UnknownJob(DyadError):  # noqa: N818 - the event, as the library's family names it
    """No job has this id."""


@dataclass(frozen=True)
class NewJob:
    """What a job starts with."""

    kind: str
    spec: dict[str, Any]
    spec_digest: str
    warnings: list[str]


class Store:
    """The jobs of one database; safe to use from several threads."""

    def __init__(self, engine: Engine) -> None:
        """Use an engine whose schema is up to date (:func:`backend.store.database.open_database`)."""
        self.engine = engine
        self._session = sessionmaker(engine, expire_on_commit=False)

    # --- adding --------------------------------------------------------------------------------

    def add(self, new: NewJob) -> Job:
        """Put a job at the end of the queue."""
        return self._insert(new, State.QUEUED, origin="local", created_at=_now())

    def add_finished(self, new: NewJob, outcome: Outcome, *, origin: str = "imported") -> tuple[Job, bool]:
        """Keep a result that was not measured by this service; return its job and whether it is a new one.

        A result whose fingerprint is here already is not kept twice, whoever else adds it at the same moment.
        """
        if (known := self._known(outcome.fingerprint)) is not None:
            return known, False
        now = _now()
        try:
            job = self._insert(
                new,
                State.SUCCEEDED,
                origin=origin,
                created_at=now,
                finished_at=now,
                result=outcome.result,
                headline=outcome.headline,
                environment_digest=outcome.environment_digest,
                machine=outcome.machine,
                measured_at=outcome.measured_at,
                fingerprint=outcome.fingerprint,
            )
        except IntegrityError:
            if (known := self._known(outcome.fingerprint)) is None:
                raise
            return known, False
        return job, True

    def _known(self, fingerprint: str | None) -> Job | None:
        if fingerprint is None:
            return None
        with self._session() as session:
            row = session.scalar(select(JobRow).where(JobRow.fingerprint == fingerprint))
            return None if row is None else Job.of(row, with_result=False)

    def _insert(self, new: NewJob, status: State, **values: Any) -> Job:
        row = JobRow(
            id=uuid.uuid4().hex,
            kind=new.kind,
            status=status,
            spec=new.spec,
            spec_digest=new.spec_digest,
            warnings=new.warnings,
            **values,
        )
        with self._session.begin() as session:
            session.add(row)
            session.flush()
            return Job.of(session.get_one(JobRow, row.number, populate_existing=True), with_result=False)

    # --- reading -------------------------------------------------------------------------------

    def get(self, job_id: str, *, kind: str | None = None, with_result: bool = False) -> Job:
        """Return one job.

        Raises:
            UnknownJob: no job (of this kind) has this id.
        """
        if not _ID.fullmatch(job_id):
            raise UnknownJob(job_id)
        query = select(JobRow).where(JobRow.id == job_id)
        if with_result:
            query = query.options(undefer(JobRow.result))
        with self._session() as session:
            row = session.scalar(query)
            if row is None or kind not in (None, row.kind):
                raise UnknownJob(job_id)
            return Job.of(row, with_result=with_result)

    def page(self, wanted: Filter, *, limit: int, offset: int, newest_first: bool = True) -> tuple[list[Job], int]:
        """Return one page of jobs without their results, and how many match in all."""
        query = filtered(select(JobRow), wanted)
        order = JobRow.number.desc() if newest_first else JobRow.number.asc()
        with self._session() as session:
            total = session.scalar(select(func.count()).select_from(query.subquery())) or 0
            rows = session.scalars(query.order_by(order).limit(limit).offset(offset))
            return [Job.of(row, with_result=False) for row in rows], total

    def find_servable(self, kind: str, spec_digest: str, environment_digest: str) -> Job | None:
        """The newest run of this very request on this very environment that may be served again, with its result."""
        query = (
            select(JobRow)
            .options(undefer(JobRow.result))
            .where(JobRow.spec_digest == spec_digest, JobRow.environment_digest == environment_digest)
            .where(JobRow.kind == kind, JobRow.status == State.SUCCEEDED, JobRow.origin == "local", JobRow.servable)
            .order_by(JobRow.number.desc())
            .limit(1)
        )
        with self._session() as session:
            row = session.scalar(query)
            return None if row is None else Job.of(row, with_result=True)

    def counts(self) -> dict[State, int]:
        """How many jobs are in each state."""
        query = select(JobRow.status, func.count()).group_by(JobRow.status)
        with self._session() as session:
            found = {State(status): count for status, count in session.execute(query)}
        return {state: found.get(state, 0) for state in State}

    def running_id(self) -> str | None:
        """Id of the job that runs now."""
        with self._session() as session:
            return session.scalar(select(JobRow.id).where(JobRow.status == State.RUNNING).limit(1))

    def queue_position(self, job: Job) -> int | None:
        """Place of a queued job in the queue, 1 for the next to run; None for any other."""
        if job.status is not State.QUEUED:
            return None
        query = select(func.count()).where(JobRow.status == State.QUEUED, JobRow.number <= job.number)
        with self._session() as session:
            return max(1, session.scalar(query) or 0)  # 0 when it was started since ``job`` was read

    def ping(self) -> None:
        """Return when the database answers.

        Raises:
            sqlalchemy.exc.SQLAlchemyError: it does not.
        """
        with self.engine.connect() as connection:
            connection.execute(text("SELECT 1"))

    # --- changing ------------------------------------------------------------------------------

    def change(self, job_id: str, wanted: State, **values: Any) -> Job:
        """Bring a job into another state, writing ``values`` (columns) with it.

        Raises:
            UnknownJob: no job has this id.
            IllegalChange: its state does not allow the change.
        """
        if wanted in TERMINAL:
            values.setdefault("finished_at", _now())
        if wanted is State.RUNNING:
            values.setdefault("started_at", _now())
        statement = (
            update(JobRow)
            .where(JobRow.id == job_id, JobRow.status.in_(sources(wanted)))
            .values(status=wanted, **values)
        )
        with self._session.begin() as session:
            changed = session.execute(statement).rowcount  # type: ignore[attr-defined] # typed as Result, is CursorResult
        job = self.get(job_id)
        if not changed:
            check(job.status, wanted)
        return job

    def claim_oldest(self) -> Job | None:
        """Mark the oldest queued job as running and return it; None when the queue is empty.

        The condition on its state makes sure that nothing is run twice, whoever else claims.
        """
        oldest = select(JobRow.id).where(JobRow.status == State.QUEUED).order_by(JobRow.number).limit(1)
        while True:
            with self._session() as session:
                job_id = session.scalar(oldest)
            if job_id is None:
                return None
            statement = (
                update(JobRow)
                .where(JobRow.id == job_id, JobRow.status.in_(sources(State.RUNNING)))
                .values(status=State.RUNNING, started_at=_now())
            )
            with self._session.begin() as session:
                claimed = session.execute(statement).rowcount  # type: ignore[attr-defined] # as above
            if claimed:
                return self.get(job_id)

    def write_progress(self, job_id: str, progress: dict[str, Any]) -> bool:
        """Keep the progress of a running job; False when it is not running any more."""
        statement = update(JobRow).where(JobRow.id == job_id, JobRow.status == State.RUNNING).values(progress=progress)
        with self._session.begin() as session:
            return bool(session.execute(statement).rowcount)  # type: ignore[attr-defined] # as above

    def interrupt_running(self, error: dict[str, str]) -> list[str]:
        """Mark every running job as interrupted (no server runs them) and return their ids."""
        with self._session() as session:
            ids = list(session.scalars(select(JobRow.id).where(JobRow.status == State.RUNNING)))
        for job_id in ids:
            self.change(job_id, State.INTERRUPTED, error=error)
        return ids

    def delete(self, job_id: str) -> bool:
        """Forget a job that is not running; False when it runs.

        Raises:
            UnknownJob: no job has this id.
        """
        self.get(job_id)
        statement = delete(JobRow).where(JobRow.id == job_id, JobRow.status != State.RUNNING)
        with self._session.begin() as session:
            return bool(session.execute(statement).rowcount)  # type: ignore[attr-defined] # as above


def _now() -> datetime:
    return datetime.now(UTC)
