"""What Prometheus reads at ``/metrics``: jobs by state, the queue, how long jobs took and waited.

Counts come from the database at the moment of the scrape; durations are of jobs that ended in this process.
"""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, Histogram, generate_latest
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from backend.jobs.states import State
from backend.store.models import Job
from backend.store.store import Store

__all__ = ["Metrics"]

_SECONDS = (0.1, 0.5, 1, 2, 5, 10, 30, 60, 120, 300, 600, 1800, 3600)


class Metrics:
    """The figures of one application; each has its own registry, so that several can live in one process."""

    def __init__(self, store: Store) -> None:
        """Count the jobs of ``store``."""
        self._registry = CollectorRegistry()
        self._registry.register(_JobCounts(store))
        self._duration = Histogram(
            "dyad_job_duration_seconds",
            "Time from the start of a job to its end.",
            ["kind", "status"],
            buckets=_SECONDS,
            registry=self._registry,
        )
        self._wait = Histogram(
            "dyad_job_wait_seconds",
            "Time from the submission of a job to its start.",
            ["kind"],
            buckets=_SECONDS,
            registry=self._registry,
        )

    def observe_end(self, job: Job) -> None:
        """Count a job that ended; one that never started has no duration."""
        if job.started_at is None or job.finished_at is None:
            return
        self._duration.labels(job.kind, job.status.value).observe((job.finished_at - job.started_at).total_seconds())
        self._wait.labels(job.kind).observe((job.started_at - job.created_at).total_seconds())

    def text(self) -> bytes:
        """The figures in Prometheus' text format."""
        return generate_latest(self._registry)


class _JobCounts(Collector):
    def __init__(self, store: Store) -> None:
        self._store = store

    def describe(self) -> list[Metric]:
        """Name the figures without asking the database."""
        return [_by_status(), _queue_length()]

    def collect(self) -> Iterator[Metric]:
        """Ask the database."""
        counts = self._store.counts()
        jobs = _by_status()
        for state, count in counts.items():
            jobs.add_metric([state.value], count)
        yield jobs
        queue = _queue_length()
        queue.add_metric([], counts[State.QUEUED])
        yield queue


def _by_status() -> GaugeMetricFamily:
    return GaugeMetricFamily("dyad_jobs", "Jobs in the database by status.", labels=["status"])


def _queue_length() -> GaugeMetricFamily:
    return GaugeMetricFamily("dyad_queue_length", "Jobs that wait for their turn.", labels=[])
