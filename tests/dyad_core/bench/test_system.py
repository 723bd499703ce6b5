from __future__ import annotations

import json
import subprocess
import sys

import pytest
import torch

from dyad_core.bench import BenchmarkSpec, cuda_probe, system
from dyad_core.bench.environment import read_environment
from dyad_core.bench.system import system_info

GPU = {
    "index": 0,
    "name": "Test GPU",
    "memory_total_bytes": 80 * 2**30,
    "memory_available_bytes": 70 * 2**30,
    "capability": "7.0",
    "bfloat16": False,
    "float16": True,
}


def test_the_cpu_is_always_there_and_json_ready() -> None:
    info = system_info()
    cpu = info.device("cpu")
    assert cpu is not None
    assert set(cpu.dtypes) | set(cpu.emulated_dtypes) == {"float32", "float64", "bfloat16", "float16"}
    assert not set(cpu.dtypes) & set(cpu.emulated_dtypes)
    assert len(cpu.notes) == len(cpu.emulated_dtypes)
    assert {"torch", "python", "numpy", "dyad-explorer"} <= set(info.versions)
    assert {"eager", "reference"} <= {each.name for each in info.implementations}
    assert json.loads(json.dumps(info.to_dict()))["devices"][0]["name"] == "cpu"


def test_asking_starts_no_cuda_here() -> None:
    system_info()
    assert not torch.cuda.is_initialized()


@pytest.mark.skipif(torch.version.cuda is not None, reason="this torch is built with CUDA")
def test_without_cuda_a_note_says_why() -> None:
    info = system_info()
    assert [device.name for device in info.devices] == ["cpu"]
    assert info.notes == ("no CUDA device: this torch is built without CUDA",)
    assert info.device("cuda") is None


def test_gpus_are_listed_with_what_they_emulate(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(system, "cuda_devices", lambda: ((GPU,), ""))
    info = system_info()
    gpu = info.device("cuda:0")
    assert gpu is not None
    assert info.device("cuda") == gpu
    assert info.notes == ()
    assert gpu.description == "Test GPU (compute capability 7.0)"
    assert gpu.memory_available_bytes == 70 * 2**30
    assert gpu.emulated_dtypes == ("bfloat16",)


def test_the_probe_answers_in_json() -> None:
    answer = subprocess.run(
        [sys.executable, "-m", "dyad_core.bench.cuda_probe"], capture_output=True, text=True, check=True, timeout=60
    )
    found = json.loads(answer.stdout)
    assert bool(found["devices"]) != bool(found["note"])


def test_a_probe_that_dies_is_a_note_and_not_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def dies(*args: object, **settings: object) -> None:
        raise subprocess.CalledProcessError(-11, "probe")

    monkeypatch.setattr(torch.version, "cuda", "13.0")
    monkeypatch.setattr(subprocess, "run", dies)
    devices, note = cuda_probe.cuda_devices.__wrapped__()
    assert devices == ()
    assert "CalledProcessError" in note


def test_environment_holds_what_a_figure_depends_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MALLOC_ARENA_MAX", "2")
    monkeypatch.delenv("LD_PRELOAD", raising=False)
    found = read_environment(BenchmarkSpec(8, 8, n_blocks=[4], dtype="float64"))
    assert found.torch_version == torch.__version__
    assert found.threads == torch.get_num_threads()
    assert (found.device, found.dtype, found.dtype_emulated) == ("cpu", "float64", False)
    assert found.allocator["MALLOC_ARENA_MAX"] == "2"
    assert "LD_PRELOAD" not in found.allocator
