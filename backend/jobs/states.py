"""The states of a job and every legal change between them: the one place that knows.

::

    queued  → running       a scheduler started it
    queued  → cancelled     someone asked for it
    queued  → failed        it could not even be started
    running → succeeded
    running → failed        it could not be done; the job says why
    running → cancelled     someone asked for it
    running → interrupted   the server stopped or died while it ran
    running → queued        the same, and it may be started once more (:mod:`backend.jobs.rules`)

An imported result enters as ``succeeded``. The store makes each change with one conditional UPDATE on
:func:`sources`, so that of two that race exactly one wins.
"""

from __future__ import annotations

from enum import StrEnum

from dyad_core.errors import DyadError

__all__ = ["TERMINAL", "IllegalChange", "State", "check", "sources"]


class State(StrEnum):
    """Where a job is in its life; the values are what REST and the database hold."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    INTERRUPTED = "interrupted"


_CHANGES: dict[State, frozenset[State]] = {
    State.QUEUED: frozenset({State.RUNNING, State.CANCELLED, State.FAILED}),
    State.RUNNING: frozenset({State.SUCCEEDED, State.FAILED, State.CANCELLED, State.INTERRUPTED, State.QUEUED}),
    State.SUCCEEDED: frozenset(),
    State.FAILED: frozenset(),
    State.CANCELLED: frozenset(),
    State.INTERRUPTED: frozenset(),
}

TERMINAL: frozenset[State] = frozenset(state for state, targets in _CHANGES.items() if not targets)
"""States that a job never leaves."""


class IllegalChange(DyadError):  # noqa: N818 - the event, as the library's family names it
    """A job was asked to change in a way its state does not allow."""

    def __init__(self, current: State, wanted: State) -> None:
        """Say which change was refused and which would be legal."""
        self.current, self.wanted = current, wanted
        legal = ", ".join(sorted(_CHANGES[current])) or "nothing: it is over"
        super().__init__(f"A {current} job cannot become {wanted}; from {current} it can become {legal}.")


def check(current: State, wanted: State) -> None:
    """Return when the change is legal.

    Raises:
        IllegalChange: otherwise.
    """
    if wanted not in _CHANGES[current]:
        raise IllegalChange(current, wanted)


def sources(wanted: State) -> frozenset[State]:
    """States from which a job may become ``wanted``."""
    return frozenset(state for state, targets in _CHANGES.items() if wanted in targets)
