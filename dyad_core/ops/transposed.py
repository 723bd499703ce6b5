"""``transposed``: the weights on the left, for a handful of tokens as in decoding.

A product with 1 to 4 columns reads each weight once and keeps the columns in registers; the same product with 1 to 4
rows on the left is what BLAS does worst. Measured (Zen 4, float32, one thread, weights rotated through twice the
last-level cache, shares of the limit n/2, ``eager`` against this): one token 0.35–0.9 against 1.04–1.5, four tokens
0.6–1.1 against 1.0–1.8; up to 16 tokens it is level or better, beyond nothing is gained.

The interleaved side is gathered before the product, into (n, T, block_in), and passed as a transposed view: gathered
straight into (n, block_in, T) it would be read with a stride. One token has one layout only, so it needs no
transposition, and bias and second component are what the products accumulate into: 10 µs of calls instead of 19.
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
    if tokens == 1:
        return one_token(input, weight_blockdiag, weight_blocktrans, bias, variant, grain)
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


def one_token(
    input: Tensor,
    weight_blockdiag: Tensor,
    weight_blocktrans: Tensor | None,
    bias: Tensor | None,
    variant: Variant,
    grain: int,
) -> Tensor:
    """Compute the layer for one token; (1, in_features) → (1, out_features)."""
    n, block_out, block_in = weight_blockdiag.shape
    columns = input.reshape(n, 1, block_in).mT  # (n, block_in, 1)
    if bias is None:
        output = torch.bmm(weight_blockdiag, columns)  # (n, block_out, 1)
    else:
        output = torch.baddbmm(bias.reshape(n, block_out, 1), weight_blockdiag, columns)
    if weight_blocktrans is None:
        return output.reshape(1, -1)
    if variant in ("it", "dt"):
        columns = input.reshape(-1, n, grain).transpose(0, 1).contiguous().reshape(n, 1, block_in).mT
    if variant == "it":
        return torch.baddbmm(output, weight_blocktrans, columns).reshape(1, -1)
    trans = torch.bmm(weight_blocktrans, columns).reshape(n, -1, grain).transpose(0, 1)  # (block_out/g, n, g)
    return (output.reshape(trans.shape) + trans).reshape(1, -1)


register(
    Implementation(
        name="transposed",
        summary="the weights on the left of the products, for 1 to 8 tokens; plain aten",
        apply=linear_transposed,
        activation_copies=2,
    )
)
