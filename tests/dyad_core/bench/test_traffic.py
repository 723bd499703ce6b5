from __future__ import annotations

import math

import pytest
import torch

from dyad_core.bench import BenchmarkSpec
from dyad_core.bench.candidates import Plan, build, plans
from dyad_core.bench.memory import allocated_peak
from dyad_core.bench.passes import operands
from dyad_core.bench.traffic import compulsory_bytes, copied_bytes


def plan_for(spec: BenchmarkSpec, variant: str) -> Plan:
    return next(plan for plan in plans(spec) if plan.variant == variant)


def test_forward_reads_input_and_parameters_and_writes_the_output() -> None:
    spec = BenchmarkSpec(64, 128, tokens=10, n_blocks=[4])
    assert compulsory_bytes(plan_for(spec, "dense"), spec, "forward") == 4 * (10 * 64 + 64 * 128 + 128 + 10 * 128)
    assert compulsory_bytes(plan_for(spec, "it"), spec, "forward") == 4 * (10 * 64 + 64 * 128 // 2 + 128 + 10 * 128)
    assert compulsory_bytes(plan_for(spec, "it"), spec, "decode") == compulsory_bytes(
        plan_for(spec, "it"), spec, "forward"
    )


def test_a_feed_forward_moves_its_hidden_activation_twice() -> None:
    spec = BenchmarkSpec(64, 128, module="feed_forward", tokens=10, n_blocks=[4], dtype="float64")
    moved = compulsory_bytes(plan_for(spec, "dense"), spec, "forward")
    assert moved == 8 * (10 * 64 + 10 * 128 * 2 + 10 * 64 + 2 * 64 * 128 + 128 + 64)


def test_backward_of_each_kind() -> None:
    spec = BenchmarkSpec(64, 128, tokens=10)
    dense = plan_for(spec, "dense")
    ends = 10 * 64 + 10 * 128
    assert compulsory_bytes(dense, spec, "backward_input") == 4 * (ends + 64 * 128)
    assert compulsory_bytes(dense, spec, "backward_weight") == 4 * (ends + 64 * 128 + 128)
    both = BenchmarkSpec(64, 128, module="feed_forward", tokens=10)
    # fc2 also hands the gradient of the hidden activation on.
    weights = 2 * ends + 2 * 64 * 128 + 128 + 64
    assert compulsory_bytes(dense, both, "backward_weight") == 4 * (weights + ends + 64 * 128)


@pytest.mark.parametrize(("optimizer", "times"), [("none", 0), ("sgd", 3), ("adamw", 7)])
def test_a_training_step_is_all_products_and_the_optimizer(optimizer: str, times: int) -> None:
    spec = BenchmarkSpec(64, 128, tokens=10, optimizer=optimizer)
    dense = plan_for(spec, "dense")
    parts = sum(compulsory_bytes(dense, spec, each) for each in ("forward", "backward_input", "backward_weight"))
    assert compulsory_bytes(dense, spec, "train_step") == parts + times * 4 * (64 * 128 + 128)


@pytest.mark.parametrize("variant", ["it", "ot", "dt", "bd"])
def test_what_eager_copies_is_the_memory_of_its_copies(variant: str) -> None:
    """In a forward that takes all tokens at once its only temporaries are the copies: written once, read once."""
    spec = BenchmarkSpec(64, 128, tokens=100, n_blocks=[4], variants=[variant], implementations=["eager"])
    plan, fed = plan_for(spec, variant), operands(spec, "forward")
    module = build(plan, spec)
    with torch.no_grad():
        peak = allocated_peak(lambda: module(fed.input), torch.device("cpu"))
    assert copied_bytes(plan, spec, "forward") == 2 * (peak - 4 * 100 * 128)
    assert copied_bytes(plan, spec, "train_step") == 3 * copied_bytes(plan, spec, "forward")


@pytest.mark.parametrize(("variant", "ends"), [("it", 1), ("ot", 1), ("dt", 2), ("bd", 0)])
def test_a_planned_feed_forward_copies_its_narrow_ends(variant: str, ends: int) -> None:
    spec = BenchmarkSpec(
        64, 256, module="feed_forward", tokens=100, n_blocks=[4], variants=[variant], implementations=["eager"]
    )
    plan = plan_for(spec, variant)
    assert copied_bytes(plan, spec, "forward") == ends * 2 * 4 * 100 * 64
    assert copied_bytes(plan, spec, "train_step") == 2 * ends * 2 * 4 * 100 * 64


def test_the_dense_twin_copies_nothing_and_what_is_not_known_is_none() -> None:
    spec = BenchmarkSpec(64, 128, tokens=100, n_blocks=[4], peers=["low_rank"], implementations=["eager", "concat"])
    assert copied_bytes(plan_for(spec, "dense"), spec, "forward") == 0
    assert copied_bytes(plan_for(spec, "low_rank"), spec, "forward") is None
    geometry = plan_for(spec, "it").geometry
    assert copied_bytes(Plan("a", geometry, "triton"), spec, "forward") is None
    assert copied_bytes(Plan("a", geometry, "made_elsewhere"), spec, "forward") is None
    concat = next(plan for plan in plans(spec) if plan.implementation == "concat")
    assert copied_bytes(concat, spec, "forward") == 2 * 4 * 100 * (64 + 2 * (64 + 128))


def test_absurd_sizes_cost_nothing() -> None:
    spec = BenchmarkSpec(2**20, 2**22, tokens=2**30, n_blocks=[4])
    assert compulsory_bytes(plan_for(spec, "it"), spec, "train_step") < math.inf
