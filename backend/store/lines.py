"""What is said about a job while it waits and runs: its log, kept with it and deleted with it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import Engine, select
from sqlalchemy.orm import sessionmaker

from backend.store.models import Job, JobRow, LineRow

__all__ = ["LONGEST_LINE", "Line", "Lines"]

LONGEST_LINE = 2000


@dataclass(frozen=True)
class Line:
    """One line.

    Attributes:
        number: grows; a reader asks for what came after the last one it has.
        at: when it was said, UTC.
        attempt: at which start of the job, 0 before the first.
        text: one sentence or what the process printed.
    """

    number: int
    at: datetime
    attempt: int
    text: str


class Lines:
    """The lines of every job of one database."""

    def __init__(self, engine: Engine) -> None:
        """Use an engine whose schema is up to date."""
        self._session = sessionmaker(engine)

    def add(self, job: Job, text: str) -> None:
        """Keep one line; a job that was deleted meanwhile keeps none."""
        row = select(JobRow.number).where(JobRow.number == job.number)
        with self._session.begin() as session:
            if session.scalar(row) is not None:
                session.add(line_row(job.number, job.attempt, text))

    def read(self, job: Job, *, after: int, limit: int) -> list[Line]:
        """At most ``limit`` lines whose number is greater than ``after``, oldest first."""
        query = (
            select(LineRow)
            .where(LineRow.job_number == job.number, LineRow.number > after)
            .order_by(LineRow.number)
            .limit(limit)
        )
        with self._session() as session:
            return [Line(row.number, row.at, row.attempt, row.text) for row in session.scalars(query)]


def line_row(job_number: int, attempt: int, text: str) -> LineRow:
    """The row of a line said now, cut to what is kept of one."""
    text = text.replace("\x00", "").encode("utf-8", "backslashreplace").decode()
    shown = text if len(text) <= LONGEST_LINE else f"{text[:LONGEST_LINE]}…"
    return LineRow(job_number=job_number, at=datetime.now(UTC), attempt=attempt, text=shown)
