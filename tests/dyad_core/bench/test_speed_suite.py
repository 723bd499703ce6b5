"""The points of the speed suite: every target has one, every rival is in each, and the short list is short."""

from __future__ import annotations

import pytest

from dyad_core.bench import BenchmarkSpec
from dyad_core.bench.candidates import plans
from dyad_core.bench.speed_suite import cost_s, full_grid, points
from dyad_core.bench.speed_targets import TARGETS

RATE = 110e9  # of two quiet cores


def test_every_cpu_target_has_a_point_that_is_never_left_out() -> None:
    required = [point.spec for point in points() if point.required]
    for target in TARGETS:
        if "CPU" in target.name:
            assert any(target.holds(spec) for spec in required), target.name
            assert all(n in spec.n_blocks for spec in required if target.holds(spec) for n in target.wanted)
    sizes = {(spec.in_features, spec.out_features, spec.tokens, spec.module, spec.passes[0]) for spec in required}
    for tokens in (512, 1024, 2048):
        assert (1024, 4096, tokens, "linear", "forward") in sizes
        assert (4096, 1024, tokens, "linear", "forward") in sizes
    assert {(1024, 4096, 512, "feed_forward", "train_step"), (2048, 8192, 512, "feed_forward", "train_step")} <= sizes
    assert {1, 16} <= {spec.tokens for spec in required}


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_every_point_holds_every_rival(device: str) -> None:
    for point in points(device):
        spec = point.spec
        assert {"auto", "original", "original_feature_major"} <= set(spec.implementations)
        assert spec.peers == ("low_rank", "monarch")
        assert set(spec.variants) == {"it", "ot", "dt", "bd"}
        assert {4, 8} <= set(spec.n_blocks)
        assert spec.passes in (("forward",), ("train_step",), ("decode",))
    assert {spec.dtype for spec in (p.spec for p in points(device))} >= {"float32" if device == "cpu" else "bfloat16"}


def test_a_gpu_target_has_a_point() -> None:
    specs = [point.spec for point in points("cuda") if point.required]
    for target in TARGETS:
        if "H200" in target.name:
            assert any(target.holds(spec) for spec in specs), target.name


def test_all_of_ours_are_measured_somewhere_and_more_on_request() -> None:
    named = {name for point in points() for name in point.spec.implementations}
    assert {"eager", "concat", "auto"} <= named
    assert not {"reference", "masked_dense", "compiled"} & named
    assert all("compiled" in point.spec.implementations for point in points(more=("compiled",)))


def test_the_short_list_is_done_within_half_an_hour_and_the_grid_is_not() -> None:
    assert sum(cost_s(point.spec, RATE) for point in points()) < 30 * 60
    assert sum(cost_s(point.spec, RATE) for point in full_grid()) > 2 * 3600
    assert sum(point.spec.max_seconds for point in points(quick=True)) < 2


def test_the_grid_covers_widths_layers_tokens_and_passes_cheapest_first() -> None:
    specs = [point.spec for point in full_grid()]
    assert {spec.tokens for spec in specs} == {1, 16, 512, 2048}
    assert {min(spec.in_features, spec.out_features) for spec in specs} == {256, 512, 768, 1024, 2048, 4096}
    assert {spec.n_blocks for spec in specs} == {(4, 8, 16)}
    assert {(spec.module, spec.passes[0]) for spec in specs} == {
        (module, pass_) for module in ("linear", "feed_forward") for pass_ in ("forward", "train_step", "decode")
    }
    assert {spec.tokens for spec in specs if spec.passes == ("decode",)} == {1, 16}
    assert specs[0].tokens == 1
    assert cost_s(specs[0], RATE) < cost_s(specs[-1], RATE) / 100
    assert len(specs) == len(set(specs))


def test_a_request_is_the_same_on_every_machine() -> None:
    assert [p.spec.digest() for p in points()] == [p.spec.digest() for p in points()]
    assert all(point.spec.allocator == "keep_pages" for point in points(allocator="keep_pages"))


def test_cost_grows_with_the_work_and_falls_with_the_rate() -> None:
    small, large = (BenchmarkSpec(256, 1024, tokens=tokens, max_seconds=20) for tokens in (512, 8192))
    assert cost_s(small, RATE) < cost_s(large, RATE)
    assert cost_s(large, RATE) < cost_s(large, RATE / 10)
    assert len(plans(small)) == 3
