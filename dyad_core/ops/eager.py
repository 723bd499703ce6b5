"""``eager``: token-major batched products that accumulate into the strided output, with their own backward.

Blocks of neighbours are views of the token-major input and output: (T, n·b) seen as (n, T, b) has unit
stride along b, which BLAS takes as it is. Only an interleaved side has no unit stride and costs one copy:
a gather before the product (input side) or one scattering addition after it (output side).

The backward needs no kernel of its own, see :mod:`dyad_core.ops.backward`. All are plain aten operations, so
differentiating the backward works too. Tracing takes the same sums out of place (:mod:`dyad_core.ops.plain`):
functionalization replays a mutated view by inverting it, which these strides do not admit (torch 2.13: "Cannot view
a tensor with shape …"), and a compiler fuses them anyway.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from dyad_core.geometry import Variant
from dyad_core.ops.backward import gradients, learns, mapped, save_operands
from dyad_core.ops.layout import is_direct, is_forward_mode, neighbours, trans_blocks, write_interleaved
from dyad_core.ops.plain import linear_traced
from dyad_core.ops.registry import Implementation, register

__all__ = ["linear_eager", "product"]

# Larger copies leave the cache and, fresh from the system, are paid for in page faults. Tried 2, 4, 8, 16 MiB and all
# at once (Zen 4, float32, one thread, process time): 8 MiB is level at 512 tokens and best or near it at 2048 and 4096,
# for example dt 4096→1024, n = 8, 4096 tokens: 0.78 of the limit against 0.62 all at once.
COPIED_BYTES = 8 << 20


def product(
    input: Tensor,
    weight_blockdiag: Tensor,
    weight_blocktrans: Tensor | None,
    bias: Tensor | None,
    variant: Variant,
    grain: int,
) -> Tensor:
    """Compute the layer without autograd, in place; (T, in_features) → (T, out_features)."""
    n, block_out, _ = weight_blockdiag.shape
    tokens = input.shape[0]
    output = input.new_empty(tokens, n * block_out)
    rows = rows_at_once(input, output, variant)
    for start in range(0, tokens, rows):
        part = slice(start, start + rows)
        write_rows(output[part], input[part], weight_blockdiag, weight_blocktrans, bias, variant, grain)
    return output


def rows_at_once(input: Tensor, output: Tensor, variant: Variant) -> int:
    """Tokens to take at a time, so that gathered and scattered copies stay in the processor's cache.

    A GPU takes all: its caches are no bound here, and each part would be one more launch.
    """
    tokens = max(1, input.shape[0])
    if input.device.type != "cpu":
        return tokens
    copied = (input.shape[1] if variant in ("it", "dt") else 0) + (output.shape[1] if variant in ("ot", "dt") else 0)
    parts = math.ceil(tokens * copied * input.element_size() / COPIED_BYTES)
    return math.ceil(tokens / max(1, parts))


def write_rows(
    output: Tensor,
    input: Tensor,
    weight_blockdiag: Tensor,
    weight_blocktrans: Tensor | None,
    bias: Tensor | None,
    variant: Variant,
    grain: int,
) -> None:
    """Write the result of some tokens into ``output`` (T, out_features), whatever it held before."""
    n = weight_blockdiag.shape[0]
    blocks_out = neighbours(output, n)  # (n, T, block_out), a view
    filled = 1
    if weight_blocktrans is not None and variant != "it":
        gathered = trans_blocks(input, n, grain, is_interleaved=variant == "dt")  # (n, T, block_in)
        scattered = torch.bmm(gathered, weight_blocktrans.mT)  # (n, T, block_out)
        write_interleaved(output, scattered, bias, grain)
    elif bias is not None:
        # The fill copies: bias.expand(1, -1).contiguous() would be the parameter itself at one token.
        output.copy_(bias)
    else:
        filled = 0  # beta=0 below: what the memory held is not read
    if weight_blocktrans is not None and variant == "it":
        gathered = trans_blocks(input, n, grain, is_interleaved=True)
        blocks_out.baddbmm_(gathered, weight_blocktrans.mT, beta=filled)
        filled = 1
    blocks_out.baddbmm_(neighbours(input, n), weight_blockdiag.mT, beta=filled)


class EagerLinear(torch.autograd.Function):
    """The product with its backward; see the module's docstring."""

    forward = staticmethod(product)
    setup_context = staticmethod(save_operands)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        """Gradients of input, both weights and bias, from differentiable operations only."""
        found = gradients(linear_eager, grads[0], ctx.saved_tensors, ctx.variant, ctx.grain, ctx.needs_input_grad)
        return (*found, None, None)

    @staticmethod
    def vmap(info: Any, in_dims: tuple[int | None, ...], *operands: Any) -> tuple[Tensor, int]:
        """Map over a batch; in-place products on views have no batching rule of their own (torch 2.13)."""
        return mapped(linear_eager, info, in_dims, operands)


class DirectEagerLinear(torch.autograd.Function):
    """The same without function transforms: a function with ``setup_context`` costs 100 µs a call (torch 2.13)."""

    @staticmethod
    def forward(ctx: Any, *operands: Any) -> Tensor:
        """Compute the layer; operands as in :func:`product`."""
        ctx.save_for_backward(*operands[:3])
        ctx.variant, ctx.grain = operands[4:]
        return product(*operands)

    backward = EagerLinear.backward


def linear_eager(
    input: Tensor,
    weight_blockdiag: Tensor,
    weight_blocktrans: Tensor | None,
    bias: Tensor | None,
    variant: Variant,
    grain: int,
) -> Tensor:
    """Compute the layer token-major; (T, in_features) → (T, out_features), differentiable twice."""
    operands = (input, weight_blockdiag, weight_blocktrans, bias)
    apply: Callable[..., Tensor] = product
    if not is_direct():
        traced = torch.compiler.is_compiling() or is_forward_mode()
        apply = linear_traced if traced else EagerLinear.apply
    elif torch.is_grad_enabled() and learns(*operands):
        apply = DirectEagerLinear.apply
    return apply(*operands, variant, grain)


register(
    Implementation(
        name="eager",
        summary="token-major batched products accumulating into the strided output, own backward, plain aten",
        apply=linear_eager,
    )
)
