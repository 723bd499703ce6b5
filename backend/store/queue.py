"""The jobs that wait, in the order in which they will be started (:mod:`backend.jobs.order`)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Engine, func, select
from sqlalchemy.orm import sessionmaker

from backend.executors.base import SERVER, Needs
from backend.jobs.order import Waiting, fair_order
from backend.jobs.states import State
from backend.store.models import JobRow, ServedRow

__all__ = ["Queue", "QueuedJob"]


@dataclass(frozen=True)
class QueuedJob:
    """A job that waits, as far as the scheduler looks at it."""

    id: str
    kind: str
    needs: Needs


class Queue:
    """The waiting jobs of one database."""

    def __init__(self, engine: Engine) -> None:
        """Use an engine whose schema is up to date."""
        self._session = sessionmaker(engine)

    def ordered(self) -> list[QueuedJob]:
        """Every waiting job, the next one first."""
        columns = (JobRow.id, JobRow.kind, JobRow.needs, JobRow.device)
        with self._session() as session:
            rows = {row.id: row for row in session.execute(select(*columns).where(JobRow.status == State.QUEUED))}
        return [
            QueuedJob(job_id, rows[job_id].kind, _needs(rows[job_id].needs, rows[job_id].device))
            for job_id in self.positions()
            if job_id in rows
        ]

    def positions(self) -> dict[str, int]:
        """Place of every waiting job by its id, 1 for the next, in that order."""
        columns = (JobRow.number, JobRow.id, JobRow.client, JobRow.priority)
        waiting = select(*columns).where(JobRow.status == State.QUEUED)
        with self._session() as session:
            jobs = [Waiting(*row) for row in session.execute(waiting)]
            clients = {job.client for job in jobs}
            turns = select(ServedRow).where(ServedRow.client.in_(clients))
            served = {} if len(clients) < 2 else {row.client: row.served_at for row in session.scalars(turns)}
        return {job.id: place for place, job in enumerate(fair_order(jobs, served), start=1)}

    def length(self, client: str | None = None) -> int:
        """How many jobs wait, of one client or of all."""
        query = select(func.count()).select_from(JobRow).where(JobRow.status == State.QUEUED)
        if client is not None:
            query = query.where(JobRow.client == client)
        with self._session() as session:
            return session.scalar(query) or 0


def _needs(stored: dict[str, Any] | None, device: str) -> Needs:
    """What a job needs; one of before says it by its device alone."""
    return Needs(device, alone=device != SERVER) if stored is None else Needs(**stored)
