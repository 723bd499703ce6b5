"""Every registered implementation against ``reference``: values, gradients, second gradients, operands left alone."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from implementation_cases import apply, examples, operands, skip_where_unavailable
from strategies import geometries

from dyad_core import DyadGeometry, DyadLinear
from dyad_core.geometry import VARIANTS
from dyad_core.ops import registry

# Twice the unit roundoff of the dtype, times the longest sum that the drawn geometries have, with room for order.
TOLERANCE = {torch.float64: 1e-12, torch.float32: 2e-5, torch.bfloat16: 1e-1, torch.float16: 2e-2}


@pytest.fixture(params=registry.names())
def implementation(request: pytest.FixtureRequest) -> str:
    skip_where_unavailable(request.param)
    return str(request.param)


def test_there_is_something_to_compare() -> None:
    runs = [n for n in registry.names() if registry.get(n).unavailable(torch.device("cpu"), torch.float32) is None]
    assert {"reference", "eager", "concat", "original", "masked_dense"} <= set(runs)


@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
def test_values_and_gradients_equal_the_oracle(implementation: str, dtype: torch.dtype) -> None:
    skip_where_unavailable(implementation, dtype)

    @examples(implementation, 40)
    @given(geometries(), st.integers(0, 5), st.booleans(), st.integers(0, 3))
    def holds(geometry: DyadGeometry, tokens: int, bias: bool, seed: int) -> None:
        tensors = operands(geometry, tokens, dtype, bias=bias, seed=seed)
        present = [tensor for tensor in tensors if tensor is not None]
        result = apply(implementation, geometry, tensors)
        assert result.dtype == dtype
        assert result.shape == (tokens, geometry.out_features)
        generator = torch.Generator().manual_seed(seed)
        upstream = torch.randn(result.shape, generator=generator, dtype=torch.float64).to(dtype)
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

    holds()


def test_gradcheck_first_and_second_order(implementation: str) -> None:
    skip_where_unavailable(implementation, torch.float64)

    @examples(implementation, 12)
    @given(geometries(max_blocks=3, max_runs=2), st.integers(1, 3), st.booleans())
    def holds(geometry: DyadGeometry, tokens: int, bias: bool) -> None:
        tensors = operands(geometry, tokens, torch.float64, bias=bias)
        holes = [index for index, tensor in enumerate(tensors) if tensor is None]

        def function(*present: torch.Tensor) -> torch.Tensor:
            filled: list[Any] = list(present)
            for hole in holes:
                filled.insert(hole, None)
            return apply(implementation, geometry, filled)

        present = [tensor for tensor in tensors if tensor is not None]
        assert torch.autograd.gradcheck(function, present)
        assert torch.autograd.gradgradcheck(function, present)

    holds()


@pytest.mark.parametrize("variant", VARIANTS)
def test_any_subset_of_gradients(implementation: str, variant: str) -> None:
    geometry = DyadGeometry(12, 18, 3, variant, 2)
    subsets = range(1, 16) if implementation != "compiled" else (1, 2, 4, 8, 10)
    for subset in subsets:
        tensors = operands(geometry, 3, torch.float32, bias=True)
        for index, tensor in enumerate(tensors):
            if tensor is not None and not subset >> index & 1:
                tensor.requires_grad_(False)
        trained = [tensor for tensor in tensors if tensor is not None and tensor.requires_grad]
        result = apply(implementation, geometry, tensors)
        assert result.requires_grad == bool(trained)
        if trained:
            gradients = torch.autograd.grad(result.square().sum(), trained)
            expected = torch.autograd.grad(apply("reference", geometry, tensors).square().sum(), trained)
            torch.testing.assert_close(gradients, expected, rtol=1e-4, atol=1e-5)
        assert all(tensor.grad is None for tensor in tensors if tensor is not None)


@pytest.mark.parametrize("tokens", [1, 3])
@pytest.mark.parametrize("variant", VARIANTS)
def test_operands_and_result_share_no_memory(implementation: str, variant: str, tokens: int) -> None:
    # bias.expand(1, -1).contiguous() is the bias itself: accumulating into it would corrupt the parameter.
    geometry = DyadGeometry(8, 12, 2, variant)
    tensors = operands(geometry, tokens, torch.float32, bias=True)
    before = [None if tensor is None else tensor.detach().clone() for tensor in tensors]
    with torch.no_grad():
        apply(implementation, geometry, tensors).fill_(torch.nan)
    for tensor, copy in zip(tensors, before, strict=True):
        if tensor is not None:
            torch.testing.assert_close(tensor.detach(), copy, rtol=0, atol=0)


def test_strided_operands_and_gradients(implementation: str) -> None:
    skip_where_unavailable(implementation, torch.float64)

    @examples(implementation, 20)
    @given(geometries(max_blocks=4))
    def holds(geometry: DyadGeometry) -> None:
        _, blockdiag, blocktrans, bias = operands(geometry, 1, torch.float64, bias=True)
        wide = torch.randn(geometry.in_features, 7, dtype=torch.float64)
        strided = wide.T[::2]  # (4, in_features), no unit stride
        # A weight that is stored transposed, and a bias that is one number for all outputs: strides 0.
        weights = [blockdiag.mT.contiguous().mT, blocktrans, bias[:1].expand_as(bias)]
        expected = apply("reference", geometry, [strided, *weights])
        result = apply(implementation, geometry, [strided, *weights])
        torch.testing.assert_close(result, expected)
        # The gradient of a sum is an expanded scalar: strides 0.
        (gradient,) = torch.autograd.grad(result.sum(), blockdiag, retain_graph=True)
        (expected_gradient,) = torch.autograd.grad(expected.sum(), blockdiag)
        torch.testing.assert_close(gradient, expected_gradient)

    holds()


@pytest.mark.parametrize("variant", VARIANTS)
def test_complex_gradients(implementation: str, variant: str) -> None:
    skip_where_unavailable(implementation, torch.complex128)
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
