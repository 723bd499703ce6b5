"""The layer in plain out-of-place operations: what compilers take and derivatives go through."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from dyad_core.geometry import Variant
from dyad_core.ops.backward import gradients, learns
from dyad_core.ops.layout import interleaved, is_transformed, neighbours

__all__ = ["linear_plain", "linear_traced"]


def linear_plain(
    input: Tensor,
    weight_blockdiag: Tensor,
    weight_blocktrans: Tensor | None,
    bias: Tensor | None,
    variant: Variant,
    grain: int,
) -> Tensor:
    """Compute the layer out of place; (T, in_features) → (T, out_features)."""
    n = weight_blockdiag.shape[0]
    output = from_groups(torch.bmm(groups(input, n, None), weight_blockdiag.mT), None)
    if weight_blocktrans is not None:
        gathered = groups(input, n, grain if variant in ("it", "dt") else None)  # (n, T, block_in)
        trans = torch.bmm(gathered, weight_blocktrans.mT)  # (n, T, block_out)
        output = output + from_groups(trans, grain if variant in ("ot", "dt") else None)
    return output if bias is None else output + bias


class TracedLinear(torch.autograd.Function):
    """The same with gradients that are written out, for compilers; see :func:`linear_traced`."""

    @staticmethod
    def forward(ctx: Any, *operands: Any) -> Tensor:
        """Compute the layer; operands as in :func:`linear_plain`."""
        ctx.save_for_backward(*operands[:3])
        ctx.variant, ctx.grain = operands[4:]
        return linear_plain(*operands)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        """Gradients of input, both weights and bias."""
        found = gradients(linear_plain, grads[0], ctx.saved_tensors, ctx.variant, ctx.grain, ctx.needs_input_grad[:4])
        return (*found, None, None)


def linear_traced(
    input: Tensor,
    weight_blockdiag: Tensor,
    weight_blocktrans: Tensor | None,
    bias: Tensor | None,
    variant: Variant,
    grain: int,
) -> Tensor:
    """What a compiler around the layer is shown; (T, in_features) → (T, out_features).

    Plain operations, and to train the gradients written out: autograd's own rule for a batched product gives that of a
    weight transposed, and turning it costs as much as the products of 16 tokens (Zen 4, 1024 → 4096, n = 4, float32:
    step of 6 to 8 ms against 12 to 15). An exported graph has no place for a function of ours, function
    transforms and forward mode have rules for operations, and these take what autograd makes of them.
    """
    operands = (input, weight_blockdiag, weight_blocktrans, bias)
    if torch.compiler.is_exporting() or is_transformed() or not (torch.is_grad_enabled() and learns(*operands)):
        return linear_plain(*operands, variant, grain)
    output: Tensor = TracedLinear.apply(*operands, variant, grain)  # type: ignore[no-untyped-call] # torch types Function.apply so
    return output


def groups(features: Tensor, n_blocks: int, grain: int | None) -> Tensor:
    """Features by group, (T, n·b) → (n, T, b): neighbours without a grain, else runs of it dealt round the groups."""
    return neighbours(features, n_blocks) if grain is None else interleaved(features, n_blocks, grain).flatten(2)


def from_groups(blocks: Tensor, grain: int | None) -> Tensor:
    """The inverse of :func:`groups`, (n, T, b) → (T, n·b)."""
    if grain is None:
        return blocks.transpose(0, 1).flatten(1)
    return torch.unflatten(blocks, 2, (-1, grain)).permute(1, 2, 0, 3).flatten(1)
