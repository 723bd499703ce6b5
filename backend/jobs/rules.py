"""What becomes of a job that ends without having been asked to: the one place of the rule, and of its words.

A job that ran when the server, the machine under it or the connection to the database went away is queued again, at the place it
had, as long as it has starts left (``attempt`` < ``attempts``). Without one left it is *interrupted* when it was the server that
went, and *failed* when it was the machine or process of the work; both say what happened. A server that is asked to stop does not
use up a start. Work that ended with an error of its own, or for want of memory, is never repeated: it would fail again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from backend.executors.base import PlaceLost
from backend.jobs.states import State
from backend.store.models import Job
from dyad_core.errors import (
    BenchmarkFailed,
    BenchmarkMemoryLimit,
    BenchmarkTimeout,
    DyadError,
    SpecError,
)

__all__ = [
    "Ending",
    "Reason",
    "after_error",
    "after_server_died",
    "after_shut_down",
    "after_time_limit",
    "never_started",
]

Reason = Literal[
    "failed", "lost", "out_of_memory", "memory_limit", "time_limit", "shutdown", "server_died", "unforeseen"
]


@dataclass(frozen=True)
class Ending:
    """How one start of a job ends.

    Attributes:
        state: what the job becomes.
        line: what its log says.
        values: further columns.
    """

    state: State
    line: str
    values: dict[str, Any]


def after_server_died(job: Job) -> Ending:
    """The server that ran it is gone."""
    detail = (
        "The server ended without finishing this run, so it has no result. "
        "Nothing else is affected; start the run again."
    )
    return _again_or(job, State.INTERRUPTED, "server_died", "The server stopped while this was running", detail)


def never_started(job: Job) -> Ending:
    """It was claimed, and the database went away before its server could start it: no start was used up."""
    line = "The database went away while this was being started; it is queued again."
    return Ending(State.QUEUED, line, {"attempt": job.attempt - 1})


def after_shut_down(job: Job) -> Ending:
    """The server was asked to stop."""
    title = "The server was shut down while this was running"
    detail = "The server was asked to stop, so this run was stopped and has no result. Start the run again."
    if job.attempts > 1:
        return Ending(State.QUEUED, f"{title}; it is queued again.", {"attempt": job.attempt - 1})
    return _ending(State.INTERRUPTED, "shutdown", title, detail)


def after_time_limit(job: Job) -> Ending:
    """It took longer than it may."""
    limit = job.time_limit_s or 0.0
    detail = f"This run took longer than its limit of {limit:g} s, so it was ended and has no result. time_limit_s changes it."
    return _ending(State.FAILED, "time_limit", "The run reached its time limit", detail)


def after_error(job: Job, error: Exception) -> Ending:
    """The work raised ``error``."""
    if isinstance(error, PlaceLost):
        return _again_or(job, State.FAILED, "lost", "The machine of this run was lost", _sentence(error))
    if isinstance(error, BenchmarkMemoryLimit):
        detail = f"{_sentence(error)} memory_limit_bytes changes the limit."
        return _ending(State.FAILED, "memory_limit", "The run reached its memory limit", detail)
    if isinstance(error, BenchmarkTimeout):
        return _ending(State.FAILED, "time_limit", "The run reached a time limit", _sentence(error))
    if isinstance(error, BenchmarkFailed) and error.out_of_memory:
        return _ending(State.FAILED, "out_of_memory", "The machine ran out of memory", _sentence(error))
    if isinstance(error, BenchmarkFailed) and error.was_killed:
        return _again_or(job, State.FAILED, "lost", "The process of this run was killed", _sentence(error))
    if isinstance(error, DyadError):
        return _ending(State.FAILED, "failed", "The run failed", _sentence(error))
    detail = f"{type(error).__name__}: {error}. The server's log has the details."
    return _ending(State.FAILED, "unforeseen", "The run failed in an unforeseen way", detail)


def _again_or(job: Job, otherwise: State, reason: Reason, title: str, detail: str) -> Ending:
    if job.attempt < job.attempts:
        left = job.attempts - job.attempt
        starts = "one start" if left == 1 else f"{left} starts"
        return Ending(State.QUEUED, f"{title}: {detail} It is queued again, with {starts} left.", {})
    return _ending(otherwise, reason, title, detail)


def _ending(state: State, reason: Reason, title: str, detail: str) -> Ending:
    return Ending(state, f"{title}. {detail}", {"error": {"title": title, "detail": detail, "reason": reason}})


def _sentence(error: Exception) -> str:
    if isinstance(error, SpecError):
        return " ".join(f"{problem}." for problem in error.problems)
    line = str(error).partition("\n")[0].rstrip(".")
    return f"{line[:1].upper()}{line[1:]}."
