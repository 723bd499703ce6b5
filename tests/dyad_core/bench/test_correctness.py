from __future__ import annotations

import dataclasses

import pytest
import torch
from torch import Tensor, nn

from dyad_core import DyadLinear
from dyad_core.bench import BenchmarkSpec
from dyad_core.bench.candidates import build, plans
from dyad_core.bench.correctness import CHECKED_TOKENS, check, drawn_rows, rounding_floor
from dyad_core.bench.passes import laid_out, operands
from dyad_core.layers import DyadFeedForward


def spec(**changes: object) -> BenchmarkSpec:
    base = {"in_features": 48, "out_features": 96, "tokens": 40, "n_blocks": [4], "variants": ["it", "ot", "dt", "bd"]}
    return BenchmarkSpec(**{**base, **changes})


@pytest.mark.parametrize("module", ["linear", "feed_forward"])
@pytest.mark.parametrize("dtype", ["float32", "float64", "bfloat16", "float16"])
@pytest.mark.parametrize("pass_", ["forward", "train_step"])
def test_right_candidates_pass(module: str, dtype: str, pass_: str) -> None:
    request = spec(
        module=module, dtype=dtype, implementations=["eager", "reference", "original_feature_major"], grains=[1, 3]
    )
    fed = operands(request, pass_)
    for plan in plans(request):
        found = check(build(plan, request), laid_out(fed, plan.layout), seed=0)
        assert found.correctness.passed, (plan.name, found)
        assert found.correctness.error <= found.correctness.tolerance
        assert found.detail == ""


@pytest.mark.parametrize("seed", range(20))
def test_a_hidden_value_near_zero_fails_no_right_candidate(seed: int) -> None:
    request = spec(module="feed_forward", seed=seed, tokens=128, in_features=16, out_features=256, variants=["it"])
    fed = operands(request, "train_step")
    for plan in plans(request):
        assert check(build(plan, request), fed, seed=seed).correctness.passed


class Wrong(DyadLinear):
    """Wrong in one way at a time, by little."""

    fault = ""

    def forward(self, input: Tensor) -> Tensor:
        output = super().forward(input)
        if self.fault == "one output":
            output = output.index_fill(1, torch.tensor([7]), 0.0)
        if self.fault == "scaled":
            output = output * 1.001
        if self.fault == "nan":
            output = output * float("nan")
        if self.fault == "shape":
            output = output[:, :-1]
        if self.fault == "no input gradient":
            output = super().forward(input.detach())
        if self.fault == "weight gradient":
            output = output.detach() + self.half_gradient(input) - self.half_gradient(input).detach()
        if self.fault == "only many tokens" and len(input) > 32:
            output = output + 0.01
        return output

    def half_gradient(self, input: Tensor) -> Tensor:
        return super().forward(input) - 0.5 * super().forward(input.detach())


@pytest.mark.parametrize(
    ("fault", "pass_", "said"),
    [
        ("one output", "forward", "output"),
        ("scaled", "forward", "output"),
        ("nan", "forward", "not a finite number"),
        ("shape", "forward", "shape"),
        ("only many tokens", "forward", "output"),
        ("no input gradient", "train_step", "input gradient is not a finite number"),
        ("weight gradient", "train_step", "gradient"),
        ("scaled", "train_step", "is off by"),
    ],
)
def test_wrong_candidates_fail_and_say_where(fault: str, pass_: str, said: str) -> None:
    module = Wrong(48, 96, n_blocks=4)
    module.fault = fault
    found = check(module, operands(spec(), pass_), seed=0)
    assert not found.correctness.passed
    assert said in found.detail


def test_the_oracle_uses_every_position(monkeypatch: pytest.MonkeyPatch) -> None:
    """Moving any single weight of either component away from what the candidate computes is noticed."""
    module = DyadLinear(8, 12, n_blocks=2, variant="dt")
    frozen = DyadLinear(8, 12, n_blocks=2, variant="dt")
    frozen.load_state_dict(module.state_dict())
    monkeypatch.setattr(DyadLinear, "forward", lambda self, x: x @ frozen.to_dense().T + frozen.bias)
    fed = operands(spec(in_features=8, out_features=12, n_blocks=[2]), "forward")
    assert check(module, fed, seed=0).correctness.passed
    for weight in (module.weight_blockdiag, module.weight_blocktrans, module.bias):
        for entry in range(weight.numel()):
            with torch.no_grad():
                weight.view(-1)[entry] += 0.01
                assert not check(module, fed, seed=0).correctness.passed
                weight.view(-1)[entry] -= 0.01


@pytest.mark.parametrize("kind", ["linear", "feed_forward"])
def test_parameters_and_gradients_are_left_as_they_were(kind: str) -> None:
    request = spec(module=kind)
    fed = operands(request, "train_step")
    for plan in plans(request):
        module = build(plan, request)
        before = [parameter.detach().clone() for parameter in module.parameters()]
        check(module, fed, seed=0)
        assert all(torch.equal(a, b) for a, b in zip(before, module.parameters(), strict=True))
        assert all(parameter.grad is None for parameter in module.parameters())
        assert fed.input.grad is None


def test_parameters_come_back_when_a_candidate_raises() -> None:
    class Raising(DyadFeedForward):
        def forward(self, input: Tensor) -> Tensor:
            raise RuntimeError("boom")

    module = Raising(48, 96)
    before = module.fc1.bias.detach().clone()
    with pytest.raises(RuntimeError, match="boom"):
        check(module, operands(spec(module="feed_forward"), "train_step"), seed=0)
    assert torch.equal(before, module.fc1.bias)


@pytest.mark.parametrize("tokens", [1, 5, CHECKED_TOKENS, CHECKED_TOKENS + 1, 1000])
def test_compared_tokens_are_drawn_with_the_seed(tokens: int) -> None:
    rows = drawn_rows(tokens, seed=3)
    assert len(rows) == min(tokens, CHECKED_TOKENS)
    assert sorted(set(rows.tolist())) == rows.tolist()
    assert rows[0] >= 0
    assert rows[-1] < tokens
    assert torch.equal(rows, drawn_rows(tokens, seed=3))
    if tokens == 1000:
        assert not torch.equal(rows, drawn_rows(tokens, seed=4))


def test_one_token_is_checked_too() -> None:
    request = spec(tokens=1, module="feed_forward")
    for pass_ in ("forward", "train_step"):
        for plan in plans(request):
            assert check(build(plan, request), operands(request, pass_), seed=0).correctness.passed


def test_tolerance_follows_the_dtype() -> None:
    def tolerance(dtype: str) -> float:
        request = dataclasses.replace(spec(), dtype=dtype)
        return check(build(plans(request)[1], request), operands(request, "forward"), seed=0).correctness.tolerance

    found = [tolerance(dtype) for dtype in ("float64", "float32", "float16", "bfloat16")]
    assert found == sorted(found)
    assert found[1] < 1e-4
    assert rounding_floor(torch.float64, 4096) < 1e-12


def test_a_module_that_is_neither_dense_nor_dyad_is_refused() -> None:
    class Other(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc1, self.fc2 = nn.Identity(), nn.Identity()

        def forward(self, input: Tensor) -> Tensor:
            return input

    with pytest.raises(TypeError, match="Identity"):
        check(Other(), operands(spec(), "forward"), seed=0)
