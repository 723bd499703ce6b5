"""New layers: what they take over from the old ones, exactly, and what their weights lost."""

from __future__ import annotations

import pytest
import torch
from small_models import Block, is_feed_forward
from torch import nn
from transformers.pytorch_utils import Conv1D

from dyad_core import DyadLinear, replace_linear


def test_fresh_weights_are_drawn_anew() -> None:
    linear = nn.Linear(16, 16)
    with torch.no_grad():
        linear.weight.zero_()
    layer, report = replace_linear(linear, filter_fn=lambda module, name: True, weights="fresh")
    assert layer.weight_blockdiag.abs().sum() > 0
    assert report.replaced[0].relative_error is None


@pytest.mark.parametrize("weights", ["projected", "fresh"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16, torch.float16])
def test_dtype_mode_and_frozen_parameters_carry_over(dtype: torch.dtype, weights: str) -> None:
    model = nn.Sequential(nn.Linear(16, 64), nn.Linear(64, 16, bias=False)).to(dtype)
    model[0].eval()
    model[0].weight.requires_grad_(False)
    model[1].requires_grad_(True)
    replace_linear(model, filter_fn=lambda module, name: True, weights=weights, init="variance_preserving")
    assert {parameter.dtype for parameter in model.parameters()} == {dtype}
    assert (model[0].training, model[1].training) == (False, True)
    assert [p.requires_grad for p in (model[0].weight_blockdiag, model[0].weight_blocktrans, model[0].bias)] == [
        False,
        False,
        True,
    ]
    assert model[1].bias is None
    assert model[1].weight_blocktrans.requires_grad
    assert {layer.init for layer in model} == {"variance_preserving"}


def test_on_the_meta_device_nothing_is_allocated_and_nothing_computed() -> None:
    with torch.device("meta"):
        model = nn.Sequential(nn.Linear(2**16, 2**18), nn.Linear(2**18, 2**16))  # 128 GiB each, were they there
    for weights in ("projected", "fresh"):
        _, report = replace_linear(model, filter_fn=lambda module, name: True, weights=weights)
        assert {parameter.device.type for parameter in model.parameters()} == {"meta"}
        assert [row.relative_error for row in report.replaced] == [None, None]
        assert report.saved_bytes == 2 * 2**34 * 4 // 2
        report.undo(model)


def test_conv1d_is_replaced_exactly() -> None:
    torch.manual_seed(0)
    layer = Conv1D(24, 16)
    torch.nn.init.normal_(layer.bias)
    x = torch.randn(3, 5, 16)
    dense = layer(x)
    same, _ = replace_linear(layer, filter_fn=lambda module, name: True, n_blocks=1)
    torch.testing.assert_close(same(x), dense)
    near, report = replace_linear(layer, filter_fn=lambda module, name: True, n_blocks=4, variant="dt")
    assert (near.in_features, near.out_features) == (16, 24)
    assert report.replaced[0].kind == "conv1d"
    pattern = near.to_dense() != 0
    torch.testing.assert_close(near.to_dense()[pattern], layer.weight.T[pattern])
    assert torch.equal(near.bias, layer.bias)
    assert near.bias is not layer.bias
    assert near.weight_blockdiag.is_contiguous()
    lost = (layer.weight.T - near.to_dense()).detach().norm() / layer.weight.detach().norm()
    assert report.replaced[0].relative_error == pytest.approx(float(lost), rel=1e-6)


def test_the_relative_error_is_that_of_the_projection() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(64, 256, dtype=torch.float64), nn.Linear(64, 64).to(torch.bfloat16))
    weights = [layer.weight.detach().clone().double() for layer in model]
    _, report = replace_linear(model, filter_fn=lambda module, name: True)
    for row, layer, weight in zip(report.replaced, model, weights, strict=True):
        error = (weight - layer.to_dense().detach().double()).norm() / weight.norm()
        assert row.relative_error == pytest.approx(float(error), rel=1e-6)
    # √(1 - 0.4375) for a matrix without structure.
    assert report.replaced[0].relative_error == pytest.approx(0.75, abs=0.02)


def test_a_layer_without_weights_loses_nothing() -> None:
    linear = nn.Linear(8, 8)
    with torch.no_grad():
        linear.weight.zero_()
    _, report = replace_linear(linear, filter_fn=lambda module, name: True)
    assert report.replaced[0].relative_error == 0.0


def test_a_failure_while_the_new_layers_are_built_leaves_the_model_unchanged(monkeypatch: pytest.MonkeyPatch) -> None:
    model = nn.Sequential(Block(), Block())
    before = list(model.modules())
    made = []

    def from_linear(linear: nn.Linear, **settings: object) -> DyadLinear:
        made.append(linear)
        if len(made) == 3:
            raise MemoryError
        return DyadLinear(linear.in_features, linear.out_features)

    monkeypatch.setattr(DyadLinear, "from_linear", from_linear)
    with pytest.raises(MemoryError):
        replace_linear(model, filter_fn=is_feed_forward)
    assert list(model.modules()) == before


def test_new_values_of_the_old_layer_do_not_reach_the_new_one() -> None:
    model = nn.Sequential(nn.Linear(8, 8))
    old = model[0]
    replace_linear(model, filter_fn=lambda module, name: True)
    bias, weight = model[0].bias.detach().clone(), model[0].to_dense().detach().clone()
    with torch.no_grad():
        old.weight.zero_()
        old.bias.zero_()
    assert torch.equal(model[0].bias, bias)
    assert torch.equal(model[0].to_dense(), weight)
