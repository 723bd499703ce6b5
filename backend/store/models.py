"""The tables of the service, and the frozen record that leaves the store.

Every kind of job lives in ``jobs``; what differs by kind (request, progress, result) is JSON. ``job_lines`` is what is said about
a job while it waits and runs, ``served`` which client had its turn when. ``bundled`` remembers which results that ship with the library were put there once, so that deleted ones stay deleted. Column types work on SQLite and
PostgreSQL alike. The tables themselves are made by the migrations, never from this file.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    DateTime,
    Dialect,
    Float,
    ForeignKey,
    Integer,
    String,
    Text,
    TypeDecorator,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from backend.jobs.states import State

__all__ = ["Base", "BundledRow", "Job", "JobRow", "LineRow", "ServedRow", "UtcDateTime"]


class UtcDateTime(TypeDecorator[datetime]):
    """A moment in UTC. SQLite drops the time zone, so it is put back on reading."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002 (SQLAlchemy's signature)
        """Refuse a moment without a time zone; store the rest in UTC."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a stored moment needs a time zone")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002 (SQLAlchemy's signature)
        """Return the moment with its time zone, UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Base(DeclarativeBase):
    """Base of the tables."""


class JobRow(Base):
    """One job of any kind."""

    __tablename__ = "jobs"

    number: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=True)
    """Counts up in the order of submission: the order of the queue."""
    id: Mapped[str] = mapped_column(String(32), unique=True)
    kind: Mapped[str] = mapped_column(String(32))
    status: Mapped[str] = mapped_column(String(16))
    origin: Mapped[str] = mapped_column(String(16))
    spec: Mapped[dict[str, Any]] = mapped_column(JSON)
    spec_digest: Mapped[str] = mapped_column(String(64))
    environment_digest: Mapped[str | None] = mapped_column(String(64))
    warnings: Mapped[list[str]] = mapped_column(JSON)
    progress: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    result: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True), deferred=True)
    error: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    headline: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    started_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    machine: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    measured_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    servable: Mapped[bool] = mapped_column(Boolean, default=False)
    """Whether an equal request may be answered with this result."""
    fingerprint: Mapped[str | None] = mapped_column(String(64))
    """Of a result that was not measured here: no result is kept twice."""
    client: Mapped[str] = mapped_column(String(80), default="")
    priority: Mapped[int] = mapped_column(Integer, default=0)
    device: Mapped[str] = mapped_column(String(64), default="cpu")
    needs: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    """The fields of :class:`~backend.executors.base.Needs`; None in jobs of before, which say it by ``device``."""
    attempt: Mapped[int] = mapped_column(Integer, default=0)
    attempts: Mapped[int] = mapped_column(Integer, default=1)
    time_limit_s: Mapped[float | None] = mapped_column(Float)
    memory_limit_bytes: Mapped[int | None] = mapped_column(BigInteger)
    place: Mapped[str | None] = mapped_column(String(200))
    claim: Mapped[str | None] = mapped_column(String(32))
    """Drawn anew at every start: what writes about a start that is over is turned away by it."""
    server: Mapped[str | None] = mapped_column(String(160))
    """Which server started it (:mod:`backend.jobs.server_id`)."""
    version: Mapped[int] = mapped_column(Integer, default=0)
    """Grows with every change of the row."""
    idempotency_key: Mapped[str | None] = mapped_column(String(255))


class LineRow(Base):
    """One line of what was said about a job."""

    __tablename__ = "job_lines"

    number: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=True)
    job_number: Mapped[int] = mapped_column(ForeignKey("jobs.number", ondelete="CASCADE"))
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    attempt: Mapped[int] = mapped_column(Integer)
    text: Mapped[str] = mapped_column(Text)


class ServedRow(Base):
    """When a job of a client was started last, whether or not that job is still kept."""

    __tablename__ = "served"

    client: Mapped[str] = mapped_column(String(80), primary_key=True)
    served_at: Mapped[datetime] = mapped_column(UtcDateTime)


class BundledRow(Base):
    """One result file or result that ships with the library and was put among the jobs once."""

    __tablename__ = "bundled"

    digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    added_at: Mapped[datetime] = mapped_column(UtcDateTime)


@dataclass(frozen=True)
class Job:
    """One job as the rest of the service sees it: a snapshot, never changed in place.

    ``result`` is None where it was not asked for, too; :attr:`status` says whether there is one.
    """

    number: int
    id: str
    kind: str
    status: State
    origin: str
    spec: dict[str, Any]
    spec_digest: str
    environment_digest: str | None
    warnings: list[str]
    progress: dict[str, Any] | None
    error: dict[str, Any] | None
    headline: str | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    machine: dict[str, Any] | None
    measured_at: datetime | None
    client: str
    priority: int
    device: str
    needs: dict[str, Any] | None
    attempt: int
    attempts: int
    time_limit_s: float | None
    memory_limit_bytes: int | None
    place: str | None
    claim: str | None
    server: str | None
    version: int
    result: dict[str, Any] | None = None

    @classmethod
    def of(cls, row: JobRow, *, with_result: bool) -> Job:
        """Copy a row; ``with_result`` decides whether the result is read from the database."""
        known = {each.name: getattr(row, each.name) for each in fields(cls) if each.name != "result"}
        return cls(**known | {"status": State(row.status)}, result=row.result if with_result else None)
