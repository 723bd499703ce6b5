"""Look at jobs: one, a page, those that run, and those that an equal request may be answered with."""

from __future__ import annotations

import re

from sqlalchemy import Engine, func, select, text
from sqlalchemy.orm import sessionmaker, undefer

from backend.jobs.states import State
from backend.store.filter import Filter, filtered
from backend.store.models import Job, JobRow
from dyad_core.errors import DyadError

__all__ = ["Reading", "UnknownJob"]

_ID = re.compile(r"[0-9a-f]{32}", re.ASCII)


class UnknownJob(DyadError):  # noqa: N818 - the event, as the library's family names it
    """No job has this id."""


class Reading:
    """The jobs of one database, as far as they are looked at; safe to use from several threads."""

    def __init__(self, engine: Engine) -> None:
        """Use an engine whose schema is up to date (:func:`backend.store.database.open_database`)."""
        self.engine = engine
        self._session = sessionmaker(engine, expire_on_commit=False)

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

    def ping(self) -> None:
        """Return when the database answers.

        Raises:
            sqlalchemy.exc.SQLAlchemyError: it does not.
        """
        with self.engine.connect() as connection:
            connection.execute(text("SELECT 1"))

    def running(self) -> list[Job]:
        """Every job that runs, oldest first, without results."""
        query = select(JobRow).where(JobRow.status == State.RUNNING).order_by(JobRow.number)
        with self._session() as session:
            return [Job.of(row, with_result=False) for row in session.scalars(query)]

    def find_key(self, client: str, key: str) -> Job | None:
        """The job that this client submitted under this key, without its result."""
        query = select(JobRow).where(JobRow.client == client, JobRow.idempotency_key == key)
        with self._session() as session:
            row = session.scalar(query)
            return None if row is None else Job.of(row, with_result=False)

    def _known(self, fingerprint: str | None) -> Job | None:
        """The job that keeps the result with this fingerprint."""
        if fingerprint is None:
            return None
        with self._session() as session:
            row = session.scalar(select(JobRow).where(JobRow.fingerprint == fingerprint))
            return None if row is None else Job.of(row, with_result=False)
