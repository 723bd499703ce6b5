"""Where and under which settings a run is measured: part of its identity, so nothing replaces anything unseen.

The measuring process reads it; a server foresees it, without CUDA and without setting torch's threads, to know whether it holds
an equal run already. Both go through one function, and a test holds them against each other.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import torch

from dyad_core._version import __version__
from dyad_core.bench.allocator import SETTINGS, read_allocator
from dyad_core.bench.cuda_probe import cuda_devices
from dyad_core.bench.machine import cpu_flags, cpu_name, emulated_dtypes, host_memory
from dyad_core.bench.results import Environment
from dyad_core.bench.rotation import cache_bytes
from dyad_core.bench.spec import BenchmarkSpec, Dtype, MatmulPrecision
from dyad_core.bench.system import processor_cores

__all__ = ["Conditions", "foresee_environment", "read_environment"]


class Conditions(Protocol):
    """What an environment depends on: a :class:`~dyad_core.bench.BenchmarkSpec`, or another request with these fields."""

    @property
    def device(self) -> str:
        """``"cpu"``, ``"cuda"`` or ``"cuda:1"``."""

    @property
    def dtype(self) -> Dtype:
        """Of what is measured."""

    @property
    def threads(self) -> int | None:
        """CPU threads; None for the number of physical cores."""

    @property
    def float32_matmul_precision(self) -> MatmulPrecision:
        """As ``torch.set_float32_matmul_precision``."""


@dataclass(frozen=True)
class _Device:
    name: str
    emulates_dtype: bool
    memory_total_bytes: int | None
    memory_available_bytes: int | None
    cache_bytes: int | None
    driver_version: str | None = None


def read_environment(spec: Conditions) -> Environment:
    """Read the environment of this process. On a CUDA request this initialises CUDA: call it where it is measured."""
    device = _cuda(spec) if torch.device(spec.device).type == "cuda" else _cpu(spec)
    return _environment(spec, device, torch.get_num_threads(), torch.get_float32_matmul_precision(), os.environ)


def foresee_environment(spec: BenchmarkSpec) -> Environment | None:
    """What :func:`read_environment` will find in the process that measures ``spec``; None for a device that is not here.

    Initialises nothing: CUDA devices are known from the probe, threads and precision from the request.
    """
    device = _probed(spec) if torch.device(spec.device).type == "cuda" else _cpu(spec)
    if device is None:
        return None
    variables = os.environ | SETTINGS[spec.allocator]
    return _environment(spec, device, spec.threads or processor_cores(), spec.float32_matmul_precision, variables)


def _environment(
    spec: Conditions, device: _Device, threads: int, precision: str, variables: Mapping[str, str]
) -> Environment:
    return Environment(
        hostname=platform.node(),
        platform=platform.platform(),
        python_version=platform.python_version(),
        torch_version=str(torch.__version__),
        numpy_version=np.__version__,
        dyad_version=__version__,
        device=str(torch.device(spec.device)),
        device_name=device.name,
        cpu_name=cpu_name(),
        cpu_cores=processor_cores(),
        cpu_capability=torch.backends.cpu.get_cpu_capability(),
        threads=threads,
        memory_total_bytes=device.memory_total_bytes,
        memory_available_bytes=device.memory_available_bytes,
        dtype=spec.dtype,
        dtype_emulated=device.emulates_dtype,
        float32_matmul_precision=precision,
        load_average_1min=os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
        cuda_version=torch.version.cuda,
        driver_version=device.driver_version,
        cache_bytes=device.cache_bytes,
        allocator=read_allocator(variables=variables),
    )


def _cpu(spec: Conditions) -> _Device:
    memory = host_memory()
    emulates = spec.dtype in emulated_dtypes(cpu_flags())
    cache = cache_bytes(torch.device("cpu"))
    return _Device(cpu_name(), emulates, memory.total_bytes, memory.available_bytes, cache)


def _cuda(spec: Conditions) -> _Device:
    device = torch.device(spec.device)
    properties = torch.cuda.get_device_properties(device)
    available, total = torch.cuda.mem_get_info(device)
    emulates = spec.dtype == "bfloat16" and properties.major < 8
    return _Device(properties.name, emulates, total, available, cache_bytes(device), _driver_version())


def _probed(spec: Conditions) -> _Device | None:
    found, _ = cuda_devices()
    wanted = torch.device(spec.device).index or 0
    facts = next((each for each in found if each["index"] == wanted), None)
    if facts is None:
        return None
    emulates = spec.dtype == "bfloat16" and not facts["bfloat16"]
    memory = facts["memory_total_bytes"], facts["memory_available_bytes"]
    return _Device(facts["name"], emulates, *memory, facts["cache_bytes"], _driver_version())


def _driver_version() -> str | None:
    """The NVIDIA driver's version, from the file its kernel module keeps; None where there is none."""
    version = Path("/sys/module/nvidia/version")
    return version.read_text(encoding="utf-8").strip() if version.exists() else None
