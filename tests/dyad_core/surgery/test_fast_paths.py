"""Parents that read a weight themselves: torch's encoder layers are told not to, of others the report tells."""

from __future__ import annotations

import copy
import warnings

import pytest
import torch
from small_models import small_model
from torch import nn

from dyad_core import replace_linear
from dyad_core.surgery import filters


def encoder(activation: str = "gelu") -> nn.TransformerEncoder:
    torch.manual_seed(0)
    layer = nn.TransformerEncoderLayer(16, 2, 32, batch_first=True, activation=activation, dropout=0.0)
    return nn.TransformerEncoder(layer, 2).eval()


LINEARS = filters.named("*linear1", "*linear2")


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("grad", [False, True])
def test_encoder_layers_evaluate_as_they_train(masked: bool, grad: bool) -> None:
    model = encoder()
    x = torch.randn(2, 5, 16)
    mask = torch.tensor([[False] * 5, [False] * 3 + [True] * 2]) if masked else None
    _, report = replace_linear(model, filter_fn=LINEARS)
    assert [layer.name for layer in report.replaced] == [f"layers.{i}.linear{j}" for i in (0, 1) for j in (1, 2)]
    assert any("fast path" in warning for warning in report.warnings)
    with torch.set_grad_enabled(grad):
        evaluated = model(x, src_key_padding_mask=mask)
        trained = model.train()(x, src_key_padding_mask=mask)
    torch.testing.assert_close(evaluated, trained)


def test_a_single_encoder_layer_evaluates() -> None:
    layer = nn.TransformerEncoderLayer(16, 2, 32, batch_first=True).eval()
    replace_linear(layer, filter_fn=LINEARS)
    with torch.no_grad():
        assert layer(torch.randn(2, 5, 16)).shape == (2, 5, 16)


def test_the_other_layers_keep_their_fast_path_and_undo_gives_it_back() -> None:
    model = encoder()
    _, report = replace_linear(model, filter_fn=filters.named("layers.1.linear1"))
    assert [layer.activation_relu_or_gelu for layer in model.layers] == [2, 0]
    assert model.use_nested_tensor is False
    report.undo(model)
    assert [layer.activation_relu_or_gelu for layer in model.layers] == [2, 2]
    assert model.use_nested_tensor is True


def test_the_activation_stays_what_it_is() -> None:
    model = encoder("relu")
    dense = copy.deepcopy(model)
    _, _ = replace_linear(model, filter_fn=LINEARS, n_blocks=1)
    for now, then in zip(model.layers, dense.layers, strict=True):
        assert now.activation is then.activation
    x = torch.randn(2, 5, 16)
    torch.testing.assert_close(model(x), dense(x), atol=1e-5, rtol=1e-5)


def test_another_parent_that_reads_a_weight_is_told() -> None:
    class Reader(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.wo = nn.Linear(8, 8)
            self.wi = nn.Linear(8, 8)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.wi(self.wo(x.to(self.wo.weight.dtype)))

    model = nn.Sequential(Reader(), Reader())
    _, report = replace_linear(model, filter_fn=filters.named("*"))
    (warning,) = report.warnings
    assert warning.startswith("Reader.forward reads wo.weight, which a DyadLinear does not have")
    with pytest.raises(AttributeError, match="weight"):
        model(torch.zeros(1, 8))


def test_t5_is_told_and_works_where_its_output_layer_is_left_out() -> None:
    model = small_model("t5", d_model=32, d_ff=64, num_layers=2, num_heads=4, d_kv=8, decoder_start_token_id=1)
    _, report = replace_linear(model, filter_fn=filters.named("*.wi"))
    assert report.warnings == ()
    report.undo(model)
    _, report = replace_linear(model, filter_fn=filters.named("*.wo"))
    assert any("reads wo.weight" in warning for warning in report.warnings)


def test_no_model_of_the_filters_reads_the_weights_that_it_replaces() -> None:
    for model_type, filter_fn in filters.FEED_FORWARD.items():
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            _, report = replace_linear(small_model(model_type), filter_fn=filter_fn, weights="fresh")
        assert report.warnings == (), model_type
