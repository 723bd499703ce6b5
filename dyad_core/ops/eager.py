"""``eager``: token-major batched products that accumulate into the strided output, with their own backward.

Blocks of neighbours are views of the token-major input and output: (T, n·b) seen as (n, T, b) has unit
stride along b, which BLAS takes as it is. Only an interleaved side has no unit stride and costs one copy:
a gather before the product (input side) or one scattering addition after it (output side).

The backward needs no kernel of its own: the transpose of an ``ot`` weight has the pattern of ``it``, so the
input gradient is this same forward with the variant transposed, and the weight gradients are two batched
products. All are plain aten operations, so tracing and compiling see through them, and differentiating
the backward works too.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from dyad_core.geometry import Variant
from dyad_core.ops.layout import TRANSPOSED, is_direct, neighbours, trans_blocks, write_interleaved
from dyad_core.ops.plain import linear_plain
from dyad_core.ops.registry import Implementation, register

__all__ = ["TRANSPOSED", "linear_eager", "neighbours", "trans_blocks"]

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

    @staticmethod
    def forward(
        input: Tensor,
        weight_blockdiag: Tensor,
        weight_blocktrans: Tensor | None,
        bias: Tensor | None,
        variant: Variant,
        grain: int,
    ) -> Tensor:
        """Compute the layer; shapes as in :func:`product`.

        Tracing takes the same sums out of place: functionalization replays a mutated view by inverting it, which
        these strides do not admit (torch 2.13: "Cannot view a tensor with shape …"), and a compiler fuses them anyway.
        """
        compute = linear_plain if torch.compiler.is_compiling() else product
        return compute(input, weight_blockdiag, weight_blocktrans, bias, variant, grain)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:  # noqa: ARG004 - torch's signature
        """Save the input and the weights: no activation beyond what the dense twin saves."""
        input_, weight_blockdiag, weight_blocktrans, _, ctx.variant, ctx.grain = inputs
        ctx.save_for_backward(input_, weight_blockdiag, weight_blocktrans)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        """Gradients of input, both weights and bias, from differentiable operations only."""
        (grad,) = grads  # (T, out_features)
        input_, weight_blockdiag, weight_blocktrans = ctx.saved_tensors
        variant, grain, n = ctx.variant, ctx.grain, weight_blockdiag.shape[0]
        grad_input = grad_blockdiag = grad_blocktrans = grad_bias = None
        if ctx.needs_input_grad[0]:
            transposed_trans = None if weight_blocktrans is None else weight_blocktrans.mH
            grad_input = linear_eager(grad, weight_blockdiag.mH, transposed_trans, None, TRANSPOSED[variant], grain)
        if ctx.needs_input_grad[1]:
            grad_blockdiag = torch.bmm(neighbours(grad, n).mT, neighbours(input_, n).conj())
        if ctx.needs_input_grad[2]:
            grad_groups = trans_blocks(grad, n, grain, is_interleaved=variant in ("ot", "dt"))  # (n, T, block_out)
            groups = trans_blocks(input_, n, grain, is_interleaved=variant in ("it", "dt"))  # (n, T, block_in)
            grad_blocktrans = torch.bmm(grad_groups.mT, groups.conj())
        if ctx.needs_input_grad[3]:
            grad_bias = grad.sum(0)
        return grad_input, grad_blockdiag, grad_blocktrans, grad_bias, None, None

    @staticmethod
    def vmap(info: Any, in_dims: tuple[int | None, ...], *operands: Any) -> tuple[Tensor, int]:
        """Map over a batch: more rows when only the input has one, one product per weight otherwise.

        In-place products on views have no batching rule of their own (torch 2.13).
        """
        tensors, settings, dims = operands[:4], operands[4:], in_dims[:4]
        if dims[0] is not None and dims[1:] == (None, None, None):
            batched = tensors[0].movedim(dims[0], 0)  # (B, T, in_features)
            output = linear_eager(batched.flatten(0, 1), *tensors[1:], *settings)
            return torch.unflatten(output, 0, batched.shape[:2]), 0
        outputs = []
        for index in range(info.batch_size):
            chosen = [
                tensor if dim is None else tensor.select(dim, index) for tensor, dim in zip(tensors, dims, strict=True)
            ]
            outputs.append(linear_eager(*chosen, *settings))
        return torch.stack(outputs), 0


class DirectEagerLinear(torch.autograd.Function):
    """The same without function transforms: a function with ``setup_context`` costs 100 µs a call (torch 2.13)."""

    @staticmethod
    def forward(ctx: Any, *operands: Any) -> Tensor:
        """Compute the layer; operands as in :func:`product`."""
        EagerLinear.setup_context(ctx, operands, operands[0])
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
        apply = EagerLinear.apply
    elif torch.is_grad_enabled() and any(tensor is not None and tensor.requires_grad for tensor in operands):
        apply = DirectEagerLinear.apply
    return apply(*operands, variant, grain)


register(
    Implementation(
        name="eager",
        summary="token-major batched products accumulating into the strided output, own backward, plain aten",
        apply=linear_eager,
    )
)
