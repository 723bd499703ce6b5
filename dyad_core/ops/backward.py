"""What the autograd functions of the implementations share: saved operands, gradients, the batching rule.

The transpose of an ``ot`` weight has the pattern of ``it``, so the gradient of the input is the layer itself with the
variant transposed. Those of the weights are batched products over the tokens. All are plain aten operations, so
tracing sees through them and gradients have gradients. A batch of inputs alone is more tokens.

There is no rule for forward-mode derivatives: inside of another one, torch drops what a rule of ours depends on and
says nothing (torch 2.13, pytorch/pytorch#197867). They take :func:`dyad_core.ops.plain.linear_plain` instead.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from dyad_core.geometry import Variant
from dyad_core.ops.layout import TRANSPOSED, gather, neighbours

__all__ = ["Layer", "gradients", "learns", "mapped", "save_operands"]

Layer = Callable[..., Tensor]
"""(input, weight_blockdiag, weight_blocktrans, bias, variant, grain, …) → (T, out_features), differentiable."""


def learns(input: Tensor, weight_blockdiag: Tensor, weight_blocktrans: Tensor | None, bias: Tensor | None) -> bool:
    """Whether an operand wants a gradient. Ask ``torch.is_grad_enabled()`` first: inference then saves this call."""
    return (
        input.requires_grad
        or weight_blockdiag.requires_grad
        or (weight_blocktrans is not None and weight_blocktrans.requires_grad)
        or (bias is not None and bias.requires_grad)
    )


def save_operands(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:  # noqa: ARG001 - torch's signature
    """Save the input and the weights, as ``setup_context``: no activation beyond what the dense twin saves."""
    input_, weight_blockdiag, weight_blocktrans, _, ctx.variant, ctx.grain = inputs
    ctx.save_for_backward(input_, weight_blockdiag, weight_blocktrans)


def gradients(
    layer: Layer, grad: Tensor, saved: Sequence[Any], variant: Variant, grain: int, wanted: Sequence[bool]
) -> list[Tensor | None]:
    """Gradients of input, both weights and bias for the output gradient, None where it is not wanted.

    Args:
        layer: what computes the input gradient; differentiable, so that the gradients are.
        grad: (T, out_features).
        saved: input (T, in_features), weight_blockdiag and weight_blocktrans (n, block_out, block_in; None for ``bd``).
        variant: structure.
        grain: run length of the interleave.
        wanted: for input, weight_blockdiag, weight_blocktrans and bias.
    """
    input, weight_blockdiag, weight_blocktrans = saved
    grad_input = grad_blockdiag = grad_blocktrans = grad_bias = None
    if wanted[0]:
        trans = None if weight_blocktrans is None else weight_blocktrans.mH
        grad_input = layer(grad, weight_blockdiag.mH, trans, None, TRANSPOSED[variant], grain)
    if wanted[1] or wanted[2]:
        n = weight_blockdiag.shape[0]
        outer, inner = neighbours(grad, n), neighbours(input, n)  # (n, T, block_out), (n, T, block_in)
        if wanted[1]:
            grad_blockdiag = torch.bmm(outer.mT, inner.conj())
        if wanted[2]:
            outer = gather(grad, n, grain) if variant in ("ot", "dt") else outer
            inner = gather(input, n, grain) if variant in ("it", "dt") else inner
            grad_blocktrans = torch.bmm(outer.mT, inner.conj())
    if wanted[3]:
        grad_bias = grad.sum(0)
    return [grad_input, grad_blockdiag, grad_blocktrans, grad_bias]


def mapped(layer: Layer, info: Any, in_dims: tuple[int | None, ...], operands: Sequence[Any]) -> tuple[Tensor, int]:
    """Batching rule of ``torch.func.vmap``: more rows where only the input has a batch, one product a weight otherwise.

    Args:
        layer: what computes each product.
        info: torch's, with the batch size.
        in_dims: batch dimension of each operand, None where it has none.
        operands: input, both weights, bias, and settings that are handed on.
    """
    tensors, settings, dims = operands[:4], operands[4:], in_dims[:4]
    if dims[0] is not None and dims[1:] == (None, None, None):
        batched = tensors[0].movedim(dims[0], 0)  # (B, T, in_features)
        output = layer(batched.flatten(0, 1), *tensors[1:], *settings)
        return torch.unflatten(output, 0, batched.shape[:2]), 0
    sliced = [
        [tensor] * info.batch_size if dim is None else tensor.unbind(dim)
        for tensor, dim in zip(tensors, dims, strict=True)
    ]
    return torch.stack([layer(*one, *settings) for one in zip(*sliced, strict=True)]), 0
