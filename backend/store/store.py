"""Add and change jobs. Every change of state goes through :mod:`backend.jobs.states`.

A change is one conditional UPDATE, so of two that race (a cancel and a start, two servers on one database)
exactly one wins and the other gets :class:`~backend.jobs.states.IllegalChange`.
"""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import delete, select, update
from sqlalchemy.exc import IntegrityError

from backend.jobs.kind import Outcome
from backend.jobs.states import TERMINAL, IllegalChange, State, check, sources
from backend.store.filter import Filter
from backend.store.lines import line_row
from backend.store.models import Job, JobRow, ServedRow
from backend.store.new_job import NewJob
from backend.store.reading import Reading, UnknownJob
from dyad_core.errors import DyadError

__all__ = ["Filter", "KeyUsed", "NewJob", "Store", "UnknownJob"]

TURNS_KEPT = timedelta(days=7)


class KeyUsed(DyadError):  # noqa: N818 - the event, as the library's family names it
    """A client submitted under a key that it has used."""


class Store(Reading):
    """The jobs of one database, with every change of them; safe to use from several threads."""

    # --- adding --------------------------------------------------------------------------------

    def add(self, new: NewJob) -> Job:
        """Put a job into the queue.

        Raises:
            KeyUsed: this client's key belongs to a job already.
        """
        try:
            return self._insert(new, State.QUEUED, origin="local", created_at=_now())
        except IntegrityError as error:
            if new.idempotency_key is None:
                raise
            raise KeyUsed(new.idempotency_key) from error

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

    def _insert(self, new: NewJob, status: State, **values: Any) -> Job:
        row = new.row(status, **values)
        with self._session.begin() as session:
            session.add(row)
            session.flush()
            return Job.of(session.get_one(JobRow, row.number, populate_existing=True), with_result=False)

    # --- changing ------------------------------------------------------------------------------

    def change(
        self,
        job_id: str,
        wanted: State,
        *,
        claim: str | None = None,
        new_claim: str | None = None,
        line: str = "",
        **values: Any,
    ) -> Job:
        """Bring a job into another state, writing ``values`` (columns) and a line of its log with it.

        Args:
            job_id: of the job.
            wanted: its new state.
            claim: the start that this is about; a job that was started again since is left alone. None is about any.
            new_claim: of the start that begins with this change.
            line: what the log says of it; nothing when empty.
            values: further columns.

        Raises:
            UnknownJob: no job has this id.
            IllegalChange: its state does not allow the change, or the start is over.
        """
        if wanted in TERMINAL:
            values.setdefault("finished_at", _now())
        if wanted is State.RUNNING:
            values |= {"claim": new_claim}
            values.setdefault("started_at", _now())
        if wanted is State.QUEUED:
            values |= {"started_at": None, "place": None, "claim": None, "progress": None}
        condition = [JobRow.id == job_id, JobRow.status.in_(sources(wanted))]
        if claim is not None:
            condition.append(JobRow.claim == claim)
        statement = update(JobRow).where(*condition).values(status=wanted, version=JobRow.version + 1, **values)
        with self._session.begin() as session:
            changed = session.execute(statement).rowcount  # type: ignore[attr-defined] # typed as Result, is CursorResult
            if changed and line:
                row = session.execute(select(JobRow.number, JobRow.attempt).where(JobRow.id == job_id)).one()
                session.add(line_row(row.number, row.attempt, line))
        job = self.get(job_id)
        if not changed:
            check(job.status, wanted)
            raise IllegalChange(job.status, wanted)  # legal by its state: it is another start of the job
        return job

    def claim(self, job_id: str, place: str, claim: str, server: str | None = None) -> Job | None:
        """Mark a queued job as running under a new ``claim`` and return it; None when it is queued no more.

        The condition on its state makes sure that nothing is run twice, whoever else claims.
        """
        values: dict[str, Any] = {"place": place[:200], "server": server, "attempt": JobRow.attempt + 1}
        try:
            job = self.change(job_id, State.RUNNING, new_claim=claim, line=f"Started on {place}.", **values)
        except (IllegalChange, UnknownJob):
            return None
        self._note_turn(job.client)
        return job

    def _note_turn(self, client: str) -> None:
        """Remember when a client was served, and forget those that have not been for long: they are first in line anyway."""
        now = _now()
        with contextlib.suppress(IntegrityError), self._session.begin() as session:  # noted by another at this moment
            session.merge(ServedRow(client=client, served_at=now))
            session.flush()
            session.execute(delete(ServedRow).where(ServedRow.served_at < now - TURNS_KEPT))

    def write_progress(self, job: Job, progress: dict[str, Any]) -> bool:
        """Keep the progress of a running job; False when this start of it is over."""
        statement = (
            update(JobRow)
            .where(JobRow.id == job.id, JobRow.status == State.RUNNING, JobRow.claim == job.claim)
            .values(progress=progress, version=JobRow.version + 1)
        )
        with self._session.begin() as session:
            return bool(session.execute(statement).rowcount)  # type: ignore[attr-defined] # as above

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
