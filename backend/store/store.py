"""Read and change jobs. Every change of state goes through :mod:`backend.jobs.states`.

A change is one conditional UPDATE, so of two that race (a cancel and a start, two servers on one database)
exactly one wins and the other gets :class:`~backend.jobs.states.IllegalChange`.
"""

from __future__ import annotations

import contextlib
import re
import uuid
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Engine, delete, func, select, text, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import sessionmaker, undefer

from backend.executors.base import Needs
from backend.jobs.kind import Outcome
from backend.jobs.states import TERMINAL, IllegalChange, State, check, sources
from backend.store.filter import Filter, filtered
from backend.store.lines import line_row
from backend.store.models import Job, JobRow, ServedRow
from dyad_core.errors import DyadError

__all__ = ["Filter", "KeyUsed", "NewJob", "Store", "UnknownJob"]

TURNS_KEPT = timedelta(days=7)
_ID = re.compile(r"[0-9a-f]{32}", re.ASCII)


class UnknownJob(DyadError):  # noqa: N818 - the event, as the library's family names it
    """No job has this id."""


@dataclass(frozen=True)
class NewJob:
    """What a job starts with; the columns of :class:`~backend.store.models.JobRow` say what each field means."""

    kind: str
    spec: dict[str, Any]
    spec_digest: str
    warnings: list[str]
    needs: Needs = field(default_factory=Needs)
    client: str = ""
    priority: int = 0
    attempts: int = 1
    time_limit_s: float | None = None
    memory_limit_bytes: int | None = None
    idempotency_key: str | None = None


class KeyUsed(DyadError):  # noqa: N818 - the event, as the library's family names it
    """A client submitted under a key that it has used."""


class Store:
    """The jobs of one database; safe to use from several threads."""

    def __init__(self, engine: Engine) -> None:
        """Use an engine whose schema is up to date (:func:`backend.store.database.open_database`)."""
        self.engine = engine
        self._session = sessionmaker(engine, expire_on_commit=False)

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

    def find_key(self, client: str, key: str) -> Job | None:
        """The job that this client submitted under this key, without its result."""
        query = select(JobRow).where(JobRow.client == client, JobRow.idempotency_key == key)
        with self._session() as session:
            row = session.scalar(query)
            return None if row is None else Job.of(row, with_result=False)

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
            client=new.client,
            priority=new.priority,
            device=new.needs.device,
            needs=asdict(new.needs),
            attempts=new.attempts,
            time_limit_s=new.time_limit_s,
            memory_limit_bytes=new.memory_limit_bytes,
            idempotency_key=new.idempotency_key,
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

    def ping(self) -> None:
        """Return when the database answers.

        Raises:
            sqlalchemy.exc.SQLAlchemyError: it does not.
        """
        with self.engine.connect() as connection:
            connection.execute(text("SELECT 1"))

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

    def running(self) -> list[Job]:
        """Every job that runs, oldest first, without results."""
        query = select(JobRow).where(JobRow.status == State.RUNNING).order_by(JobRow.number)
        with self._session() as session:
            return [Job.of(row, with_result=False) for row in session.scalars(query)]

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
