"""How many devices the executor has, and how many are free: on this machine or in a cluster."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator

from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from backend.executors.base import DeviceGroup
from backend.observing.bounded import Bounded
from dyad_core.errors import DyadError

__all__ = ["ExecutorFigures"]

_log = logging.getLogger(__name__)

LIMIT_S = 2.0


class ExecutorFigures(Collector):
    """The groups of devices as metrics."""

    def __init__(self, groups: Callable[[], list[DeviceGroup]]) -> None:
        """Ask ``groups``, which may hang or fail while a cluster is away."""
        self._groups = Bounded(groups, LIMIT_S, "dyad-count-devices")

    def describe(self) -> list[Metric]:
        """Name the figures without asking anybody."""
        return list(_families())

    def collect(self) -> Iterator[Metric]:
        """Ask the executor; without an answer there are no samples."""
        total, free = _families()
        try:
            groups = self._groups.answer()
        except (DyadError, TimeoutError) as error:
            _log.warning("devices could not be counted for /metrics: %s", type(error).__name__)
        else:
            for group in groups:
                total.add_metric([group.kind], group.total)
                free.add_metric([group.kind], group.free)
        yield from (total, free)


def _families() -> tuple[GaugeMetricFamily, GaugeMetricFamily]:
    return (
        GaugeMetricFamily("dyad_executor_devices", "Devices that jobs can run on, by kind.", labels=["kind"]),
        GaugeMetricFamily("dyad_executor_devices_free", "Devices that nothing runs on, by kind.", labels=["kind"]),
    )
