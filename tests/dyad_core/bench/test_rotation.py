"""Decode: every candidate's calls go through more than twice the cache, and the record says so."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dyad_core.bench import BenchmarkRun, BenchmarkSpec, calling
from dyad_core.bench.candidates import build, plans
from dyad_core.bench.footprint import footprint
from dyad_core.bench.machine import last_level_cache_bytes
from dyad_core.bench.measure import measure
from dyad_core.bench.passes import operands, run_pass
from dyad_core.bench.rotation import cache_bytes, copies_for, copies_of, make_rotating_call, weight_bytes

KIB = 1024


def spec(**changes: object) -> BenchmarkSpec:
    base = {"in_features": 48, "out_features": 96, "tokens": 2, "n_blocks": [4], "passes": ["decode"]}
    return BenchmarkSpec(**{**base, "max_seconds": 0.05, **changes})


@given(st.integers(1, 2**40), st.integers(1, 2**30))
def test_the_fewest_copies_that_take_more_than_twice_the_cache(weights: int, cache: int) -> None:
    copies = copies_for(weights, cache)
    assert copies * weights > 2 * cache
    assert copies == 1 or (copies - 1) * weights <= 2 * cache


def test_calls_go_through_all_copies_in_turn() -> None:
    request = spec()
    fed = operands(request, "decode")
    assert fed.grad_output is None
    module = build(plans(request)[1], request)
    copies = copies_of(module, 64 * KIB)
    assert len(copies) == 128 * KIB // weight_bytes(module) + 1
    assert len({parameter.data_ptr() for each in copies for parameter in each.parameters()}) == 3 * len(copies)
    with torch.no_grad():
        for place, each in enumerate(copies):
            each.bias.fill_(place)
    call = make_rotating_call(copies, fed)
    base = run_pass(module, fed)
    found = [float((call() - base).mean()) for _ in range(len(copies) + 2)]
    assert found == pytest.approx([*range(len(copies)), 0, 1], abs=1e-4)


def test_a_run_says_how_many_copies_each_candidate_had(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calling, "cache_bytes", lambda device: 64 * KIB)
    run = measure(spec(passes=["forward", "decode"], peers=["low_rank"], n_blocks=[4, 8]))
    for candidate in run.candidates:
        assert candidate.has_speed
        if candidate.pass_ == "forward":
            assert candidate.weight_copies == 1
        else:
            assert candidate.weight_copies * candidate.memory.parameters_bytes > 2 * 64 * KIB
    copies = {each.label: each.weight_copies for each in run.candidates if each.pass_ == "decode"}
    assert copies["IT n=8"] > copies["IT n=4"] > copies["dense"] > 1
    assert "decode (weights from memory): " in run.reading
    assert BenchmarkRun.from_dict(run.to_dict()) == run
    assert run.environment.cache_bytes == cache_bytes(torch.device("cpu"))


def test_the_estimate_counts_the_copies() -> None:
    rotated = footprint(spec()).weights_bytes - footprint(spec(passes=["forward"])).weights_bytes
    assert rotated >= 2 * 2 * cache_bytes(torch.device("cpu"))


def test_the_largest_cache_is_the_last(tmp_path: Path) -> None:
    assert last_level_cache_bytes(tmp_path) is None
    for index, size in enumerate(("32K", "1024K", "32M", "")):
        folder = tmp_path / f"sys/devices/system/cpu/cpu0/cache/index{index}"
        folder.mkdir(parents=True)
        (folder / "size").write_text(size + "\n")
    assert last_level_cache_bytes(tmp_path) == 32 << 20
