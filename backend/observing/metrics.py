"""What Prometheus reads at ``/metrics``: requests, the queue, how long jobs took and waited, devices, this process.

Counts of jobs come from the database at the moment of the scrape; durations are of jobs that ended in this process.
Names follow Prometheus' conventions: base units in the name, ``_total`` on counters alone.
"""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterator

from prometheus_client import (
    CollectorRegistry,
    Counter,
    GCCollector,
    Histogram,
    Info,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from sqlalchemy import Engine

from backend.executors.base import DeviceGroup
from backend.observing.bounded import Bounded
from backend.observing.devices import Devices
from backend.observing.executor_figures import ExecutorFigures
from backend.observing.queue_figures import QueueFigures
from backend.observing.readiness import Report
from backend.observing.traffic import Traffic
from backend.store.models import Job
from dyad_core._version import __version__

__all__ = ["Metrics"]

_SECONDS = (0.1, 0.5, 1, 2, 5, 10, 30, 60, 120, 300, 600, 1800, 3600)
SCRAPE_LIMIT_S = 8.0  # Prometheus gives up after ten by default


class Metrics:
    """The figures of one application; each has its own registry, so that several can live in one process."""

    def __init__(self, engine: Engine, traffic: Traffic, groups: Callable[[], list[DeviceGroup]] = list) -> None:
        """Count the jobs of the database of ``engine``, the requests of ``traffic`` and the devices that ``groups`` tells."""
        # When a counter began doubles its lines, and nobody asks for it.
        disable_created_metrics()  # type: ignore[no-untyped-call] # published without types
        registry = self._registry = CollectorRegistry()
        self._duration = Histogram(
            "dyad_job_duration_seconds",
            "Time from the last start of a job to its end.",
            ["kind", "status"],
            buckets=_SECONDS,
            registry=registry,
        )
        self._wait = Histogram(
            "dyad_job_wait_seconds",
            "Time from the submission of a job to its start, of jobs that were started once.",
            ["kind"],
            buckets=_SECONDS,
            registry=registry,
        )
        self._restarts = Counter(
            "dyad_job_restarts",
            "Starts beyond the first of jobs that ended here: their server or machine had gone away.",
            ["kind"],
            registry=registry,
        )
        self._health = _Health()
        build = Info("dyad_build", "Version of the service and of its Python.", registry=registry)
        build.info({"version": __version__, "python_version": platform.python_version()})
        for collector in (
            *traffic.collectors(),
            QueueFigures(engine),
            ExecutorFigures(groups),
            Devices(),
            self._health,
        ):
            registry.register(collector)
        ProcessCollector(registry=registry)  # processor time, memory, files of this process
        GCCollector(registry=registry)
        self._text = Bounded(lambda: generate_latest(registry), SCRAPE_LIMIT_S, "dyad-scrape")

    def observe_end(self, job: Job) -> None:
        """Count a job that ended; one that never started has no duration."""
        if job.started_at is None or job.finished_at is None:
            return
        self._duration.labels(job.kind, job.status.value).observe((job.finished_at - job.started_at).total_seconds())
        again = max(0, job.attempt - 1)
        self._restarts.labels(job.kind).inc(again)
        if not again:  # of a job that was started again, the wait before its first start is not known any more
            self._wait.labels(job.kind).observe((job.started_at - job.created_at).total_seconds())

    async def text(self, report: Report) -> bytes:
        """The figures in Prometheus' text format, with what the checks of readiness said just now.

        Raises:
            TimeoutError: they could not be put together in time.
        """
        self._health.report = report
        return await self._text.answered()


class _Health(Collector):
    """The checks of readiness as metrics."""

    def __init__(self) -> None:
        self.report = Report({})

    def describe(self) -> list[Metric]:
        """Name the figures."""
        return [_ready(), _has_turn(), _checks()]

    def collect(self) -> Iterator[Metric]:
        """Show the last report."""
        ready, has_turn, checks = _ready(), _has_turn(), _checks()
        ready.add_metric([], float(self.report.ready))
        has_turn.add_metric([], float(self.report.role == "measuring"))
        for name, problem in self.report.problems.items():
            checks.add_metric([name], float(not problem))
        yield from (ready, has_turn, checks)


def _ready() -> GaugeMetricFamily:
    return GaugeMetricFamily("dyad_ready", "1 when /readyz says ready, else 0.", labels=[])


def _has_turn() -> GaugeMetricFamily:
    text = "1 when this server starts jobs, 0 when it stands by for another one on its database."
    return GaugeMetricFamily("dyad_has_turn", text, labels=[])


def _checks() -> GaugeMetricFamily:
    text = "1 when this check of /readyz passed, else 0: database, queue, executor, disk."
    return GaugeMetricFamily("dyad_check_up", text, labels=["check"])
