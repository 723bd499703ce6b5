"""``original``: the published formulation, re-built from its equations, as a token-major drop-in has to call it.

The paper (arXiv 2312.06881, section 2) and its code take the input feature-major, (in_features, T), where BLOCKTRANS
of ``it`` is a transposed view of the blocks and needs no gather. A layer of a transformer gets and gives
token-major activations, so both ends are transposed. Gradients are autograd's own, as in the published code.
It is here to be compared with.
"""

from __future__ import annotations

import torch
from torch import Tensor

from dyad_core.geometry import Variant
from dyad_core.ops.registry import Implementation, register

__all__ = ["linear_original", "product_feature_major"]


def blocks(features: Tensor, n_blocks: int, grain: int, *, interleaved: bool) -> Tensor:
    """BLOCKTRANS groups of a feature-major matrix, (n·b, T) → (n, b, T)."""
    if not interleaved:
        return torch.unflatten(features, 0, (n_blocks, -1))
    return torch.unflatten(features, 0, (-1, n_blocks, grain)).transpose(0, 1).flatten(1, 2)


def product_feature_major(
    features: Tensor,
    weight_blockdiag: Tensor,
    weight_blocktrans: Tensor | None,
    bias: Tensor | None,
    variant: Variant,
    grain: int,
) -> Tensor:
    """Compute the layer in the layout of the published code; (in_features, T) → (out_features, T), contiguous."""
    n, block_out, _ = weight_blockdiag.shape
    output = torch.bmm(weight_blockdiag, torch.unflatten(features, 0, (n, -1))).flatten(0, 1)  # (out_features, T)
    if weight_blocktrans is not None:
        gathered = blocks(features, n, grain, interleaved=variant in ("it", "dt"))  # (n, block_in, T)
        trans = torch.bmm(weight_blocktrans, gathered)  # (n, block_out, T)
        if variant in ("ot", "dt"):
            trans = torch.unflatten(trans, 1, (-1, grain)).transpose(0, 1)  # (block_out/g, n, g, T)
        output = output + trans.reshape(n * block_out, features.shape[1])
    return output if bias is None else output + bias[:, None]


def linear_original(
    input: Tensor,
    weight_blockdiag: Tensor,
    weight_blocktrans: Tensor | None,
    bias: Tensor | None,
    variant: Variant,
    grain: int,
) -> Tensor:
    """Compute the layer through feature-major activations; (T, in_features) → (T, out_features)."""
    return product_feature_major(input.T, weight_blockdiag, weight_blocktrans, bias, variant, grain).T.contiguous()


register(
    Implementation(
        name="original",
        summary="the published formulation, feature-major inside and transposed at both ends; to compare with",
        apply=linear_original,
        activation_copies=2,
    )
)
