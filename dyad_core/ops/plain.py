"""The layer and its gradients in plain out-of-place operations: what compilers take and derivatives go through."""

from __future__ import annotations

import torch
from torch import Tensor

from dyad_core.geometry import Variant

__all__ = ["gradients", "linear_plain"]


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


def gradients(
    grad: Tensor,
    input: Tensor,
    weight_blockdiag: Tensor,
    weight_blocktrans: Tensor | None,
    variant: Variant,
    grain: int,
    wanted: tuple[bool, ...],
) -> list[Tensor | None]:
    """Gradients of input, both weights and bias for the output gradient ``grad`` (T, out_features), None if not wanted."""
    n = weight_blockdiag.shape[0]
    inner, outer = (grain if variant in ("it", "dt") else None), (grain if variant in ("ot", "dt") else None)
    plain_grad, trans_grad = groups(grad, n, None), groups(grad, n, outer)  # (n, T, block_out)
    grad_input = grad_blockdiag = grad_blocktrans = grad_bias = None
    if wanted[0]:
        grad_input = from_groups(torch.bmm(plain_grad, weight_blockdiag), None)
        if weight_blocktrans is not None:
            grad_input = grad_input + from_groups(torch.bmm(trans_grad, weight_blocktrans), inner)
    if wanted[1]:
        grad_blockdiag = torch.bmm(plain_grad.mT, groups(input, n, None))
    if wanted[2]:
        grad_blocktrans = torch.bmm(trans_grad.mT, groups(input, n, inner))
    if wanted[3]:
        grad_bias = grad.sum(0)
    return [grad_input, grad_blockdiag, grad_blocktrans, grad_bias]


def groups(features: Tensor, n_blocks: int, grain: int | None) -> Tensor:
    """Features by group, (T, n·b) → (n, T, b): neighbours without a grain, else runs of it dealt round the groups."""
    if grain is None:
        return torch.unflatten(features, 1, (n_blocks, -1)).transpose(0, 1)
    return torch.unflatten(features, 1, (-1, n_blocks, grain)).permute(2, 0, 1, 3).flatten(2)


def from_groups(blocks: Tensor, grain: int | None) -> Tensor:
    """The inverse of :func:`groups`, (n, T, b) → (T, n·b)."""
    if grain is None:
        return blocks.transpose(0, 1).flatten(1)
    return torch.unflatten(blocks, 2, (-1, grain)).permute(1, 2, 0, 3).flatten(1)
