"""Jobs that run by the database and by nobody: whether that is so, and the rule applied to those of which it is."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from backend.jobs.rules import after_server_died, never_started
from backend.jobs.server_id import is_gone, this_server
from backend.jobs.states import IllegalChange
from backend.jobs.turn import Turn
from backend.observing.logging import job_context
from backend.store.models import Job
from backend.store.store import Store, UnknownJob

__all__ = ["Recovery"]

_log = logging.getLogger(__name__)


class Recovery:
    """Looks after jobs that ran when their server or its database went away. For the one thread that schedules.

    Args:
        store: where jobs are kept.
        turn: says how long whoever had it before may still be running jobs.
        on_change: told of every job that changed.
    """

    def __init__(self, store: Store, turn: Turn, on_change: Callable[[Job], None]) -> None:
        """Nothing is unsure yet."""
        self._store, self._turn, self._on_change = store, turn, on_change
        self._unsure: set[str] = set()
        self._turn_came_at = 0.0

    def turn_came(self) -> None:
        """From now on this server schedules, and another that did may still be running what it began."""
        self._turn_came_at = time.monotonic()

    def may_have_begun(self, claim: str) -> None:
        """A start was to be written when the connection broke; whether it was, nobody knows."""
        self._unsure.add(claim)

    def apply(self, elsewhere: list[Job]) -> None:
        """Apply the rule to those of these jobs that nobody runs; all of them run by the database, and none here."""
        for job in filter(self._is_nobodys, elsewhere):
            never_began = job.claim in self._unsure
            ending = never_started(job) if never_began else after_server_died(job)
            try:
                changed = self._store.change(job.id, ending.state, claim=job.claim, line=ending.line, **ending.values)
            except (IllegalChange, UnknownJob):  # it ended in between
                continue
            with job_context(job.id):
                _log.warning("job %s ran when its server or its database went away; it is %s", job.id, changed.status)
                self._on_change(changed)
            self._unsure.discard(job.claim or "")

    def _is_nobodys(self, job: Job) -> bool:
        if job.claim in self._unsure or job.server in (None, this_server()) or is_gone(job.server):
            return True
        return time.monotonic() - self._turn_came_at >= self._turn.grace_s
