"""What REST says about a job: one record shape for every kind, which only grows."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from backend.jobs.rules import Reason
from backend.jobs.states import State
from backend.store.models import Job
from dyad_core.bench import BenchmarkRun, BenchmarkSpec, Progress

__all__ = [
    "BenchmarkPage",
    "BenchmarkRecord",
    "BenchmarkSummary",
    "Failure",
    "ImportedRecord",
    "JobLog",
    "JobPage",
    "JobRecord",
    "LogLine",
    "Machine",
    "PRELIMINARY",
    "Origin",
    "SubmittedRecord",
    "record",
    "summary",
]


PRELIMINARY = ("candidates", "points")
"""Fields of a progress that hold figures so far; lists leave them out, and so does a job that has its result."""

Origin = Literal["local", "imported", "reference"]
"""Measured by this service, brought by a file, or shipped with the library."""


class Failure(BaseModel):
    """Why a job has no result; ``reason`` is for programs, and ``failed`` in jobs of before."""

    title: str
    detail: str
    reason: Reason = "failed"


class Machine(BaseModel):
    """Where a result was measured; an empty ``hostname`` was not told."""

    name: str
    hostname: str
    device: str
    threads: int
    torch_version: str


class JobSummary(BaseModel):
    """A job in a list: without its result and preliminary figures.

    ``client`` asked for it; ``device`` is what it needs and ``place`` where it runs or ran; ``attempt`` counts its starts, of
    which it may have ``attempts``; ``version`` grows with every change.
    """

    model_config = ConfigDict(extra="forbid")

    id: str
    kind: str
    status: State
    spec: dict[str, Any]
    progress: dict[str, Any] | None
    queue_position: int | None
    warnings: list[str]
    error: Failure | None
    origin: Origin
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    headline: str | None
    machine: Machine | None
    measured_at: datetime | None
    client: str
    priority: int
    device: str
    attempt: int
    attempts: int
    place: str | None
    time_limit_s: float | None
    memory_limit_bytes: int | None
    version: int


class JobRecord(JobSummary):
    """A job of any kind, with its result once it succeeded."""

    result: dict[str, Any] | None


class BenchmarkRecord(JobRecord):
    """A benchmark, with its result once it succeeded."""

    spec: BenchmarkSpec  # type: ignore[assignment] # the same field, described more exactly
    progress: Progress | None  # type: ignore[assignment] # the same field, described more exactly
    result: BenchmarkRun | None  # type: ignore[assignment] # the same field, described more exactly


class SubmittedRecord(BenchmarkRecord):
    """A benchmark that was asked for; ``served_from_store``: an equal request on this machine was measured before."""

    served_from_store: bool


class ImportedRecord(BenchmarkRecord):
    """The first run of an imported file, the ids of all, and which of them were here before."""

    imported: list[str]
    existing: list[str]


class BenchmarkSummary(JobSummary):
    """A benchmark in a list."""

    spec: BenchmarkSpec  # type: ignore[assignment] # the same field, described more exactly


class LogLine(BaseModel):
    """One line of a job's log; ``attempt`` is the start it belongs to."""

    number: int
    at: datetime
    attempt: int
    text: str


class JobLog(BaseModel):
    """Lines of a job's log; ``next`` is what to send as ``after`` for those that come later."""

    items: list[LogLine]
    next: int


class JobPage(BaseModel):
    """One page of jobs; ``total`` counts all that match."""

    items: list[JobSummary]
    total: int
    limit: int
    offset: int


class BenchmarkPage(BaseModel):
    """One page of benchmarks; ``total`` counts all that match."""

    items: list[BenchmarkSummary]
    total: int
    limit: int
    offset: int


def summary(job: Job, queue_position: int | None) -> dict[str, Any]:
    """The record of a job without its result and without preliminary figures, JSON-ready."""
    values = _record(job, queue_position)
    if job.progress is not None:
        values["progress"] = {key: value for key, value in job.progress.items() if key not in PRELIMINARY}
    return values


def record(job: Job, queue_position: int | None, *, with_result: bool = True) -> dict[str, Any]:
    """The whole record of a job, JSON-ready; ``with_result=False`` leaves the key ``result`` out, as events do."""
    values = _record(job, queue_position)
    if with_result:
        values["result"] = job.result
    return values


def _record(job: Job, queue_position: int | None) -> dict[str, Any]:
    return {
        "id": job.id,
        "kind": job.kind,
        "status": job.status.value,
        "spec": job.spec,
        "progress": job.progress,
        "queue_position": queue_position,
        "warnings": job.warnings,
        "error": None if job.error is None else {"reason": "failed"} | job.error,
        "origin": job.origin,
        "created_at": timestamp(job.created_at),
        "started_at": timestamp(job.started_at),
        "finished_at": timestamp(job.finished_at),
        "headline": job.headline,
        "machine": job.machine,
        "measured_at": timestamp(job.measured_at),
        "client": job.client,
        "priority": job.priority,
        "device": job.device,
        "attempt": job.attempt,
        "attempts": job.attempts,
        "place": job.place,
        "time_limit_s": job.time_limit_s,
        "memory_limit_bytes": job.memory_limit_bytes,
        "version": job.version,
    }


def timestamp(moment: datetime | None) -> str | None:
    """ISO 8601 in UTC to the millisecond, ending in ``+00:00``."""
    return None if moment is None else moment.astimezone(UTC).isoformat(timespec="milliseconds")
