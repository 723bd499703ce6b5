"""Readings of devices: the processor of this machine, and the GPU where there is one; kept for some seconds."""

import subprocess
import sys
import time

import pytest
import torch
from service_tools import ROOT

from backend.observing import devices
from backend.observing.devices import Devices
from dyad_core.bench.disturbance import SHORTEST_S


def test_the_processor_tells_its_memory_and_how_busy_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "KEPT_S", 0.0)
    looking = Devices()

    cpu = looking.readings()[0]
    assert cpu.device == "cpu"
    assert cpu.memory_used_bytes is not None
    assert cpu.memory_total_bytes is not None
    assert 0 < cpu.memory_used_bytes < cpu.memory_total_bytes
    assert cpu.utilization is None  # too soon after the start to tell
    time.sleep(1.1 * SHORTEST_S)  # its counters need that long to say anything
    busy = looking.readings()[0].utilization
    assert busy is not None
    assert 0 <= busy <= 1


def test_a_look_is_kept_so_that_a_scrape_is_cheap() -> None:
    looking = Devices()

    assert looking.readings() is looking.readings()


def test_a_look_leaves_cuda_alone() -> None:
    code = "import torch; from backend.observing.devices import Devices; Devices().readings(); print(torch.cuda.is_initialized())"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)

    assert done.stdout == "False\n"


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_a_gpu_tells_its_memory_and_temperature() -> None:
    gpu = Devices().readings()[1]

    assert gpu.device == "gpu0"
    assert gpu.name != "unknown"
    assert gpu.memory_total_bytes is not None
    assert gpu.memory_total_bytes > 2**30
