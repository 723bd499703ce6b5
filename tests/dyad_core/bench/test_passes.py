from __future__ import annotations

import pytest
import torch

from dyad_core.bench import BenchmarkSpec
from dyad_core.bench.candidates import build, plans
from dyad_core.bench.passes import laid_out, make_call, operands, run_pass


def spec(**changes: object) -> BenchmarkSpec:
    return BenchmarkSpec(**{"in_features": 24, "out_features": 48, "tokens": 10, **changes})


def test_forward_needs_no_graph() -> None:
    for plan in plans(spec()):
        call = make_call(build(plan, spec()), operands(spec(), "forward"))
        output = call()
        assert output.shape == (10, 48)
        assert not output.requires_grad


@pytest.mark.parametrize(("module", "out"), [("linear", 48), ("feed_forward", 24)])
def test_a_training_step_makes_every_gradient_and_its_closure_drops_them(module: str, out: int) -> None:
    request = spec(module=module, n_blocks=[4], variants=["it", "bd"])
    fed = operands(request, "train_step")
    assert fed.grad_output.shape == (10, out)
    for plan in plans(request):
        built = build(plan, request)
        run_pass(built, fed)
        leaves = [*built.parameters(), fed.input]
        assert all(leaf.grad is not None and leaf.grad.shape == leaf.shape for leaf in leaves)
        once = [leaf.grad.clone() for leaf in leaves]
        make_call(built, fed)()
        assert all(leaf.grad is None for leaf in leaves)
        run_pass(built, fed)
        assert all(torch.equal(leaf.grad, first) for leaf, first in zip(leaves, once, strict=True))  # not summed up
        make_call(built, fed)()


def test_a_training_step_has_the_gradients_of_autograd() -> None:
    request = spec(dtype="float64", n_blocks=[4])
    fed = operands(request, "train_step")
    dense = build(plans(request)[0], request)
    run_pass(dense, fed)
    expected = fed.grad_output.T @ fed.input.detach()
    torch.testing.assert_close(dense.weight.grad, expected)
    torch.testing.assert_close(fed.input.grad, fed.grad_output @ dense.weight.detach())


@pytest.mark.parametrize("module", ["linear", "feed_forward"])
def test_feature_major_operands_are_the_same_numbers_and_need_no_copy(module: str) -> None:
    request = spec(module=module, n_blocks=[4], variants=["it", "dt"], implementations=["original_feature_major"])
    fed = operands(request, "train_step")
    turned = laid_out(fed, "feature_major")
    assert laid_out(fed, "token_major") is fed
    assert torch.equal(turned.input, fed.input)
    assert torch.equal(turned.grad_output, fed.grad_output)
    assert turned.input.T.is_contiguous()
    assert turned.grad_output.T.is_contiguous()
    assert turned.input.requires_grad
    assert turned.input.is_leaf
    for plan in plans(request)[1:]:
        assert plan.layout == "feature_major"
        output = run_pass(build(plan, request), turned)
        assert output.T.is_contiguous()
        assert turned.input.grad.T.is_contiguous()
        turned.input.grad = None


def test_forward_operands_turn_without_gradients() -> None:
    turned = laid_out(operands(spec(), "forward"), "feature_major")
    assert turned.grad_output is None
    assert not turned.input.requires_grad
