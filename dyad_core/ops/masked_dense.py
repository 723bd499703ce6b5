"""``masked_dense``: a full dense product with a weight that is zero outside the pattern.

What one does without a structured kernel: nothing is saved in time or activations, only in stored parameters.
The dense weight is written block by block through views, not entry by entry as in ``reference``.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from dyad_core.geometry import Variant
from dyad_core.ops.registry import Implementation, register

__all__ = ["linear_masked_dense"]


def block_rows(weight: Tensor) -> Tensor:
    """A block-diagonal matrix from its blocks, split by block: (n, a, b) → (n, a, n, b), zero off the diagonal."""
    n = weight.shape[0]
    eye = torch.eye(n, dtype=weight.dtype, device=weight.device)
    return weight[:, :, None, :] * eye[:, None, :, None]


def linear_masked_dense(
    input: Tensor,
    weight_blockdiag: Tensor,
    weight_blocktrans: Tensor | None,
    bias: Tensor | None,
    variant: Variant,
    grain: int,
) -> Tensor:
    """Compute ``F.linear`` with the assembled weight; (T, in_features) → (T, out_features)."""
    n, block_out, block_in = weight_blockdiag.shape
    dense = block_rows(weight_blockdiag).reshape(n * block_out, n * block_in)
    if weight_blocktrans is not None:
        trans = block_rows(weight_blocktrans)  # (n, block_out, n, block_in), by groups
        if variant in ("ot", "dt"):
            trans = torch.unflatten(trans, 1, (-1, grain)).transpose(0, 1)  # (block_out/g, n, g, n, block_in)
        trans = trans.reshape(n * block_out, n, block_in)
        if variant in ("it", "dt"):
            trans = torch.unflatten(trans, 2, (-1, grain)).transpose(1, 2)  # (out_features, block_in/g, n, g)
        dense = dense + trans.reshape(n * block_out, n * block_in)
    return F.linear(input, dense, bias)


register(
    Implementation(
        name="masked_dense",
        summary="a dense product with a weight that is zero outside the pattern; saves nothing in time",
        apply=linear_masked_dense,
        dense_copies=5,
    )
)
