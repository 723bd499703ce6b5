"""Which devices can measure here, and what software would do it.

Run ``python -c "from dyad_core.bench.system import system_info; print(system_info())"``.
"""

from __future__ import annotations

import dataclasses
import functools
import platform
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from dyad_core._version import __version__
from dyad_core.bench.cuda_probe import cuda_devices
from dyad_core.bench.machine import EMULATION, cpu_flags, cpu_name, emulated_dtypes, host_memory, usable_cores
from dyad_core.bench.spec import DTYPES
from dyad_core.ops import registry

__all__ = ["DeviceInfo", "ImplementationInfo", "SystemInfo", "processor_cores", "system_info"]


@dataclass(frozen=True)
class DeviceInfo:
    """One device that can measure.

    Attributes:
        name: what a request calls it: ``"cpu"``, ``"cuda:0"``.
        kind: ``"cpu"`` or ``"cuda"``.
        description: product name.
        memory_total_bytes: None when unknown.
        memory_available_bytes: free now (CUDA: when the devices were asked for); None when unknown.
        dtypes: computed natively.
        emulated_dtypes: computed, but by emulation: timings say nothing about hardware that has them.
        notes: sentences, one per emulated dtype.
    """

    name: str
    kind: str
    description: str
    memory_total_bytes: int | None
    memory_available_bytes: int | None
    dtypes: tuple[str, ...]
    emulated_dtypes: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class ImplementationInfo:
    """One way to compute a DYAD weight."""

    name: str
    summary: str


@dataclass(frozen=True)
class SystemInfo:
    """Devices, processor, memory and versions. ``cpu_cores`` are physical cores this process may use."""

    devices: tuple[DeviceInfo, ...]
    cpu_name: str
    cpu_cores: int
    memory_total_bytes: int | None
    memory_available_bytes: int | None
    versions: dict[str, str]
    implementations: tuple[ImplementationInfo, ...]
    notes: tuple[str, ...] = ()

    def device(self, name: str) -> DeviceInfo | None:
        """Return a device by the name a request uses (``"cuda"`` is ``"cuda:0"``), or None."""
        wanted = "cuda:0" if name == "cuda" else name
        return next((device for device in self.devices if device.name == wanted), None)

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready values."""
        return dataclasses.asdict(self)


def system_info() -> SystemInfo:
    """Return what is here now. CUDA is asked about once, in a process of its own, and never in this one."""
    memory = host_memory()
    gpus, note = cuda_devices()
    name, cores, emulated = _processor()
    cpu = DeviceInfo(
        name="cpu",
        kind="cpu",
        description=name,
        memory_total_bytes=memory.total_bytes,
        memory_available_bytes=memory.available_bytes,
        dtypes=tuple(dtype for dtype in DTYPES if dtype not in emulated),
        emulated_dtypes=emulated,
        notes=tuple(f"{dtype}: {EMULATION.format(dtype=dtype)}" for dtype in emulated),
    )
    return SystemInfo(
        devices=(cpu, *(_gpu(gpu) for gpu in gpus)),
        cpu_name=name,
        cpu_cores=cores,
        memory_total_bytes=memory.total_bytes,
        memory_available_bytes=memory.available_bytes,
        versions={
            "dyad-explorer": __version__,
            "python": platform.python_version(),
            "torch": str(torch.__version__),
            "numpy": np.__version__,
            "cuda": str(torch.version.cuda or "none"),
        },
        implementations=tuple(ImplementationInfo(n, registry.get(n).summary) for n in registry.names()),
        notes=(note,) if note else (),
    )


def processor_cores() -> int:
    """Physical cores that this process might use when it was first asked; a service that moves out of the way has as many."""
    return _processor()[1]


@functools.cache
def _processor() -> tuple[str, int, tuple[str, ...]]:
    return cpu_name(), usable_cores(), emulated_dtypes(cpu_flags())


def _gpu(found: dict[str, Any]) -> DeviceInfo:
    emulated = tuple(dtype for dtype in ("bfloat16", "float16") if not found[dtype])
    return DeviceInfo(
        name=f"cuda:{found['index']}",
        kind="cuda",
        description=f"{found['name']} (compute capability {found['capability']})",
        memory_total_bytes=found["memory_total_bytes"],
        memory_available_bytes=found["memory_available_bytes"],
        dtypes=tuple(dtype for dtype in DTYPES if dtype not in emulated),
        emulated_dtypes=emulated,
        notes=tuple(f"{dtype}: this GPU has no {dtype} arithmetic, so it is emulated" for dtype in emulated),
    )
