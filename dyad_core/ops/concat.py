"""``concat``: both components as one batched product; the paper's -CAT for ``it``.

Which dimension is doubled follows from what the components share. In ``it`` they write the same output blocks, so
their inputs and weights are concatenated along the inner dimension and the sum is part of the product. In ``ot``
they read the same input blocks, so the weights are concatenated along the outputs. In ``dt`` they share
neither, so the batch is doubled.
"""

from __future__ import annotations

import torch
from torch import Tensor

from dyad_core.geometry import Variant
from dyad_core.ops.layout import neighbours, trans_blocks
from dyad_core.ops.registry import Implementation, register

__all__ = ["linear_concat"]


def linear_concat(
    input: Tensor,
    weight_blockdiag: Tensor,
    weight_blocktrans: Tensor | None,
    bias: Tensor | None,
    variant: Variant,
    grain: int,
) -> Tensor:
    """Compute the layer by one batched product; (T, in_features) → (T, out_features)."""
    n, block_out, _ = weight_blockdiag.shape
    rows = input.shape[0]
    plain = neighbours(input, n)  # (n, T, block_in)
    if weight_blocktrans is None:
        output = token_major(torch.bmm(plain, weight_blockdiag.mT))
    elif variant == "it":
        gathered = trans_blocks(input, n, grain, is_interleaved=True)
        both = torch.cat((plain, gathered), dim=2)  # (n, T, 2·block_in)
        output = token_major(torch.bmm(both, torch.cat((weight_blockdiag, weight_blocktrans), dim=2).mT))
    else:
        if variant == "ot":
            both = torch.bmm(plain, torch.cat((weight_blockdiag, weight_blocktrans), dim=1).mT)  # (n, T, 2·block_out)
            direct, trans = torch.split(both, block_out, dim=2)
        else:
            inputs = torch.cat((plain, trans_blocks(input, n, grain, is_interleaved=True)))  # (2n, T, block_in)
            both = torch.bmm(inputs, torch.cat((weight_blockdiag, weight_blocktrans)).mT)  # (2n, T, block_out)
            direct, trans = torch.split(both, n)
        scattered = torch.unflatten(trans, 2, (-1, grain)).permute(1, 2, 0, 3)  # (T, block_out/g, n, g)
        output = token_major(direct) + scattered.reshape(rows, n * block_out)
    return output if bias is None else output + bias


def token_major(blocks: Tensor) -> Tensor:
    """(n, T, block_out) → (T, out_features), a copy."""
    return blocks.transpose(0, 1).flatten(1)


register(
    Implementation(
        name="concat",
        summary="both components in one batched product over a doubled dimension (the paper's -CAT for it)",
        apply=linear_concat,
        activation_copies=2,
    )
)
