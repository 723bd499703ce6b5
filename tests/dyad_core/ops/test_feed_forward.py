"""The feed-forward pair as one function against two dense layers: values, gradients, parts, and what it saves."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from dyad_core import DyadFeedForward
from dyad_core.geometry import VARIANTS
from dyad_core.ops import feed_forward as plan

PAIRS = list(itertools.product(VARIANTS, repeat=2))


def operands(module: DyadFeedForward) -> tuple[Any, ...]:
    layers = (module.fc1, module.fc2)
    first, second = ((layer.weight_blockdiag, layer.weight_blocktrans, layer.bias) for layer in layers)
    return first, second, (module.fc1.variant, module.fc2.variant), module.fc1.grain, module.activation


def dense(module: DyadFeedForward, x: torch.Tensor) -> torch.Tensor:
    hidden = F.linear(x, module.fc1.to_dense(), module.fc1.bias)
    return F.linear(getattr(F, module.activation)(hidden), module.fc2.to_dense(), module.fc2.bias)


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(PAIRS),
    st.sampled_from([(2, 2, 4, 1), (3, 4, 8, 2), (4, 3, 5, 1), (2, 6, 9, 3), (1, 4, 4, 4)]),
    st.sampled_from(["relu", "gelu", "silu"]),
    st.booleans(),
    st.integers(1, 9),
)
def test_values_and_gradients_equal_two_dense_layers(
    pair: tuple[str, str], sizes: tuple[int, ...], activation: str, bias: bool, tokens: int
) -> None:
    n, block, hidden_block, grain = sizes
    module = DyadFeedForward(
        n * block,
        n * hidden_block,
        bias,
        dtype=torch.float64,
        n_blocks=n,
        variant=pair,
        grain=grain,
        activation=activation,
    )
    x = torch.randn(tokens, n * block, dtype=torch.float64, requires_grad=True)
    expected = dense(module, x)
    result = plan.feed_forward(x, *operands(module))
    torch.testing.assert_close(result, expected)
    with torch.no_grad():
        torch.testing.assert_close(plan.feed_forward(x, *operands(module)), expected)
    weight, present = torch.randn_like(expected), [x, *module.parameters()]
    gradients = torch.autograd.grad((result * weight).sum(), present)
    for gradient, value in zip(gradients, torch.autograd.grad((expected * weight).sum(), present), strict=True):
        torch.testing.assert_close(gradient, value)


@pytest.mark.parametrize("pair", [("it", "it"), ("ot", "it"), ("dt", "dt"), ("bd", "ot")])
def test_it_can_be_differentiated_twice(pair: tuple[str, str]) -> None:
    module = DyadFeedForward(8, 12, dtype=torch.float64, n_blocks=2, variant=pair, grain=2, activation="gelu")
    x = torch.randn(3, 8, dtype=torch.float64, requires_grad=True)
    present = [x, *module.parameters()]
    settings = operands(module)

    def apply(*_: torch.Tensor) -> torch.Tensor:
        return plan.feed_forward(x, *settings)

    assert torch.autograd.gradcheck(apply, present)
    assert torch.autograd.gradgradcheck(apply, present)


@pytest.mark.parametrize("gradients", [True, False])
@pytest.mark.parametrize("tokens", [1, 7, 8, 9])
def test_parts_make_the_whole(monkeypatch: pytest.MonkeyPatch, tokens: int, gradients: bool) -> None:
    module = DyadFeedForward(8, 16, dtype=torch.float64, n_blocks=2, variant="dt")
    x = torch.randn(tokens, 8, dtype=torch.float64, requires_grad=True)
    expected = dense(module, x)
    monkeypatch.setattr(plan, "HIDDEN_BYTES", 3 * 16 * 8)
    seen: list[int] = []
    write = plan.to_hidden
    monkeypatch.setattr(plan, "to_hidden", lambda hidden, *rest: seen.append(hidden.shape[1]) or write(hidden, *rest))
    with torch.set_grad_enabled(gradients):
        result = plan.feed_forward(x, *operands(module))
    torch.testing.assert_close(result, expected)
    assert sum(seen) == tokens
    assert max(seen) <= 3
    if gradients:
        present = [x, *module.parameters()]
        found = torch.autograd.grad(result.square().sum(), present)
        for gradient, value in zip(found, torch.autograd.grad(expected.square().sum(), present), strict=True):
            torch.testing.assert_close(gradient, value)


@pytest.mark.parametrize("activation", ["relu", "gelu", "silu"])
@pytest.mark.parametrize("pair", [("it", "it"), ("ot", "ot"), ("dt", "dt"), ("ot", "it"), ("bd", "bd")])
def test_it_saves_what_the_dense_twin_saves_and_one_gathered_copy_of_the_narrow_side(
    pair: tuple[str, str], activation: str
) -> None:
    features, hidden, tokens = 16, 64, 40
    module = DyadFeedForward(features, hidden, n_blocks=4, variant=pair, activation=activation)
    twin = torch.nn.Sequential(torch.nn.Linear(features, hidden), torch.nn.Linear(hidden, features))
    x = torch.randn(tokens, features, requires_grad=True)
    act = getattr(F, activation)
    ours = saved_bytes(lambda: module(x), module)
    theirs = saved_bytes(lambda: twin[1](act(twin[0](x))), twin)
    gathered = tokens * features * 4 if pair[0] in ("it", "dt") else 0
    assert theirs > 0
    assert ours <= theirs + gathered


def saved_bytes(forward: Any, module: torch.nn.Module) -> int:
    """Bytes that autograd keeps for the backward, each memory once, without the parameters."""
    kept: dict[int, int] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        output = forward()
    for parameter in module.parameters():
        kept.pop(parameter.untyped_storage().data_ptr(), None)
    del output
    return sum(kept.values())
