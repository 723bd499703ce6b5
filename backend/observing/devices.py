"""What devices say of themselves now: memory, temperature, how busy they are.

GPUs are asked through NVML, which never starts CUDA in this process. A look is kept for some seconds, so that several
scrapers cost one, and nothing is asked between scrapes: whoever measures is left alone.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from dyad_core.bench.disturbance import SHORTEST_S, Moment, now
from dyad_core.bench.machine import host_memory, usable_cpus
from dyad_core.bench.nvml import Nvml
from dyad_core.bench.sensors import cpu_temperature_c

__all__ = ["DeviceReading", "Devices"]

KEPT_S = 5.0
LABELS = ["device", "name"]


@dataclass(frozen=True)
class DeviceReading:
    """One device at one moment; None where it does not tell.

    Attributes:
        device: ``"cpu"`` for processor and main memory, ``"gpu0"`` in NVML's own numbering (CUDA may number otherwise).
        name: of the product.
        memory_used_bytes: by everybody.
        memory_total_bytes: what it has.
        temperature_celsius: of the hottest sensor.
        utilization: share of the time since the last look (GPU: of the last sampling period) in which it was busy, 0 to 1.
    """

    device: str
    name: str
    memory_used_bytes: int | None = None
    memory_total_bytes: int | None = None
    temperature_celsius: float | None = None
    utilization: float | None = None


def _gpus() -> Iterator[DeviceReading]:
    try:
        import pynvml
    except ImportError:
        return
    try:
        pynvml.nvmlInit()  # counts its callers; a second one is cheap
        handles = [pynvml.nvmlDeviceGetHandleByIndex(index) for index in range(pynvml.nvmlDeviceGetCount())]
    except pynvml.NVMLError:
        return  # no driver, or none that this container may ask
    for index, handle in enumerate(handles):
        yield _gpu(index, Nvml(pynvml, handle))


def _gpu(index: int, gpu: Nvml) -> DeviceReading:
    reading, memory = gpu.reading(), gpu.memory_bytes()
    return DeviceReading(
        device=f"gpu{index}",
        name=gpu.name() or "unknown",
        memory_used_bytes=None if memory is None else memory[0],
        memory_total_bytes=None if memory is None else memory[1],
        temperature_celsius=reading.temperature_c,
        utilization=reading.utilisation,
    )


def _busy_share(start: Moment | None, end: Moment | None, cpus: int) -> float | None:
    if start is None or end is None or end.clock_s - start.clock_s < SHORTEST_S:
        return None  # not told here, or counters that tick 100 times a second say nothing yet
    return min(1.0, max(0.0, (end.busy_s - start.busy_s) / (end.clock_s - start.clock_s) / cpus))


class Devices(Collector):
    """The readings as metrics."""

    def __init__(self) -> None:
        """Begin to count how busy the processor is."""
        self._lock = threading.Lock()
        self._kept: list[DeviceReading] = []
        self._read_at = float("-inf")
        self._cpus = usable_cpus()
        self._before = now(self._cpus)

    def readings(self) -> list[DeviceReading]:
        """The last look, or a new one when that is older than some seconds."""
        with self._lock:
            if time.monotonic() - self._read_at >= KEPT_S:
                self._kept = [self._cpu(), *_gpus()]
                self._read_at = time.monotonic()
            return self._kept

    def _cpu(self) -> DeviceReading:
        memory = host_memory()
        total, available = memory.total_bytes, memory.available_bytes
        before, self._before = self._before, now(self._cpus)
        return DeviceReading(
            device="cpu",
            name="host",
            memory_used_bytes=None if total is None or available is None else total - available,
            memory_total_bytes=total,
            temperature_celsius=cpu_temperature_c(),
            utilization=_busy_share(before, self._before, len(self._cpus)),
        )

    def describe(self) -> list[Metric]:
        """Name the figures without asking any device."""
        return [family for family, _ in _families()]

    def collect(self) -> Iterator[Metric]:
        """Look at the devices."""
        readings = self.readings()
        for family, field in _families():
            for each in readings:
                value: Any = getattr(each, field)
                if value is not None:
                    family.add_metric([each.device, each.name], value)
            yield family


def _families() -> list[tuple[GaugeMetricFamily, str]]:
    described = {
        "dyad_device_memory_used_bytes": ("Memory of the device that is in use, by anybody.", "memory_used_bytes"),
        "dyad_device_memory_total_bytes": ("Memory that the device has.", "memory_total_bytes"),
        "dyad_device_temperature_celsius": (
            "Temperature of the device; absent where it does not tell.",
            "temperature_celsius",
        ),
        "dyad_device_utilization_ratio": ("Share of the time in which the device was busy, 0 to 1.", "utilization"),
    }
    return [(GaugeMetricFamily(name, text, labels=LABELS), field) for name, (text, field) in described.items()]
