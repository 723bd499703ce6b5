"""What an NVIDIA GPU says of itself, through NVML: clocks, temperature, throttling, neighbours, energy.

pynvml (package nvidia-ml-py) is asked for when it is used; without it, without a driver, and for each figure that a
GPU does not tell, the answer is None. NVML numbers devices by itself, so a device of torch is found by its UUID.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

import torch

__all__ = ["GpuReading", "Nvml", "nvml_for"]

# Bits of the clock event reasons (nvml.h); being idle and clocks that somebody set are none of them.
REASONS = {
    0x4: "power cap",
    0x8: "hardware slowdown",
    0x10: "sync boost",
    0x20: "thermal slowdown by software",
    0x40: "thermal slowdown by hardware",
    0x80: "power brake",
}


@dataclass(frozen=True)
class GpuReading:
    """One look at a GPU; None where it does not tell.

    Attributes:
        sm_clock_mhz: of the multiprocessors.
        memory_clock_mhz: of its memory.
        temperature_c: degrees Celsius.
        throttle_reasons: what keeps its clocks down now.
        other_processes: that compute on it; None also where this process is not in the list, as in a container.
        utilisation: share of the last sampling period (up to a second) in which a kernel ran, ours included.
    """

    sm_clock_mhz: int | None = None
    memory_clock_mhz: int | None = None
    temperature_c: int | None = None
    throttle_reasons: tuple[str, ...] = ()
    other_processes: int | None = None
    utilisation: float | None = None


class Nvml:
    """One GPU."""

    def __init__(self, library: Any, handle: Any) -> None:
        """Keep the library, initialised, and the device's handle."""
        self.library = library
        self.handle = handle

    def reading(self) -> GpuReading:
        """Look at it once."""
        library = self.library
        reasons = self._ask("nvmlDeviceGetCurrentClocksEventReasons")
        processes = self._ask("nvmlDeviceGetComputeRunningProcesses")
        rates = self._ask("nvmlDeviceGetUtilizationRates")
        return GpuReading(
            sm_clock_mhz=self._ask("nvmlDeviceGetClockInfo", library.NVML_CLOCK_SM),
            memory_clock_mhz=self._ask("nvmlDeviceGetClockInfo", library.NVML_CLOCK_MEM),
            temperature_c=self._ask("nvmlDeviceGetTemperature", library.NVML_TEMPERATURE_GPU),
            throttle_reasons=tuple(name for bit, name in REASONS.items() if (reasons or 0) & bit),
            other_processes=others({int(process.pid) for process in processes or ()}, os.getpid()),
            utilisation=None if rates is None else rates.gpu / 100,
        )

    def energy_mj(self) -> int | None:
        """Millijoules since the driver was loaded; from Volta on."""
        found: int | None = self._ask("nvmlDeviceGetTotalEnergyConsumption")
        return found

    def memory_bytes(self) -> tuple[int, int] | None:
        """Memory of the device in use by anybody, and what it has."""
        found = self._ask("nvmlDeviceGetMemoryInfo")
        return None if found is None else (int(found.used), int(found.total))

    def name(self) -> str | None:
        """Product name."""
        found = self._ask("nvmlDeviceGetName")
        return found.decode() if isinstance(found, bytes) else found

    def _ask(self, question: str, *arguments: Any) -> Any:
        function = getattr(self.library, question, None)
        if function is None:
            return None  # an older pynvml
        try:
            return function(self.handle, *arguments)
        except self.library.NVMLError:
            return None  # this GPU, driver or container does not tell


def others(pids: set[int], own: int) -> int | None:
    """Processes beside ours; None when we are not among them, for then the numbers are of another namespace."""
    return len(pids) - 1 if own in pids else None


def nvml_for(device: str) -> Nvml | None:
    """NVML's view of a CUDA device of torch; None for others, and where NVML cannot be asked."""
    where = torch.device(device)
    if where.type != "cuda" or not torch.cuda.is_available():
        return None
    try:
        import pynvml
    except ImportError:
        return None
    try:
        pynvml.nvmlInit()
        uuid = torch.cuda.get_device_properties(where).uuid
        return Nvml(pynvml, pynvml.nvmlDeviceGetHandleByUUID(f"GPU-{uuid}"))
    except pynvml.NVMLError:
        return None
