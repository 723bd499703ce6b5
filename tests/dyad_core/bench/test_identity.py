"""Equal requests on equal machines are found again; anything else that changes figures makes another identity."""

from __future__ import annotations

import copy
import dataclasses
from pathlib import Path
from typing import Any

import pytest

from dyad_core.bench import BenchmarkSpec, Environment, cuda_probe, run_benchmark
from dyad_core.bench import environment as environment_module
from dyad_core.bench.comparability import MOMENTARY
from dyad_core.bench.environment import foresee_environment
from dyad_core.bench.identity import IDENTIFYING, environment_digest, measuring_digest, result_fingerprint


def test_every_field_either_identifies_or_is_momentary() -> None:
    names = {field.name for field in dataclasses.fields(Environment)}
    assert names == set(IDENTIFYING) | MOMENTARY
    assert MOMENTARY.isdisjoint(IDENTIFYING)


@pytest.mark.parametrize(
    "wish",
    [
        {},
        {"threads": 1, "allocator": "keep_pages", "dtype": "bfloat16", "float32_matmul_precision": "medium"},
    ],
)
def test_what_is_foreseen_is_what_the_measuring_process_finds(wish: dict[str, Any]) -> None:
    spec = BenchmarkSpec(16, 16, tokens=4, n_blocks=(4,), max_seconds=0.05, **wish)
    foreseen = foresee_environment(spec)
    found = run_benchmark(spec).environment
    assert foreseen is not None
    for name in IDENTIFYING:
        assert (name, getattr(foreseen, name)) == (name, getattr(found, name))
    assert measuring_digest(foreseen) == measuring_digest(found)


def test_a_gpu_is_foreseen_from_the_probe(monkeypatch: pytest.MonkeyPatch) -> None:
    facts = {
        "index": 1, "name": "H100", "memory_total_bytes": 80, "memory_available_bytes": 70, "cache_bytes": 50,
        "capability": "9.0", "bfloat16": True, "float16": True,
    }  # fmt: skip
    monkeypatch.setattr(environment_module, "cuda_devices", lambda: ((facts,), ""))
    found = foresee_environment(BenchmarkSpec(16, 16, n_blocks=(4,), device="cuda:1"))
    assert found is not None
    assert (found.device, found.device_name, found.memory_total_bytes, found.cache_bytes) == ("cuda:1", "H100", 80, 50)
    assert foresee_environment(BenchmarkSpec(16, 16, n_blocks=(4,), device="cuda:2")) is None


@pytest.mark.gpu
def test_a_real_gpu_is_foreseen_as_it_is_found() -> None:
    devices, note = cuda_probe.cuda_devices()
    if not devices:
        pytest.skip(note)
    spec = BenchmarkSpec(64, 64, tokens=8, n_blocks=(4,), max_seconds=0.2, device="cuda")
    foreseen = foresee_environment(spec)
    assert foreseen is not None
    assert environment_digest(foreseen) == environment_digest(run_benchmark(spec).environment)


@pytest.mark.parametrize("change", [{"threads": 1}, {"torch_version": "9"}, {"allocator": {}}, {"hostname": "other"}])
def test_whatever_changes_figures_makes_another_identity(environment: Environment, change: dict[str, Any]) -> None:
    assert environment_digest(dataclasses.replace(environment, **change)) != environment_digest(environment)


def test_load_and_free_memory_do_not(environment: Environment) -> None:
    later = dataclasses.replace(environment, load_average_1min=9.0, memory_available_bytes=1)
    assert environment_digest(later) == environment_digest(environment)


def test_another_table_of_auto_makes_another_identity(
    environment: Environment, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("DYAD_CHOICES", raising=False)
    before = measuring_digest(environment)
    table = tmp_path / "choices.json"
    monkeypatch.setenv("DYAD_CHOICES", str(table))
    absent = measuring_digest(environment)
    table.write_text("{}", encoding="utf-8")
    assert len({before, absent, measuring_digest(environment)}) == 3


def test_a_result_is_known_by_its_samples_in_every_schema(make_run: Any) -> None:
    run = make_run().to_dict()
    grown = copy.deepcopy(run) | {"schema_version": 99, "more": [1], "warnings": ["x"]}
    grown["candidates"][0]["outcome"] = "slower"
    other = copy.deepcopy(run)
    other["candidates"][1]["samples_ms"][0] += 1e-15
    assert result_fingerprint(grown) == result_fingerprint(run)
    assert result_fingerprint(other) != result_fingerprint(run)
    assert result_fingerprint(run | {"created_at": "2026-01-02T03:04:06+00:00"}) != result_fingerprint(run)
