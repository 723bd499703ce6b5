"""Where and under which settings a run is measured: part of its identity, so nothing replaces anything unseen."""

from __future__ import annotations

import os
import platform
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from dyad_core._version import __version__
from dyad_core.bench.allocator import read_allocator
from dyad_core.bench.machine import cpu_flags, cpu_name, emulated_dtypes, host_memory, usable_cores
from dyad_core.bench.results import Environment
from dyad_core.bench.rotation import cache_bytes

if TYPE_CHECKING:
    from dyad_core.bench.spec import BenchmarkSpec

__all__ = ["read_environment"]


def read_environment(spec: BenchmarkSpec) -> Environment:
    """Read the environment of this process. On a CUDA request this initialises CUDA: call it where it is measured."""
    device = torch.device(spec.device)
    name, memory = cpu_name(), host_memory()
    device_name, emulated = name, spec.dtype in emulated_dtypes(cpu_flags())
    total, available = memory.total_bytes, memory.available_bytes
    driver = None
    if device.type == "cuda":
        properties = torch.cuda.get_device_properties(device)
        device_name = properties.name
        emulated = spec.dtype == "bfloat16" and properties.major < 8
        available, total = torch.cuda.mem_get_info(device)
        driver = _driver_version()
    return Environment(
        hostname=platform.node(),
        platform=platform.platform(),
        python_version=platform.python_version(),
        torch_version=str(torch.__version__),
        numpy_version=np.__version__,
        dyad_version=__version__,
        device=str(device),
        device_name=device_name,
        cpu_name=name,
        cpu_cores=usable_cores(),
        cpu_capability=torch.backends.cpu.get_cpu_capability(),
        threads=torch.get_num_threads(),
        memory_total_bytes=total,
        memory_available_bytes=available,
        dtype=spec.dtype,
        dtype_emulated=emulated,
        float32_matmul_precision=torch.get_float32_matmul_precision(),
        load_average_1min=os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
        cuda_version=torch.version.cuda,
        driver_version=driver,
        cache_bytes=cache_bytes(device),
        allocator=read_allocator(),
    )


def _driver_version() -> str | None:
    """The NVIDIA driver's version, from the file its kernel module keeps; None where there is none."""
    version = Path("/sys/module/nvidia/version")
    return version.read_text(encoding="utf-8").strip() if version.exists() else None
