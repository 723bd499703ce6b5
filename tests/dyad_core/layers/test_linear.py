"""What ``DyadLinear`` has beyond the contract: structure and projection."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from strategies import geometries
from torch import nn

from dyad_core import DyadGeometry, DyadLinear, SpecError
from dyad_core.geometry import VARIANTS


def build(geometry: DyadGeometry, **kwargs: object) -> DyadLinear:
    return DyadLinear(
        geometry.in_features,
        geometry.out_features,
        n_blocks=geometry.n_blocks,
        variant=geometry.variant,
        grain=geometry.grain,
        **kwargs,
    )


@given(geometries())
def test_to_dense_is_the_layer_applied_to_the_identity(geometry: DyadGeometry) -> None:
    layer = build(geometry, bias=False, dtype=torch.float64)
    assert layer.geometry == geometry
    torch.testing.assert_close(layer.to_dense(), layer(torch.eye(geometry.in_features, dtype=torch.float64)).T)


@given(geometries())
def test_parameters_are_counted(geometry: DyadGeometry) -> None:
    layer = build(geometry, device="meta")
    weights = [p for name, p in layer.named_parameters() if name != "bias"]
    assert sum(weight.numel() for weight in weights) == geometry.parameters
    assert all(weight.shape == geometry.weight_shape for weight in weights)


def test_bd_has_no_second_component_but_knows_its_name() -> None:
    layer = DyadLinear(8, 8, n_blocks=2, variant="bd")
    assert layer.weight_blocktrans is None
    assert set(layer.state_dict()) == {"weight_blockdiag", "bias"}
    with pytest.raises(RuntimeError, match="variant='it'.*the layer has .*variant='bd'"):
        layer.load_state_dict(DyadLinear(8, 8, n_blocks=2).state_dict())


def test_the_settings_show_in_the_repr() -> None:
    text = repr(DyadLinear(24, 48, n_blocks=3, variant="dt", grain=2, init="variance_preserving"))
    assert text == (
        "DyadLinear(in_features=24, out_features=48, bias=True, n_blocks=3, variant='dt', grain=2, "
        "init='variance_preserving', implementation='auto')"
    )


@given(geometries())
def test_from_linear_of_a_dyad_weight_loses_nothing(geometry: DyadGeometry) -> None:
    source = build(geometry, dtype=torch.float64)
    linear = nn.Linear(geometry.in_features, geometry.out_features, dtype=torch.float64)
    with torch.no_grad():
        linear.weight.copy_(source.to_dense())
    layer = DyadLinear.from_linear(linear, n_blocks=geometry.n_blocks, variant=geometry.variant, grain=geometry.grain)
    x = torch.randn(4, geometry.in_features, dtype=torch.float64)
    torch.testing.assert_close(layer(x), linear(x))


@pytest.mark.parametrize("n_blocks", [4, 8])
def test_projection_error_of_an_unstructured_weight(n_blocks: int) -> None:
    torch.manual_seed(0)
    linear = nn.Linear(512, 512)
    layer = DyadLinear.from_linear(linear, n_blocks=n_blocks)
    error = torch.linalg.norm(linear.weight - layer.to_dense()) / torch.linalg.norm(linear.weight)
    assert error.item() == pytest.approx((1 - (2 * n_blocks - 1) / n_blocks**2) ** 0.5, rel=0.02)


def test_from_linear_keeps_dtype_training_and_requires_grad_and_copies() -> None:
    linear = nn.Linear(8, 8, dtype=torch.bfloat16).eval()
    linear.bias.requires_grad_(False)
    layer = DyadLinear.from_linear(linear, n_blocks=2)
    assert not layer.training
    assert {p.dtype for p in layer.parameters()} == {torch.bfloat16}
    assert layer.weight_blockdiag.requires_grad
    assert not layer.bias.requires_grad
    with torch.no_grad():
        layer.bias.zero_()
        layer.weight_blockdiag.zero_()
    assert linear.bias.abs().sum() > 0
    assert linear.weight.abs().sum() > 0
    assert DyadLinear.from_linear(nn.Linear(8, 8, bias=False), n_blocks=2).bias is None
    meta = DyadLinear.from_linear(nn.Linear(8, 8, device="meta"), n_blocks=2)
    assert meta.weight_blocktrans.is_meta


@pytest.mark.parametrize(
    ("arguments", "fields"),
    [
        ({"in_features": 0}, {"in_features"}),
        ({"in_features": -768, "out_features": 1.5}, {"in_features", "out_features"}),
        ({"in_features": "768"}, {"in_features"}),
        ({"n_blocks": 0}, {"n_blocks"}),
        ({"n_blocks": True}, {"n_blocks"}),
        ({"n_blocks": 5}, {"in_features", "out_features"}),
        ({"variant": "IT"}, {"variant"}),
        ({"grain": 1000}, {"grain"}),
        ({"grain": 0, "variant": "x"}, {"grain", "variant"}),
        ({"init": "zeros"}, {"init"}),
        ({"implementation": "cuda"}, {"implementation"}),
    ],
)
def test_wrong_arguments_name_every_field(arguments: dict, fields: set[str]) -> None:
    with pytest.raises(SpecError) as caught:
        DyadLinear(**{"in_features": 768, "out_features": 3072, **arguments})
    assert {problem.field for problem in caught.value.problems} == fields
    assert all(problem.rule for problem in caught.value.problems)


def test_indivisible_sizes_name_what_would_work() -> None:
    with pytest.raises(SpecError) as caught:
        DyadLinear(768, 3072, n_blocks=5)
    first = caught.value.problems[0]
    assert first.received == 768
    assert "must be divisible by n_blocks=5" in first.rule
    assert "3, 4, 6" in first.suggestion
    assert "765, 770" in first.suggestion


@pytest.mark.gpu
@pytest.mark.parametrize("variant", VARIANTS)
def test_on_a_gpu_it_equals_the_cpu(variant: str) -> None:
    if not torch.cuda.is_available():
        pytest.skip("needs a CUDA device")
    layer = DyadLinear(96, 192, variant=variant, dtype=torch.float64)
    x = torch.randn(7, 96, dtype=torch.float64)
    expected = layer(x)
    torch.testing.assert_close(layer.to("cuda")(x.to("cuda")).cpu(), expected)
