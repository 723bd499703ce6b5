"""``transposed``: the weights on the left, for a handful of tokens as in decoding.

A product with 1 to 4 columns reads each weight once and keeps the columns in registers; the same product with 1 to 4
rows on the left is what BLAS does worst. Measured (Zen 4, float32, one thread, weights rotated through twice the
last-level cache, shares of the limit n/2, ``eager`` against this): one token 0.35–0.9 against 1.04–1.5, four tokens
0.6–1.1 against 1.0–1.8; up to 16 tokens it is level or better, beyond nothing is gained.

The interleaved side is gathered before the product, into (n, T, block_in), and passed as a transposed view: gathered
straight into (n, block_in, T) it would be read with a stride.
"""

from __future__ import annotations

import torch
from torch import Tensor

from dyad_core.geometry import Variant
from dyad_core.ops.layout import interleaved, is_direct, neighbours
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
    output = torch.bmm(weight_blockdiag, columns)  # (n, block_out, T)
    if weight_blocktrans is not None:
        if variant in ("it", "dt"):
            columns = interleaved(input, n, grain).contiguous().flatten(2).mT
        trans = torch.bmm(weight_blocktrans, columns)  # (n, block_out, T)
        if variant != "it":
            trans = torch.unflatten(trans, 1, (-1, grain)).transpose(0, 1)  # (block_out/g, n, g, T)
        output = output.reshape(trans.shape) + trans
    output = output.reshape(features, tokens).T
    if bias is None:
        return output.contiguous()
    if torch.is_grad_enabled() or not is_direct():
        return (output + bias).contiguous()
    # One pass adds the bias and lays the result out token-major.
    return torch.add(output, bias, out=input.new_empty(tokens, features))


register(
    Implementation(
        name="transposed",
        summary="the weights on the left of the products, for 1 to 8 tokens; plain aten",
        apply=linear_transposed,
        activation_copies=2,
    )
)
