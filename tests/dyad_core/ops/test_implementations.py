"""Every registered implementation against ``reference``: values, gradients, second gradients, tracing, vmap."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import geometries

from dyad_core import DyadGeometry, DyadLinear, dyad_linear
from dyad_core.geometry import VARIANTS
from dyad_core.ops import registry

CPU = torch.device("cpu")
OTHERS = [
    name
    for name in registry.names()
    if name != "reference" and registry.get(name).unavailable(CPU, torch.float32) is None
]

# Twice the unit roundoff of the dtype, times the longest sum that the drawn geometries have, with room for order.
TOLERANCE = {torch.float64: 1e-12, torch.float32: 2e-5, torch.bfloat16: 1e-1, torch.float16: 2e-2}


def test_there_is_something_to_compare() -> None:
    assert "eager" in OTHERS


def operands(
    geometry: DyadGeometry, tokens: int, dtype: torch.dtype, *, bias: bool, seed: int = 0
) -> list[torch.Tensor | None]:
    generator = torch.Generator().manual_seed(seed)

    def draw(*shape: int) -> torch.Tensor:
        values = torch.randn(shape, generator=generator, dtype=torch.float64) / geometry.block_in**0.5
        return values.to(dtype).requires_grad_()

    return [
        draw(tokens, geometry.in_features),
        draw(*geometry.weight_shape),
        None if geometry.variant == "bd" else draw(*geometry.weight_shape),
        draw(geometry.out_features) if bias else None,
    ]


def apply(implementation: str, geometry: DyadGeometry, tensors: list[Any]) -> torch.Tensor:
    return dyad_linear(*tensors, variant=geometry.variant, grain=geometry.grain, implementation=implementation)


@pytest.mark.parametrize("implementation", OTHERS)
@given(
    geometry=geometries(),
    tokens=st.integers(0, 5),
    dtype=st.sampled_from(sorted(TOLERANCE, key=str)),
    bias=st.booleans(),
    seed=st.integers(0, 3),
)
def test_values_and_gradients_equal_the_oracle(
    implementation: str, geometry: DyadGeometry, tokens: int, dtype: torch.dtype, bias: bool, seed: int
) -> None:
    tensors = operands(geometry, tokens, dtype, bias=bias, seed=seed)
    present = [tensor for tensor in tensors if tensor is not None]
    result = apply(implementation, geometry, tensors)
    assert result.dtype == dtype
    assert result.shape == (tokens, geometry.out_features)
    upstream = torch.randn(result.shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)
    gradients = torch.autograd.grad(result, present, upstream)

    exact = [None if tensor is None else tensor.detach().double().requires_grad_() for tensor in tensors]
    oracle = apply("reference", geometry, exact)
    oracle_gradients = torch.autograd.grad(oracle, [t for t in exact if t is not None], upstream.double())
    tolerance = TOLERANCE[dtype]
    torch.testing.assert_close(result.double(), oracle, rtol=tolerance, atol=tolerance)
    for gradient, expected, tensor in zip(gradients, oracle_gradients, present, strict=True):
        assert gradient.dtype == dtype
        assert gradient.shape == tensor.shape
        torch.testing.assert_close(gradient.double(), expected, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("implementation", registry.names())
def test_gradcheck_first_and_second_order(implementation: str, variant: str, bias: bool) -> None:
    geometry = DyadGeometry(8, 12, 2, variant, 2)
    tensors = operands(geometry, 3, torch.float64, bias=bias)
    holes = [index for index, tensor in enumerate(tensors) if tensor is None]

    def function(*present: torch.Tensor) -> torch.Tensor:
        filled: list[Any] = list(present)
        for hole in holes:
            filled.insert(hole, None)
        return apply(implementation, geometry, filled)

    present = [tensor for tensor in tensors if tensor is not None]
    assert torch.autograd.gradcheck(function, present)
    assert torch.autograd.gradgradcheck(function, present)


@pytest.mark.parametrize("implementation", registry.names())
def test_only_the_asked_gradients_are_computed(implementation: str) -> None:
    geometry = DyadGeometry(8, 8, 2, "it")
    x, blockdiag, blocktrans, bias = operands(geometry, 3, torch.float64, bias=True)
    frozen = [x.detach(), blockdiag.detach(), blocktrans, bias.detach()]
    apply(implementation, geometry, frozen).sum().backward()
    assert blocktrans.grad is not None
    assert frozen[0].grad is None


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("implementation", OTHERS)
def test_one_token_does_not_write_into_the_bias(implementation: str, variant: str) -> None:
    # bias.expand(1, -1).contiguous() is the bias itself: accumulating into it would corrupt the parameter.
    geometry = DyadGeometry(8, 12, 2, variant)
    tensors = operands(geometry, 1, torch.float32, bias=True)
    before = [None if tensor is None else tensor.detach().clone() for tensor in tensors]
    with torch.no_grad():
        apply(implementation, geometry, tensors)
    for tensor, copy in zip(tensors, before, strict=True):
        if tensor is not None:
            torch.testing.assert_close(tensor.detach(), copy, rtol=0, atol=0)


@pytest.mark.parametrize("implementation", OTHERS)
@settings(max_examples=20)
@given(geometry=geometries(max_blocks=4))
def test_strided_inputs_and_gradients(implementation: str, geometry: DyadGeometry) -> None:
    _, *weights = operands(geometry, 1, torch.float64, bias=True)
    wide = torch.randn(geometry.in_features, 7, dtype=torch.float64)
    strided = wide.T[::2]  # (4, in_features), no unit stride
    expected = apply("reference", geometry, [strided, *weights])
    result = apply(implementation, geometry, [strided, *weights])
    torch.testing.assert_close(result, expected)
    # The gradient of a sum is an expanded scalar: strides 0.
    (gradient,) = torch.autograd.grad(result.sum(), weights[0], retain_graph=True)
    (expected_gradient,) = torch.autograd.grad(expected.sum(), weights[0])
    torch.testing.assert_close(gradient, expected_gradient)


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("implementation", registry.names())
def test_complex_gradients(implementation: str, variant: str) -> None:
    geometry = DyadGeometry(8, 4, 2, variant)
    torch.manual_seed(0)
    layer = DyadLinear(8, 4, n_blocks=2, variant=variant, dtype=torch.complex128, implementation=implementation)
    x = torch.randn(3, 8, dtype=torch.complex128, requires_grad=True)
    present = [x, *layer.parameters()]
    expected = x @ layer.to_dense().T + layer.bias
    gradients = torch.autograd.grad(layer(x).abs().sum(), present)
    oracle = torch.autograd.grad(expected.abs().sum(), present)
    for gradient, value in zip(gradients, oracle, strict=True):
        torch.testing.assert_close(gradient, value)
    assert layer.geometry == geometry


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("implementation", registry.names())
def test_traces_without_a_graph_break(implementation: str, variant: str) -> None:
    torch.manual_seed(0)
    layer = DyadLinear(24, 48, n_blocks=4, variant=variant, grain=2, implementation=implementation)
    x = torch.randn(5, 24, requires_grad=True)
    torch.compiler.reset()
    compiled = torch.compile(layer, fullgraph=True, backend="aot_eager")
    present = [x, *layer.parameters()]
    torch.testing.assert_close(compiled(x), layer(x))
    gradients = torch.autograd.grad(compiled(x).square().sum(), present)
    for gradient, expected in zip(gradients, torch.autograd.grad(layer(x).square().sum(), present), strict=True):
        torch.testing.assert_close(gradient, expected)
    exported = torch.export.export(layer, (x.detach(),))
    torch.testing.assert_close(exported.module()(x.detach()), layer(x.detach()))


@pytest.mark.parametrize("implementation", OTHERS)
def test_vmap_over_inputs_and_over_weights(implementation: str) -> None:
    layers = [DyadLinear(12, 24, n_blocks=3, implementation=implementation) for _ in range(3)]
    x = torch.randn(3, 5, 12)
    torch.testing.assert_close(torch.func.vmap(layers[0])(x), layers[0](x))
    stacked = {name: torch.stack([layer.state_dict()[name] for layer in layers]) for name in layers[0].state_dict()}

    def call(parameters: dict[str, torch.Tensor], value: torch.Tensor) -> torch.Tensor:
        return torch.func.functional_call(layers[0], parameters, (value,))

    ensemble = torch.func.vmap(call, in_dims=(0, None))(stacked, x[0])
    torch.testing.assert_close(ensemble, torch.stack([layer(x[0]) for layer in layers]))
    per_sample = torch.func.vmap(torch.func.grad(lambda p, v: call(p, v).square().sum()), in_dims=(None, 0))
    gradients = per_sample({k: v.detach() for k, v in layers[0].named_parameters()}, x)
    expected = torch.autograd.grad(layers[0](x[1]).square().sum(), layers[0].weight_blocktrans)[0]
    torch.testing.assert_close(gradients["weight_blocktrans"][1], expected)
