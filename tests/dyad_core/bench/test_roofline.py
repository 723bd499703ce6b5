from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dyad_core.bench import BenchmarkSpec, MemoryUse
from dyad_core.bench.candidates import plans
from dyad_core.bench.ceilings import Ceilings, Rate
from dyad_core.bench.roofline import place, placement, plan_of, sentence
from dyad_core.errors import SpecError


def ceilings(**changes: Any) -> Ceilings:
    """A gigaflop per millisecond, a megabyte per millisecond, and ten microseconds to start an operation."""
    values: dict[str, Any] = {
        "device": "cpu",
        "device_name": "AMD EPYC",
        "dtype": "float32",
        "threads": 2,
        "float32_matmul_precision": "highest",
        "flops_per_s": Rate(1e12, 1e12, 1e12),
        "bytes_per_s": Rate(1e9, 1e9, 1e9),
        "launch_us": Rate(10.0, 10.0, 10.0),
        "matrix_side": 2048,
        "copy_bytes": 2**27,
        "others_share": 0.0,
        "measured_at": "2026-01-02T03:04:05+00:00",
    }
    return Ceilings(**{**values, **changes})


@pytest.mark.parametrize(
    ("flops", "moved", "operations", "predicted_ms", "bound"),
    [
        (4e9, 1e6, 2, 4.0, "compute"),
        (1e9, 3e6, 2, 3.0, "memory"),
        (1e9, 1e6, 2, 1.0, "compute"),  # on the ridge
        (1e6, 1e3, 50, 0.001, "launch"),
        (1e6, 1e3, None, 0.001, "compute"),
    ],
)
def test_the_roof_is_the_slower_of_arithmetic_and_memory(flops, moved, operations, predicted_ms, bound) -> None:
    found = placement(ceilings(), flops=int(flops), bytes_moved=int(moved), operations=operations)
    assert found.predicted_ms == pytest.approx(predicted_ms)
    assert found.bound == bound
    assert found.flops_per_byte == flops / moved
    assert found.gap_ms is None
    assert found.attained_flops_per_s is None


def test_the_gap_and_its_parts() -> None:
    found = placement(
        ceilings(),
        flops=4 * 10**9,
        bytes_moved=10**6,
        measured_ms=10.0,
        operations=50,
        copied=2 * 10**6,
        temporaries=3 * 10**6 // 2,
    )
    assert found.gap_ms == 6.0
    assert found.gap_launches_ms == 0.5
    assert found.gap_copies_ms == 2.0
    assert found.gap_temporaries_ms == 1.0  # half a megabyte that is no copy, written and read
    assert found.gap_rest_ms == 2.5
    assert found.attained_flops_per_s == 4e11
    assert found.attained_bytes_per_s == 1e8
    assert found.attained_share == 0.4
    assert json.loads(json.dumps(found.to_dict()))["bound"] == "compute"


def test_a_gpu_hides_launches_behind_arithmetic() -> None:
    values = {"flops": 4 * 10**9, "bytes_moved": 10**6, "measured_ms": 10.0, "copied": 0, "temporaries": 0}
    gpu = ceilings(device="cuda:0")
    assert placement(gpu, **values, operations=50).gap_launches_ms == 0.0
    assert placement(gpu, **values, operations=500).gap_launches_ms == 1.0


@pytest.mark.parametrize("missing", ["operations", "copied", "temporaries"])
def test_what_is_unknown_stays_unknown(missing: str) -> None:
    values: dict[str, Any] = {"operations": 5, "copied": 10**6, "temporaries": 10**6, missing: None}
    found = placement(ceilings(), flops=10**9, bytes_moved=10**6, measured_ms=9.0, **values)
    assert found.gap_rest_ms is None
    assert found.gap_ms == 8.0
    unknown = {"operations": "launches", "copied": "copies, temporaries", "temporaries": "temporaries"}[missing]
    assert f"not known: {unknown}" in sentence(found)


@given(
    st.integers(1, 10**15),
    st.integers(1, 10**12),
    st.floats(1e-4, 1e6),
    st.integers(0, 10**5),
    st.integers(0, 10**12),
    st.integers(0, 10**12),
)
def test_the_parts_make_up_the_gap(flops, moved, measured_ms, operations, copied, temporaries) -> None:
    found = placement(
        ceilings(),
        flops=flops,
        bytes_moved=moved,
        measured_ms=measured_ms,
        operations=operations,
        copied=copied,
        temporaries=temporaries,
    )
    parts = [found.gap_launches_ms, found.gap_copies_ms, found.gap_temporaries_ms, found.gap_rest_ms]
    assert all(part is not None for part in parts)
    assert sum(part or 0.0 for part in parts) == pytest.approx(found.gap_ms, rel=1e-9, abs=1e-3)
    assert all((part or 0.0) >= 0 for part in parts[:3])
    assert found.attained_share == pytest.approx(found.predicted_ms / measured_ms)
    assert sentence(found)


def test_a_candidate_of_a_run_is_placed_by_its_own_figures(make_candidate) -> None:
    spec = BenchmarkSpec(64, 128, tokens=100, n_blocks=[4])
    memory = dataclasses.replace(MemoryUse(1, 1, 0, 1, 1, "by hand"), temporaries_bytes=100 * 64 * 4)
    candidate = make_candidate(flops=819_200, memory=memory, operations=3, median_ms=1.0)
    found = place(candidate, spec, ceilings())
    assert found.bytes_moved == 4 * (100 * 64 + 64 * 128 // 2 + 128 + 100 * 128)
    assert found.gap_temporaries_ms == 0.0  # its one temporary is the gathered copy
    assert found.gap_launches_ms == pytest.approx(0.03)
    assert place(dataclasses.replace(candidate, bytes_moved=1000), spec, ceilings()).bytes_moved == 1000


def test_a_candidate_without_a_speed_has_a_prediction_only(make_candidate) -> None:
    spec = BenchmarkSpec(64, 128, tokens=100, n_blocks=[4])
    candidate = make_candidate(outcome="out_of_memory", median_ms=None, memory=None, samples_ms=())
    found = place(candidate, spec, ceilings())
    assert found.predicted_ms > 0
    assert found.gap_ms is None
    assert "measured" not in sentence(found)


def test_a_replayed_graph_has_no_launches_to_count(make_candidate) -> None:
    spec = BenchmarkSpec(64, 128, tokens=100, n_blocks=[4], device="cuda", cuda_graph=True)
    found = place(make_candidate(operations=3), spec, ceilings(device="cuda:0"))
    assert found.launches_ms is None


def test_ceilings_of_other_conditions_are_refused(make_candidate) -> None:
    spec = BenchmarkSpec(64, 128, tokens=100, n_blocks=[4], dtype="float64")
    with pytest.raises(SpecError) as caught:
        place(make_candidate(), spec, ceilings(device="cuda:0"))
    assert [problem.field for problem in caught.value.problems] == ["ceilings.device", "ceilings.dtype"]


def test_the_plan_of_a_record_has_the_sizes_of_the_plan_it_came_from(make_candidate) -> None:
    spec = BenchmarkSpec(64, 128, n_blocks=[4], variants=["it", "bd"], peers=["low_rank"])
    for plan in plans(spec):
        grain = None if plan.geometry is None else plan.geometry.grain
        record = make_candidate(
            plan.n_blocks, None, variant=plan.variant, grain=grain, implementation=plan.implementation
        )
        assert plan_of(record, spec).parameters(spec) == plan.parameters(spec)
        assert plan_of(record, spec).variant == plan.variant


def test_a_placement_in_words() -> None:
    found = placement(
        ceilings(), flops=4 * 10**9, bytes_moved=10**6, measured_ms=10.0, operations=50, copied=10**6, temporaries=0
    )
    assert sentence(found) == (
        "arithmetic bounds it: 4e+03 flops per byte, 4 ms attainable, 10 ms measured; "
        "the gap of 6 ms by estimate: launches 0.5 ms, copies 1 ms, the rest 4.5 ms"
    )
    fast = placement(ceilings(), flops=10**6, bytes_moved=10**6, measured_ms=0.5)
    assert "stay in the cache" in sentence(fast)
    too_fast = placement(ceilings(), flops=4 * 10**9, bytes_moved=10**6, measured_ms=2.0)
    assert "ceilings were measured too low" in sentence(too_fast)
