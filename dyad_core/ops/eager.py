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
from typing import Any

import torch
from torch import Tensor

from dyad_core.geometry import Variant
from dyad_core.ops.registry import Implementation, register

__all__ = ["linear_eager"]

# Larger copies leave the cache and, fresh from the system, are paid for in page faults. Tried 2, 4, 8, 16 MiB and all
# at once (Zen 4, float32, one thread, process time): 8 MiB is level at 512 tokens and best or near it at 2048 and 4096,
# for example dt 4096→1024, n = 8, 4096 tokens: 0.78 of the limit against 0.62 all at once.
COPIED_BYTES = 8 << 20

TRANSPOSED: dict[Variant, Variant] = {"it": "ot", "ot": "it", "dt": "dt", "bd": "bd"}


def neighbours(features: Tensor, n_blocks: int) -> Tensor:
    """Blocks of neighbouring features as a view: (T, n·b) → (n, T, b)."""
    return torch.unflatten(features, 1, (n_blocks, -1)).transpose(0, 1)


def interleaved(features: Tensor, n_blocks: int, grain: int) -> Tensor:
    """Interleaved groups as a view: (T, n·b) → (n, T, b/g, g); feature i sits in group (i // g) % n."""
    return torch.unflatten(features, 1, (-1, n_blocks, grain)).permute(2, 0, 1, 3)


def trans_blocks(features: Tensor, n_blocks: int, grain: int, *, is_interleaved: bool) -> Tensor:
    """BLOCKTRANS groups of one side, (T, n·b) → (n, T, b): a gathered copy if interleaved, else a view."""
    if is_interleaved:
        return interleaved(features, n_blocks, grain).flatten(2)
    return neighbours(features, n_blocks)


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
        source = torch.unflatten(scattered, 2, (-1, grain))  # (n, T, block_out/g, g)
        target = interleaved(output, n, grain)
        if bias is None:
            target.copy_(source)
        else:
            torch.add(source, interleaved(bias[None], n, grain), out=target)
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


def product_traced(
    input: Tensor,
    weight_blockdiag: Tensor,
    weight_blocktrans: Tensor | None,
    bias: Tensor | None,
    variant: Variant,
    grain: int,
) -> Tensor:
    """Compute the same sums out of place, for tracing; (T, in_features) → (T, out_features).

    Functionalization replays a mutated view by inverting the view, which these strides do not admit (torch 2.13:
    "Cannot view a tensor with shape …"). A compiler fuses the additions anyway.
    """
    n, block_out, _ = weight_blockdiag.shape
    tokens, features = input.shape[0], n * block_out
    blocks = torch.bmm(neighbours(input, n), weight_blockdiag.mT)  # (n, T, block_out)
    output = blocks.transpose(0, 1).reshape(tokens, features)
    if weight_blocktrans is not None:
        gathered = trans_blocks(input, n, grain, is_interleaved=variant in ("it", "dt"))  # (n, T, block_in)
        trans = torch.bmm(gathered, weight_blocktrans.mT)  # (n, T, block_out)
        if variant == "it":
            output = output + trans.transpose(0, 1).reshape(tokens, features)
        else:
            scattered = torch.unflatten(trans, 2, (-1, grain)).permute(1, 2, 0, 3)  # (T, block_out/g, n, g)
            output = output + scattered.reshape(tokens, features)
    return output if bias is None else output + bias


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
        """Compute the layer; shapes as in :func:`product`."""
        compute = product_traced if torch.compiler.is_compiling() else product
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


def linear_eager(
    input: Tensor,
    weight_blockdiag: Tensor,
    weight_blocktrans: Tensor | None,
    bias: Tensor | None,
    variant: Variant,
    grain: int,
) -> Tensor:
    """Compute the layer token-major; (T, in_features) → (T, out_features), differentiable twice."""
    output: Tensor = EagerLinear.apply(  # type: ignore[no-untyped-call] # torch types Function.apply so
        input, weight_blockdiag, weight_blocktrans, bias, variant, grain
    )
    return output


register(
    Implementation(
        name="eager",
        summary="token-major batched products accumulating into the strided output, own backward, plain aten",
        apply=linear_eager,
    )
)
