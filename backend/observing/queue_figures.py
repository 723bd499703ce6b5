"""Figures of the queue, counted in the database at the moment of the scrape.

They are right whichever server of a database is asked, and after a restart. A database that hangs costs a scrape two
seconds and these figures, not the rest.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

import sqlalchemy as sa
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from backend.jobs.states import State
from backend.observing.bounded import Bounded
from backend.store.models import UtcDateTime

__all__ = ["Queue", "QueueFigures", "queue_now"]

_log = logging.getLogger(__name__)

LIMIT_S = 2.0
_JOBS = sa.table(
    "jobs", sa.column("status", sa.String), sa.column("device", sa.String), sa.column("created_at", UtcDateTime)
)


@dataclass(frozen=True)
class Queue:
    """The queue at one moment.

    Attributes:
        counts: jobs in each state.
        waiting: by the device they wait for: how many, and how long the first of them has been waiting, in seconds.
    """

    counts: dict[State, int]
    waiting: dict[str, tuple[int, float]]


def queue_now(engine: Engine) -> Queue:
    """Count; raises what SQLAlchemy does when the database does not answer."""
    by_status = sa.select(_JOBS.c.status, sa.func.count()).group_by(_JOBS.c.status)
    by_device = (
        sa.select(_JOBS.c.device, sa.func.count(), sa.func.min(_JOBS.c.created_at))
        .where(_JOBS.c.status == State.QUEUED.value)
        .group_by(_JOBS.c.device)
    )
    now = datetime.now(UTC)
    with engine.connect() as connection:
        found = {State(status): count for status, count in connection.execute(by_status)}
        waiting = {
            device: (count, max(0.0, (now - oldest).total_seconds()))
            for device, count, oldest in connection.execute(by_device)
        }
    return Queue({state: found.get(state, 0) for state in State}, waiting)


class QueueFigures(Collector):
    """The queue as metrics."""

    def __init__(self, engine: Engine) -> None:
        """Count the jobs of this database."""
        self._queue = Bounded(lambda: queue_now(engine), LIMIT_S, "dyad-count-jobs")

    def describe(self) -> list[Metric]:
        """Name the figures without asking the database."""
        return list(_families())

    def collect(self) -> Iterator[Metric]:
        """Ask the database; without an answer there are no samples."""
        jobs, length, by_device, oldest = _families()
        try:
            queue = self._queue.answer()
        except (SQLAlchemyError, TimeoutError) as error:
            _log.warning("jobs could not be counted for /metrics: %s", type(error).__name__)
        else:
            for state, count in queue.counts.items():
                jobs.add_metric([state.value], count)
            length.add_metric([], queue.counts[State.QUEUED])
            for device, (count, seconds) in ({"cpu": (0, 0.0)} | queue.waiting).items():
                by_device.add_metric([device], count)
                oldest.add_metric([device], seconds)
        yield from (jobs, length, by_device, oldest)


def _families() -> tuple[GaugeMetricFamily, GaugeMetricFamily, GaugeMetricFamily, GaugeMetricFamily]:
    return (
        GaugeMetricFamily("dyad_jobs", "Jobs in the database by status.", labels=["status"]),
        GaugeMetricFamily("dyad_queue_length", "Jobs that wait for their turn.", labels=[]),
        GaugeMetricFamily("dyad_queue_jobs", "Jobs that wait, by the device they wait for.", labels=["device"]),
        GaugeMetricFamily(
            "dyad_queue_oldest_wait_seconds",
            "How long the job that was submitted first has been waiting, by device; 0 when none waits.",
            labels=["device"],
        ),
    )
