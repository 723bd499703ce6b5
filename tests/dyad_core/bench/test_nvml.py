"""NVML is asked through a library object that is handed in; on a machine with a GPU the real one is asked too."""

from __future__ import annotations

import os
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from dyad_core.bench.nvml import GpuReading, Nvml, nvml_for, others


class NVMLError(Exception):
    """What the library raises."""


def refuses(*_: Any) -> Any:
    raise NVMLError("not supported")


def library(**changes: Any) -> Any:
    answers: dict[str, Any] = {
        "NVMLError": NVMLError,
        "NVML_CLOCK_SM": "sm",
        "NVML_CLOCK_MEM": "memory",
        "NVML_TEMPERATURE_GPU": 0,
        "nvmlDeviceGetClockInfo": lambda _, kind: {"sm": 1980, "memory": 2619}[kind],
        "nvmlDeviceGetTemperature": lambda *_: 41,
        "nvmlDeviceGetCurrentClocksEventReasons": lambda _: 0x1 | 0x4 | 0x40,
        "nvmlDeviceGetComputeRunningProcesses": lambda _: [SimpleNamespace(pid=os.getpid()), SimpleNamespace(pid=1)],
        "nvmlDeviceGetUtilizationRates": lambda _: SimpleNamespace(gpu=25, memory=3),
        "nvmlDeviceGetTotalEnergyConsumption": lambda _: 123_456,
    }
    return SimpleNamespace(**{**answers, **changes})


def test_a_gpu_that_tells_everything() -> None:
    gpu = Nvml(library(), "handle")
    assert gpu.reading() == GpuReading(
        sm_clock_mhz=1980,
        memory_clock_mhz=2619,
        temperature_c=41,
        throttle_reasons=("power cap", "thermal slowdown by hardware"),
        other_processes=1,
        utilisation=0.25,
    )
    assert gpu.energy_mj() == 123_456


def test_a_gpu_that_tells_nothing() -> None:
    silent = {name: refuses for name in vars(library()) if name.startswith("nvml")}
    gpu = Nvml(library(**silent), "handle")
    assert gpu.reading() == GpuReading()
    assert gpu.energy_mj() is None


def test_an_older_library_without_a_question_is_no_error() -> None:
    older = library()
    del older.nvmlDeviceGetCurrentClocksEventReasons
    assert Nvml(older, "handle").reading().throttle_reasons == ()


def test_processes_of_another_namespace_are_not_counted() -> None:
    assert others({10, 11, 12}, 11) == 2
    assert others({10}, 10) == 0
    assert others({10}, 11) is None
    assert others(set(), 11) is None


@pytest.mark.parametrize("device", ["cpu", "cuda:99"])
def test_other_devices_have_no_nvml(device: str) -> None:
    if device != "cpu" and torch.cuda.is_available():
        pytest.skip("a device that is not there is refused before anything is measured")
    assert nvml_for(device) is None


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_this_gpu() -> None:
    gpu = nvml_for("cuda")
    assert gpu is None or gpu.reading().temperature_c is not None
