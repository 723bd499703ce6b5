"""What autograd functions share: only what is wanted, batches, and gradients as a compiler gets them."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from functorch.compile import make_boxed_func
from implementation_cases import apply, operands, skip_where_unavailable
from torch._dynamo.backends.common import aot_autograd

from dyad_core import DyadGeometry
from dyad_core.geometry import VARIANTS
from dyad_core.ops.backward import gradients, mapped
from dyad_core.ops.plain import linear_plain


@pytest.mark.parametrize("implementation", ["auto", "eager", "compiled"])
@pytest.mark.parametrize("variant", VARIANTS)
def test_a_compiler_gets_weight_gradients_that_lie_as_the_weights(implementation: str, variant: str) -> None:
    # autograd's own rule for a batched product gives them transposed: one more pass over the weights in each step.
    skip_where_unavailable("eager" if implementation == "auto" else implementation, torch.float64)
    strides: list[list[tuple[int, ...]]] = []

    def keep(graph: Any, _: Any) -> Any:
        (outputs,) = next(node for node in graph.graph.nodes if node.op == "output").args
        found = [output.meta["val"] for output in outputs if output is not None]
        strides.append([value.stride() for value in found if value.dim() == 3])
        return make_boxed_func(graph.forward)

    torch.compiler.reset()
    geometry = DyadGeometry(8, 24, 2, variant, 2)
    tensors = operands(geometry, 3, torch.float64, bias=True)
    backend = aot_autograd(fw_compiler=lambda graph, _: make_boxed_func(graph.forward), bw_compiler=keep)
    compiled = torch.compile(lambda *some: apply(implementation, geometry, list(some)), fullgraph=True, backend=backend)
    present = [tensor for tensor in tensors if tensor is not None]
    found = torch.autograd.grad(compiled(*tensors).pow(2).sum(), present)
    expected = torch.autograd.grad(apply("reference", geometry, tensors).pow(2).sum(), present)
    torch.testing.assert_close(found, expected)
    weights = [tensor for tensor in present if tensor.dim() == 3]
    assert strides == [[weight.stride() for weight in weights]]


def test_nothing_is_computed_that_is_not_wanted() -> None:
    geometry = DyadGeometry(8, 12, 2, "dt", 2)
    calls: list[int] = []

    def counted(*operands: Any) -> torch.Tensor:
        calls.append(1)
        return linear_plain(*operands)

    saved = operands(geometry, 3, torch.float64, bias=True)[:3]
    grad = torch.randn(3, 12, dtype=torch.float64)
    assert gradients(counted, grad, saved, "dt", 2, (False,) * 4) == [None] * 4
    found = gradients(counted, grad, saved, "dt", 2, (False, True, False, True))
    assert [value is not None for value in found] == [False, True, False, True]
    assert not calls


def test_a_batch_of_inputs_is_one_product_and_one_of_weights_is_several() -> None:
    geometry = DyadGeometry(8, 12, 2, "it")
    calls: list[tuple[int, ...]] = []

    def counted(*operands: Any) -> torch.Tensor:
        calls.append(tuple(operands[0].shape))
        return linear_plain(*operands)

    class Info:
        batch_size = 3

    input_, *weights = operands(geometry, 5, torch.float64, bias=True)
    batched = torch.stack([input_, 2 * input_, 3 * input_], dim=1)  # (5, 3, 8)
    output, dim = mapped(counted, Info, (1, None, None, None, None, None), (batched, *weights, "it", 1))
    assert (calls, dim) == ([(15, 8)], 0)
    torch.testing.assert_close(output[2], linear_plain(3 * input_, *weights, "it", 1))
    many = torch.stack([weights[0], 2 * weights[0], 3 * weights[0]])
    output, _ = mapped(counted, Info, (None, 0, None, None, None, None), (input_, many, *weights[1:], "it", 1))
    assert calls[1:] == [(5, 8)] * 3
    torch.testing.assert_close(output[1], linear_plain(input_, many[1], *weights[1:], "it", 1))
