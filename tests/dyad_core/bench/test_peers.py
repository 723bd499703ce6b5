"""Peers: equal parameters, the published modules, and held against their own dense matrix like everything else."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from dyad_core.bench import BenchmarkSpec, peers
from dyad_core.bench.candidates import Plan, build, plans
from dyad_core.bench.correctness import check
from dyad_core.bench.measure import measure
from dyad_core.bench.oracle import read_layer
from dyad_core.bench.passes import operands, run_pass
from dyad_core.bench.peers import FactoredLinear, build_peer, equal_rank, monarch_blocks, peer_parameters

CPU = torch.device("cpu")
MISSING = peers.unavailable("monarch")
INSTALLED = ["low_rank", pytest.param("monarch", marks=pytest.mark.skipif(bool(MISSING), reason=MISSING or "here"))]


def spec(**changes: object) -> BenchmarkSpec:
    base = {"in_features": 48, "out_features": 96, "tokens": 20, "n_blocks": [4], "variants": ["it"]}
    return BenchmarkSpec(**{**base, "peers": ["low_rank"], **changes})


def peer_plans(request: BenchmarkSpec) -> list[Plan]:
    return [plan for plan in plans(request) if plan.peer]


@given(st.integers(1, 5000), st.integers(1, 5000), st.integers(2, 64))
def test_the_rank_is_the_largest_with_no_more_parameters(in_features: int, out_features: int, n: int) -> None:
    budget = 2 * in_features * out_features / n
    rank = equal_rank(in_features, out_features, n)
    assert rank == 1 or rank * (in_features + out_features) <= budget
    assert (rank + 1) * (in_features + out_features) > budget


@pytest.mark.parametrize(
    ("sizes", "n", "blocks"), [((1024, 4096), 4, 2), ((4096, 1024), 4, 8), ((768, 3072), 4, 3), ((1024, 1024), 8, 8)]
)
def test_monarch_has_the_nearest_number_of_blocks_that_divides(sizes: tuple[int, int], n: int, blocks: int) -> None:
    assert monarch_blocks(*sizes, n) == blocks
    ratio = peer_parameters("monarch", *sizes, n) / (2 * math.prod(sizes) / n)
    assert 0.7 < ratio < 1.42


@pytest.mark.parametrize("peer", INSTALLED)
@pytest.mark.parametrize("module", ["linear", "feed_forward"])
def test_the_plan_counts_the_weights_that_are_built(peer: str, module: str) -> None:
    request = spec(module=module, n_blocks=[4, 8], peers=[peer])
    for plan in peer_plans(request):
        built = build(plan, request)
        weights = sum(p.numel() for name, p in built.named_parameters() if "bias" not in name)
        assert plan.parameters(request) == weights
        assert plan.limit(request) == 48 * 96 * (1 if module == "linear" else 2) / weights
        assert plan.flops(request, "forward") == 2 * 20 * weights
        if module == "feed_forward":
            assert [type(layer) for layer in built][1] is nn.ReLU


@pytest.mark.parametrize("peer", INSTALLED)
@pytest.mark.parametrize("sizes", [(48, 96), (96, 48), (64, 64)])
def test_the_dense_rows_are_what_the_forward_computes(peer: str, sizes: tuple[int, int]) -> None:
    layer = build_peer(peer, *sizes, 4, CPU, torch.float64)
    torch.manual_seed(0)
    for factor in layer.factors():
        nn.init.normal_(factor)
    by_forward = (layer(torch.eye(sizes[0], dtype=torch.float64)) - layer.bias).T
    index = torch.randperm(sizes[1])
    torch.testing.assert_close(layer.dense_rows(index, layer.factors()), by_forward[index])
    assert {p.dtype for p in layer.parameters()} == {torch.float64}


@pytest.mark.parametrize("peer", INSTALLED)
@pytest.mark.parametrize("module", ["linear", "feed_forward"])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("pass_", ["forward", "train_step"])
def test_a_right_peer_passes_the_check(peer: str, module: str, dtype: str, pass_: str) -> None:
    request = spec(module=module, dtype=dtype, peers=[peer], n_blocks=[3, 4])
    fed = operands(request, pass_)
    for plan in peer_plans(request):
        found = check(build(plan, request), fed, seed=0)
        assert found.correctness.passed, (plan.name, found)


@pytest.mark.parametrize(("wrong", "said"), [("forward", "the output is off"), ("backward", "gradient of factor 1")])
def test_a_wrong_peer_fails_it(monkeypatch: pytest.MonkeyPatch, wrong: str, said: str) -> None:
    request = spec()
    (plan,) = peer_plans(request)
    module = build(plan, request)
    assert isinstance(module, peers.LowRankLinear)
    right = module.forward

    class Skewed(torch.autograd.Function):
        @staticmethod
        def forward(ctx: object, value: torch.Tensor) -> torch.Tensor:
            return value * (1.01 if wrong == "forward" else 1.0)

        @staticmethod
        def backward(ctx: object, grad: torch.Tensor) -> torch.Tensor:
            return grad * 1.01

    if wrong == "forward":
        monkeypatch.setattr(module, "forward", lambda x: Skewed.apply(right(x)))
    else:
        layer = nn.functional.linear
        monkeypatch.setattr(
            module, "forward", lambda x: layer(layer(x, module.narrow), Skewed.apply(module.wide), module.bias)
        )
    found = check(module, operands(request, "forward" if wrong == "forward" else "train_step"), seed=0)
    assert not found.correctness.passed
    assert said in found.detail


def test_factor_gradients_are_those_of_autograd() -> None:
    request = spec(dtype="float64")
    (plan,) = peer_plans(request)
    module, fed = build(plan, request), operands(request, "train_step")
    assert isinstance(module, FactoredLinear)
    run_pass(module, fed)
    found = read_layer(module).factor_gradients(fed.grad_output, fed.input.detach())
    for factor, expected in zip(module.factors(), found, strict=True):
        torch.testing.assert_close(factor.grad, expected)


def test_a_peer_that_is_not_installed_is_unsupported_with_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peers.importlib.util, "find_spec", lambda name: None)
    run = measure(spec(peers=["monarch", "low_rank"], max_seconds=0.05))
    found = {each.variant: each for each in run.candidates}
    assert found["monarch"].outcome == "unsupported"
    assert "pip install torch-structured triton" in found["monarch"].detail
    assert (found["monarch"].speedup, found["monarch"].n_blocks) == (None, 4)
    low_rank = found["low_rank"]
    assert low_rank.has_speed
    assert (low_rank.implementation, low_rank.grain) == ("low_rank", None)
    assert low_rank.label == "low-rank as n=4"
    assert low_rank.share_of_limit == pytest.approx(low_rank.speedup / low_rank.limit)
    assert low_rank.memory is not None
    assert "monarch as n=4 cannot run here" in run.reading
