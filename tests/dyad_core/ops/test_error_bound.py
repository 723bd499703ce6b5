"""The error of every implementation against float64 is at most twice the dense layer's own, in float32.

Errors are root mean squares: the largest of a few thousand roundings is luck, their mean square is not.
"""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from implementation_cases import apply, examples, operands, skip_where_unavailable
from torch.nn import functional as F

from dyad_core import DyadGeometry
from dyad_core.geometry import VARIANTS
from dyad_core.ops import dense_weight, registry
from dyad_core.ops.reference import component_index

QUANTITIES = (
    "output",
    "input gradient",
    "gradient of weight_blockdiag",
    "gradient of weight_blocktrans",
    "bias gradient",
)


@st.composite
def sizes(draw: st.DrawFn) -> tuple[DyadGeometry, int]:
    """Layers and token counts of some hundred sums each: enough roundings for their mean square to settle."""
    n = draw(st.sampled_from((2, 3, 4, 8)))
    grain = draw(st.sampled_from((1, 2)))
    block_in, block_out = (grain * draw(st.integers(4, 16)) for _ in range(2))
    geometry = DyadGeometry(n * block_in, n * block_out, n, draw(st.sampled_from(VARIANTS)), grain)
    return geometry, draw(st.integers(16, 96))


def evaluate(implementation: str, geometry: DyadGeometry, tensors: list, upstream: torch.Tensor) -> list:
    present = [tensor for tensor in tensors if tensor is not None]
    result = apply(implementation, geometry, tensors)
    found = dict(zip(map(id, present), torch.autograd.grad(result, present, upstream), strict=True))
    return [result.detach(), *(None if tensor is None else found[id(tensor)] for tensor in tensors)]


def evaluate_dense(geometry: DyadGeometry, tensors: list, upstream: torch.Tensor) -> list:
    """The dense layer of the same weight; its weight gradient read at the places of each component."""
    x, blockdiag, blocktrans, bias = tensors
    with torch.no_grad():
        exact = dense_weight(
            blockdiag.double(),
            None if blocktrans is None else blocktrans.double(),
            variant=geometry.variant,
            grain=geometry.grain,
        )
    weight = exact.float().requires_grad_()
    assert torch.equal(weight.double(), exact)
    result = F.linear(x, weight, bias)
    grad_x, grad_weight, grad_bias = torch.autograd.grad(result, (x, weight, bias), upstream)
    places = [component_index(geometry, name, x.device) for name in ("blockdiag", "blocktrans")]
    parts = [grad_weight[rows, columns] for rows, columns in places]
    return [result.detach(), grad_x, parts[0], None if blocktrans is None else parts[1], grad_bias]


@pytest.mark.parametrize("implementation", registry.names())
def test_error_is_at_most_twice_the_dense_layers_own(implementation: str) -> None:
    skip_where_unavailable(implementation)

    @examples(implementation, 25)
    @given(sizes(), st.integers(0, 1000))
    def holds(case: tuple[DyadGeometry, int], seed: int) -> None:
        geometry, tokens = case
        tensors = operands(geometry, tokens, torch.float32, bias=True, seed=seed)
        with torch.no_grad():
            for weight in tensors[1:3]:
                if weight is not None:
                    weight.mul_(2**12).round_().div_(2**12)  # so that the dense weight, a sum of two, is exact too
        upstream = torch.randn(tokens, geometry.out_features, generator=torch.Generator().manual_seed(seed))
        exact = [None if tensor is None else tensor.detach().double().requires_grad_() for tensor in tensors]
        oracle = evaluate("reference", geometry, exact, upstream.double())
        ours = evaluate(implementation, geometry, tensors, upstream)
        dense = evaluate_dense(geometry, tensors, upstream)
        for name, expected, got, usual in zip(QUANTITIES, oracle, ours, dense, strict=True):
            if expected is None:
                continue
            error, dense_error = ((value.double() - expected).square().mean().sqrt() for value in (got, usual))
            assert error <= 2 * dense_error, f"{name}: {error / dense_error:.2f} times the dense layer's error"

    holds()
