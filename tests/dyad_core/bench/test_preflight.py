from __future__ import annotations

import dataclasses
import re

import pytest
import torch

from dyad_core.bench import BenchmarkSpec, footprint, preflight
from dyad_core.bench.footprint import human
from dyad_core.bench.system import DeviceInfo, SystemInfo
from dyad_core.errors import Problem, SpecError
from dyad_core.ops import registry

GIB = 2**30
CPU = DeviceInfo("cpu", "cpu", "Test CPU", 16 * GIB, 8 * GIB, ("float32", "float64"), ("bfloat16", "float16"))
GPU = DeviceInfo("cuda:0", "cuda", "Test GPU", 80 * GIB, 70 * GIB, ("float32", "float64", "bfloat16", "float16"))


def machine(*devices: DeviceInfo, notes: tuple[str, ...] = ()) -> SystemInfo:
    return SystemInfo(devices or (CPU,), "Test CPU", 2, 16 * GIB, 8 * GIB, {}, (), notes)


def spec(**changes: object) -> BenchmarkSpec:
    return BenchmarkSpec(**{"in_features": 768, "out_features": 3072, "n_blocks": [4], **changes})


def problem(request: BenchmarkSpec, system: SystemInfo) -> Problem:
    with pytest.raises(SpecError) as caught:
        preflight(request, system)
    (only,) = caught.value.problems
    return only


def test_a_usual_request_passes_without_a_word() -> None:
    assert preflight(spec(), machine()) == []
    assert preflight(spec(device="cuda"), machine(CPU, GPU)) == []
    assert preflight(spec()) is not None


def test_an_absent_device_names_those_present() -> None:
    found = problem(spec(device="cuda"), machine(notes=("no CUDA device: no driver",)))
    assert (found.field, found.received) == ("device", "cuda")
    assert found.suggestion == "devices here: cpu; no CUDA device: no driver"
    assert "cuda:0" in problem(spec(device="cuda:3"), machine(CPU, GPU)).suggestion


def test_an_absurd_size_is_refused_with_both_byte_figures_before_allocation(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("empty", "zeros", "randn", "arange", "randperm"):
        monkeypatch.setattr(torch, name, lambda *a, **k: pytest.fail("allocated"))
    found = problem(spec(in_features=2**40, out_features=2**40), machine())
    assert found.field == "in_features"
    need, available = (int(digits.replace(",", "")) for digits in re.findall(r"([\d,]+) bytes \(", found.rule))
    assert need > 4 * 2**80
    assert available == 8 * GIB
    assert "8.0 GiB" in found.rule


def test_too_many_tokens_says_how_many_fit() -> None:
    found = problem(spec(tokens=10**9), machine())
    assert found.field == "tokens"
    (fitting,) = map(int, re.findall(r"up to (\d+) tokens", found.suggestion))
    assert preflight(spec(tokens=fitting), machine()) == []
    assert problem(spec(tokens=fitting + 1), machine()).field == "tokens"


def test_more_work_needs_more_memory() -> None:
    base = footprint.footprint(spec()).total_bytes
    for change in (
        {"tokens": 8192},
        {"n_blocks": [4, 8]},
        {"variants": ["it", "ot"]},
        {"dtype": "float64"},
        {"passes": ["forward", "train_step"]},
        {"module": "feed_forward"},
        {"implementations": ["eager", "reference"]},
    ):
        assert footprint.footprint(spec(**change)).total_bytes > base, change


def test_unknown_and_unavailable_implementations_list_what_there_is(monkeypatch: pytest.MonkeyPatch) -> None:
    found = problem(spec(implementations=["fast"]), machine())
    assert (found.field, found.received) == ("implementations", "fast")
    assert "in float32: auto, " in found.suggestion
    assert ", eager, " in found.suggestion
    eager = registry.get("eager")
    gpu_only = dataclasses.replace(eager, name="gpu_only", unavailable=lambda device, dtype: "it needs a GPU")
    monkeypatch.setitem(registry._registered, "gpu_only", gpu_only)
    found = problem(spec(implementations=["gpu_only"]), machine())
    assert "it needs a GPU" in found.rule
    assert "gpu_only" not in found.suggestion
    assert "gpu_only cannot: it needs a GPU" in problem(spec(implementations=["fast"]), machine()).suggestion


def test_all_problems_come_at_once() -> None:
    with pytest.raises(SpecError) as caught:
        preflight(spec(tokens=10**9, implementations=["x", "y"]), machine())
    assert [each.field for each in caught.value.problems] == ["implementations", "implementations", "tokens"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"n_blocks": [2]}, ["n_blocks=2 with variant it saves nothing: it costs as much as dense"]),
        ({"n_blocks": [1]}, ["costs 2 times as much as dense"]),
        ({"n_blocks": [1, 2], "variants": ["bd"]}, ["n_blocks=1 with variant bd saves nothing"]),
        ({"n_blocks": [3]}, []),
        ({"dtype": "bfloat16"}, ["dtype bfloat16 is not native here"]),
        ({"threads": 3}, ["threads=3 exceeds the 2 physical cores"]),
        ({"threads": 2}, []),
    ],
)
def test_what_runs_but_misleads_is_flagged(change: dict[str, object], said: list[str]) -> None:
    warnings = preflight(spec(**change), machine())
    assert len(warnings) == len(said)
    for warning, part in zip(warnings, said, strict=True):
        assert part in warning


def test_unknown_memory_is_said_and_not_checked() -> None:
    unknown = dataclasses.replace(CPU, memory_available_bytes=None)
    (warning,) = preflight(spec(in_features=2**30, out_features=2**30), machine(unknown))
    assert "could not be read" in warning


def test_bytes_for_people() -> None:
    assert human(5) == "5 bytes"
    assert human(1536) == "1,536 bytes (1.5 KiB)"
    assert human(24 * GIB) == "25,769,803,776 bytes (24.0 GiB)"
