"""The guard before any timing: right models pass in every architecture, pass and dtype; wrong ones do not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from model_tools import BERT, GPT2, LLAMA, NEOX, OPT
from torch import nn

from dyad_core.layers import DyadFeedForward, DyadLinear
from dyad_core.models.measuring import parity
from dyad_core.models.measuring.parity import check_model, densely, oracle_dtype
from dyad_core.models.measuring.part_times import Built
from dyad_core.models.measuring.passes import Feed

PASSES = ("train_step", "prefill", "decode")


@pytest.mark.parametrize(
    ("config", "mode"),
    [(OPT, "layers"), (OPT, "feed_forward"), (NEOX, "feed_forward"), (GPT2, "layers"), (LLAMA, "layers")],
)
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_a_right_model_passes(
    build: Callable[..., Built], feed: Callable[..., Feed], config: dict[str, Any], mode: str, dtype: str
) -> None:
    model = build(mode, config=config, dtype=dtype).model
    for pass_ in PASSES:
        checked = check_model(model, feed(), pass_)
        assert checked.correctness.passed, (pass_, checked.detail)
        assert 0 < checked.correctness.dense_error < (1e-5 if dtype == "float32" else 0.1)


def test_a_model_without_a_cache_passes(build: Callable[..., Built], feed: Callable[..., Feed]) -> None:
    model = build("layers", config=BERT).model
    for pass_ in ("train_step", "prefill"):
        assert check_model(model, feed(), pass_).correctness.passed


@pytest.mark.parametrize("pass_", PASSES)
def test_an_output_that_is_off_by_a_thousandth_fails(
    build: Callable[..., Built], feed: Callable[..., Feed], pass_: Any
) -> None:
    layer_model = build("layers").model
    for layer in [module for module in layer_model.modules() if type(module) is DyadLinear]:
        exact = layer.forward
        layer.forward = lambda input, exact=exact: exact(input) * 1.001  # type: ignore[method-assign, misc]
    checked = check_model_apart(layer_model, feed(), pass_)
    assert not checked.correctness.passed
    assert "of its largest value" in checked.detail


def check_model_apart(model: nn.Module, feed: Feed, pass_: Any) -> Any:
    """The check; the oracle must not inherit what was put on instances, as it would not from wrong kernels."""
    dense = parity.dense_layer

    def clean(name: str, module: nn.Module) -> nn.Module | None:
        found = dense(name, module)
        if found is not None:
            found.__dict__.pop("forward", None)
        return found

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parity, "dense_layer", clean)
        return check_model(model, feed, pass_)


def test_a_wrong_gradient_alone_fails_a_training_step_and_no_prefill(
    build: Callable[..., Built], feed: Callable[..., Feed]
) -> None:
    model = build("layers").model
    layer = next(module for module in model.modules() if type(module) is DyadLinear)
    exact = layer.forward
    layer.forward = lambda input: exact(input.detach() * 0.5 + input * 0.5)  # type: ignore[method-assign]
    checked = check_model_apart(model, feed(), "train_step")
    assert not checked.correctness.passed
    assert checked.detail.startswith("the gradient of ")
    assert check_model_apart(model, feed(), "prefill").correctness.passed


def test_what_is_not_a_number_fails(build: Callable[..., Built], feed: Callable[..., Feed]) -> None:
    model = build("layers").model
    layer = next(module for module in model.modules() if type(module) is DyadLinear)
    exact = layer.forward
    layer.forward = lambda input: exact(input) * torch.nan  # type: ignore[method-assign]
    checked = check_model_apart(model, feed(), "prefill")
    assert not checked.correctness.passed
    assert checked.correctness.error is None


def test_a_check_leaves_the_model_as_it_was(build: Callable[..., Built], feed: Callable[..., Feed]) -> None:
    model = build("feed_forward").model
    before = {name: value.clone() for name, value in model.state_dict().items()}
    modules = dict(model.named_modules())
    model.train()
    check_model(model, feed(), "train_step")
    assert model.training
    assert dict(model.named_modules()) == modules
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert all(parameter.grad is None for parameter in model.parameters())


def test_the_oracle_has_the_same_weights_and_other_modules(build: Callable[..., Built]) -> None:
    model = build("feed_forward").model
    dense = densely(model, smooth=True)
    assert [id(each) for each in dense.parameters()] == [id(each) for each in model.parameters()]
    assert not any(type(module) is DyadLinear for module in dense.modules())
    assert not any(isinstance(module, nn.ReLU) for module in dense.modules())
    activations = [module.activation for module in dense.modules() if isinstance(module, DyadFeedForward)]
    assert activations == ["gelu", "gelu"]


def test_an_oracle_that_does_not_fit_is_said_with_bytes(
    build: Callable[..., Built], monkeypatch: pytest.MonkeyPatch
) -> None:
    count = 2 * sum(parameter.numel() for parameter in build("layers").model.parameters())
    for dtype, available, wanted in [
        ("float32", 8 * count, torch.float64),
        ("bfloat16", 8 * count, torch.float64),
        ("bfloat16", 4 * count, torch.float32),
    ]:
        monkeypatch.setattr(parity, "_available_bytes", lambda _, available=available: available)
        assert oracle_dtype(build("layers", dtype=dtype).model) == wanted
    monkeypatch.setattr(parity, "_available_bytes", lambda _: 4 * count)
    with pytest.raises(MemoryError, match="the check needs .* bytes"):
        oracle_dtype(build("layers").model)
