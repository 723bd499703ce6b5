"""``transposed``: the weights on the left, for a handful of tokens as in decoding.

A product with 1 to 4 columns reads each weight once and keeps the columns in registers; the same product with 1 to 4
rows on the left is what BLAS does worst. Measured (Zen 4, float32, one thread, weights rotated through twice the
last-level cache, shares of the limit n/2, ``eager`` against this): one token 0.35–0.9 against 1.04–1.5, four tokens
0.6–1.1 against 1.0–1.8; at 8 tokens it depends on the shape, from 16 on nothing is gained.

The interleaved side is gathered before the product, into (n, T, block_in), and passed as a transposed view: gathered
straight into (n, block_in, T) it would be read with a stride.
"""

from __future__ import annotations

import torch
from torch import Tensor

from dyad_core.geometry import Variant
from dyad_core.ops.layout import interleaved, neighbours
from dyad_core.ops.registry import Implementation, register

__all__ = ["linear_transposed"]


def linear_transposed(
    input: Tensor,
    weight_blockdiag: Tensor,
    weight_blocktrans: Tensor | None,
    bias: Tensor | None,
    variant: Variant,
    grain: int,
) -> Tensor:
    """Compute the layer; (T, in_features) → (T, out_features), differentiable by autograd's own rules."""
    n, block_out, _ = weight_blockdiag.shape
    tokens, features = input.shape[0], n * block_out
    columns = neighbours(input, n).mT  # (n, block_in, T)
    if bias is None:
        output = torch.bmm(weight_blockdiag, columns)  # (n, block_out, T)
    else:
        output = torch.baddbmm(torch.unflatten(bias, 0, (n, block_out))[:, :, None], weight_blockdiag, columns)
    if weight_blocktrans is not None:
        if variant in ("it", "dt"):
            columns = interleaved(input, n, grain).contiguous().flatten(2).mT
        if variant == "it":
            output = torch.baddbmm(output, weight_blocktrans, columns)
        else:
            trans = torch.unflatten(torch.bmm(weight_blocktrans, columns), 1, (-1, grain))  # (n, block_out/g, g, T)
            output = output.reshape(features, tokens) + trans.transpose(0, 1).reshape(features, tokens)
    return output.reshape(features, tokens).T.contiguous()


register(
    Implementation(
        name="transposed",
        summary="the weights on the left of the products, for 1 to 8 tokens; plain aten",
        apply=linear_transposed,
        activation_copies=2,
    )
)
