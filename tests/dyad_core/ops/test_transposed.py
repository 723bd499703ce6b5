"""``transposed`` with one token, which has a path of its own: values, gradients, strides, transforms, tracing."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from implementation_cases import apply, operands
from strategies import geometries

from dyad_core import DyadGeometry, DyadLinear
from dyad_core.geometry import VARIANTS
from dyad_core.ops import transposed

TOLERANCE = {torch.float64: 1e-12, torch.float32: 2e-5, torch.bfloat16: 1e-1, torch.float16: 2e-2}


def layer(variant: str, *, bias: bool = True, dtype: torch.dtype = torch.float64) -> DyadLinear:
    torch.manual_seed(0)
    return DyadLinear(12, 18, bias, dtype=dtype, n_blocks=3, variant=variant, grain=2, implementation="transposed")


def test_one_token_takes_the_path_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[int] = []
    real = transposed.one_token
    monkeypatch.setattr(transposed, "one_token", lambda *some: taken.append(some[0].shape[0]) or real(*some))
    for shape in ((12,), (1, 12), (1, 1, 12), (2, 12), (0, 12)):
        layer("dt")(torch.randn(shape, dtype=torch.float64))
    assert taken == [1, 1, 1]


@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
def test_values_and_gradients_equal_the_oracle(dtype: torch.dtype) -> None:
    @settings(max_examples=60)
    @given(geometries(), st.booleans(), st.integers(0, 3))
    def holds(geometry: DyadGeometry, bias: bool, seed: int) -> None:
        tensors = operands(geometry, 1, dtype, bias=bias, seed=seed)
        exact = [None if tensor is None else tensor.detach().double().requires_grad_() for tensor in tensors]
        result, oracle = apply("transposed", geometry, tensors), apply("reference", geometry, exact)
        assert result.is_contiguous()
        assert result.dtype == dtype
        upstream = torch.cos(torch.arange(oracle.numel(), dtype=torch.float64)).view(oracle.shape)
        found = torch.autograd.grad(result, [t for t in tensors if t is not None], upstream.to(dtype))
        expected = torch.autograd.grad(oracle, [t for t in exact if t is not None], upstream)
        close = {"rtol": TOLERANCE[dtype], "atol": TOLERANCE[dtype]}
        torch.testing.assert_close(result.double(), oracle, **close)
        torch.testing.assert_close([gradient.double() for gradient in found], list(expected), **close)
        with torch.no_grad():
            torch.testing.assert_close(apply("transposed", geometry, tensors), result, rtol=0, atol=0)

    holds()


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("dtype", [torch.float64, torch.complex128], ids=str)
def test_gradcheck_first_and_second_order(variant: str, bias: bool, dtype: torch.dtype) -> None:
    geometry = DyadGeometry(8, 12, 2, variant, 2)
    tensors = operands(geometry, 1, torch.float64, bias=bias)
    present = [t.detach().to(dtype).requires_grad_() for t in tensors if t is not None]
    holes = [place for place, tensor in enumerate(tensors) if tensor is None]

    def function(*some: torch.Tensor) -> torch.Tensor:
        filled: list[Any] = list(some)
        for hole in holes:
            filled.insert(hole, None)
        return apply("transposed", geometry, filled)

    assert torch.autograd.gradcheck(function, present)
    assert torch.autograd.gradgradcheck(function, present)


@pytest.mark.parametrize("variant", VARIANTS)
def test_strided_operands_give_the_same(variant: str) -> None:
    one = layer(variant)
    wide = torch.randn(24, 3, dtype=torch.float64)
    weights = [None if w is None else w.mT.contiguous().mT for w in (one.weight_blockdiag, one.weight_blocktrans)]
    for x in (wide[:12, :1].T, wide[::2, 1:2].T, wide[12:, 2][None], wide[:1, :1].expand(1, 12)):
        expected = x @ one.to_dense().T + one.bias
        torch.testing.assert_close(one(x), expected)
        strided = [x, *weights, one.bias[:1].expand(18)]
        result = apply("transposed", one.geometry, strided)
        torch.testing.assert_close(result, expected - one.bias + one.bias[0])


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_conjugated_view_is_read_as_it_is_meant(variant: str) -> None:
    one = layer(variant, dtype=torch.complex128)
    x = torch.randn(1, 12, dtype=torch.complex128).conj()
    torch.testing.assert_close(one(x), x @ one.to_dense().T + one.bias)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("variant", VARIANTS)
def test_maps_over_single_tokens_and_over_weights(variant: str, bias: bool) -> None:
    one = layer(variant, bias=bias)
    x = torch.randn(5, 1, 12, dtype=torch.float64)
    torch.testing.assert_close(torch.func.vmap(one)(x), one(x))
    torch.testing.assert_close(torch.func.vmap(one, in_dims=1, out_dims=1)(x[:, 0].T), one(x[:, 0]).T)
    parameters = {name: value.detach() for name, value in one.named_parameters()}
    stacked = {name: torch.stack([value, -2 * value]) for name, value in parameters.items()}

    def call(values: dict[str, torch.Tensor], token: torch.Tensor) -> torch.Tensor:
        return torch.func.functional_call(one, values, (token,))

    ensemble = torch.func.vmap(call, in_dims=(0, None))(stacked, x[0])
    torch.testing.assert_close(ensemble, torch.stack([one(x[0]), -2 * one(x[0])]))
    each = torch.func.vmap(torch.func.grad(lambda p, v: call(p, v).pow(2).sum()), in_dims=(None, 0))(parameters, x)
    whole = torch.autograd.grad(one(x).pow(2).sum(), list(one.parameters()))
    torch.testing.assert_close([value.sum(0) for value in each.values()], list(whole))


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("variant", VARIANTS)
def test_compiles_and_exports_with_one_token(variant: str, bias: bool) -> None:
    torch.compiler.reset()
    one = layer(variant, bias=bias)
    x = torch.randn(1, 12, dtype=torch.float64, requires_grad=True)
    compiled = torch.compile(one, fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(compiled(x), one(x))
    present = [x, *one.parameters()]
    found = torch.autograd.grad(compiled(x).pow(2).sum(), present)
    torch.testing.assert_close(found, torch.autograd.grad(one(x).pow(2).sum(), present))
    with torch.no_grad():
        torch.testing.assert_close(compiled(x), one(x))
    for strict in (False, True):
        program = torch.export.export(one, (x.detach(),), strict=strict)
        targets = {str(node.target) for node in program.graph.nodes if node.op == "call_function"}
        assert all(target.startswith("aten.") for target in targets), targets
        torch.testing.assert_close(program.module()(x.detach()), one(x))


def test_the_default_compiler_agrees_in_float32() -> None:
    torch.compiler.reset()
    for variant in ("it", "dt"):
        one, x = layer(variant, dtype=torch.float32), torch.randn(1, 12)
        with torch.no_grad():
            torch.testing.assert_close(torch.compile(one, fullgraph=True)(x), one(x))
