from __future__ import annotations

import dataclasses

import pytest
import torch
from torch import nn

from dyad_core import DyadFeedForward, DyadLinear
from dyad_core.bench import BenchmarkSpec
from dyad_core.bench.candidates import build, plans
from dyad_core.bench.passes import operands
from dyad_core.ops import auto


def spec(**changes: object) -> BenchmarkSpec:
    return BenchmarkSpec(**{"in_features": 24, "out_features": 48, "tokens": 20, **changes})


def test_dense_comes_first_and_every_geometry_once() -> None:
    names = [plan.name for plan in plans(spec(n_blocks=[4, 6], variants=["it", "bd"], grains=[1, 2]))]
    assert names == [
        "dense",
        "it n=4 g=1 eager",
        "it n=4 g=2 eager",
        "bd n=4 g=1 eager",
        "it n=6 g=1 eager",
        "it n=6 g=2 eager",
        "bd n=6 g=1 eager",
    ]


def test_auto_is_resolved_and_not_measured_twice() -> None:
    found = plans(spec(n_blocks=[4], implementations=["auto", "eager", "reference"]))
    assert [plan.implementation for plan in found] == ["dense", "eager", "reference"]


def test_auto_may_mean_another_in_each_pass_and_at_each_geometry(monkeypatch: pytest.MonkeyPatch) -> None:
    def preferred(kind: str, dtype: torch.dtype, shape: auto.Shape) -> str:
        return "concat" if shape.trains or (shape.n_blocks == 6 and shape.in_features == 24) else "eager"

    monkeypatch.setattr(auto, "preferred", preferred)
    request = spec(n_blocks=[4, 6], implementations=["concat", "auto"], passes=["forward", "train_step"])
    forward = [(p.n_blocks, p.implementation, p.chosen_by_auto) for p in plans(request)[1:]]
    assert forward == [(4, "concat", False), (4, "eager", True), (6, "concat", True)]
    train = [(p.n_blocks, p.implementation, p.chosen_by_auto) for p in plans(request, "train_step")[1:]]
    assert train == [(4, "concat", True), (6, "concat", True)]
    mixed = plans(dataclasses.replace(request, module="feed_forward", n_blocks=(6,), implementations=("auto",)))[1]
    assert (mixed.implementation, [each.name for each in mixed.registered]) == ("concat+eager", ["concat", "eager"])
    built = build(mixed, dataclasses.replace(request, module="feed_forward"))
    assert built.fc1.implementation == "auto"


def test_what_cannot_run_here_says_so() -> None:
    (_, unknown) = plans(spec(n_blocks=[4], implementations=["no_such"]))
    assert "no_such" in unknown.unsupported


@pytest.mark.parametrize(("module", "layers"), [("linear", 1), ("feed_forward", 2)])
def test_parameters_and_flops_are_those_of_the_built_module(module: str, layers: int) -> None:
    request = spec(module=module, n_blocks=[4], variants=["it", "bd"])
    for plan in plans(request):
        built = build(plan, request)
        weights = sum(p.numel() for name, p in built.named_parameters() if "bias" not in name)
        assert plan.parameters(request) == weights
        assert plan.flops(request, "forward") == 2 * 20 * weights
        assert plan.flops(request, "train_step") == 3 * plan.flops(request, "forward")
        dense = 24 * 48 * layers
        assert plan.limit(request) == dense / weights


def test_kinds_of_modules() -> None:
    dense, dyad = plans(spec(n_blocks=[4]))
    assert isinstance(build(dense, spec()), nn.Linear)
    assert isinstance(build(dyad, spec()), DyadLinear)
    feed_forward = spec(module="feed_forward")
    assert [type(layer) for layer in build(dense, feed_forward)] == [nn.Linear, nn.ReLU, nn.Linear]
    built = build(dyad, feed_forward)
    assert isinstance(built, DyadFeedForward)
    assert (built.features, built.hidden_features, built.activation) == (24, 48, "relu")


@pytest.mark.parametrize("dtype", ["float32", "float64", "bfloat16"])
def test_both_sides_have_the_dtype_of_the_request(dtype: str) -> None:
    request = spec(dtype=dtype, passes=["train_step"])
    fed = operands(request, "train_step")
    wanted = getattr(torch, dtype)
    assert fed.input.dtype == fed.grad_output.dtype == wanted
    assert {p.dtype for plan in plans(request) for p in build(plan, request).parameters()} == {wanted}


def test_the_seed_decides_weights_and_inputs_and_nothing_global_moves() -> None:
    before = torch.get_rng_state()
    for plan in plans(spec()):
        same, again = build(plan, spec(seed=5)), build(plan, spec(seed=5))
        other = build(plan, spec(seed=6))
        assert all(torch.equal(a, b) for a, b in zip(same.parameters(), again.parameters(), strict=True))
        assert not torch.equal(next(same.parameters()), next(other.parameters()))
    assert torch.equal(operands(spec(seed=5), "forward").input, operands(spec(seed=5), "forward").input)
    assert not torch.equal(operands(spec(seed=5), "forward").input, operands(spec(seed=6), "forward").input)
    assert torch.equal(before, torch.get_rng_state())
