"""Products into and out of a hidden activation that lies feature-major, (hidden, T).

There an interleaved group is a set of whole rows with unit stride along the tokens, which BLAS takes as it is. So
between two layers the wide side is written once and read where it lies; only the narrow, token-major side is ever
gathered or scattered. A grain g > 1 makes g products of every g-th row.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from dyad_core.geometry import Variant
from dyad_core.ops.layout import neighbours, trans_blocks, write_interleaved

__all__ = ["from_hidden", "narrow_groups", "to_hidden", "weight_gradient"]

Weights = tuple[Tensor, Tensor | None]
"""BLOCKDIAG and BLOCKTRANS, each (n, block_out, block_in); the second None for ``bd``."""


def narrow_groups(features: Tensor, weight: Tensor, grain: int, *, is_interleaved: bool) -> Tensor:
    """BLOCKTRANS groups of the token-major side: (T, n·b) → (n, T, b), a gathered copy if interleaved."""
    return trans_blocks(features, weight.shape[0], grain, is_interleaved=is_interleaved)


def rows(hidden: Tensor, n_blocks: int, grain: int | None) -> Iterator[tuple[slice, Tensor]]:
    """Rows of each block as strided views (n, b/g, T), with the positions inside the block that they are.

    ``grain`` None: neighbours, one view. Otherwise interleaved groups, one view for each of the g places in a run.
    """
    if grain is None:
        yield slice(None), torch.unflatten(hidden, 0, (n_blocks, -1))
        return
    runs = torch.unflatten(hidden, 0, (-1, n_blocks, grain))  # (b/g, n, g, T)
    for place in range(grain):
        yield slice(place, None, grain), runs[:, :, place].transpose(0, 1)


def to_hidden(
    hidden: Tensor,
    input: Tensor,
    groups: Tensor | None,
    weights: Weights,
    bias: Tensor | None,
    variant: Variant,
    grain: int,
) -> None:
    """Write the layer's result into ``hidden`` (hidden, T); no autograd.

    Args:
        hidden: (out_features, T), contiguous; what it holds is not read.
        input: (T, in_features).
        groups: BLOCKTRANS groups of the input, (n, T, block_in); None for ``bd``.
        weights: both components.
        bias: (out_features,) or None.
        variant: of the layer.
        grain: of the layer.
    """
    blockdiag, blocktrans = weights
    n = blockdiag.shape[0]
    if bias is not None:
        hidden.copy_(bias[:, None])
    filled = 0 if bias is None else 1
    torch.unflatten(hidden, 0, (n, -1)).baddbmm_(blockdiag, neighbours(input, n).mT, beta=filled)
    if blocktrans is not None and groups is not None:
        for places, target in rows(hidden, n, grain if variant in ("ot", "dt") else None):
            target.baddbmm_(blocktrans[:, places], groups.mT)


def from_hidden(
    output: Tensor, hidden: Tensor, weights: Weights, bias: Tensor | None, variant: Variant, grain: int
) -> None:
    """Write the layer's result for a feature-major input into ``output`` (T, out_features); no autograd.

    Args:
        output: (T, out_features), contiguous; what it holds is not read.
        hidden: (in_features, T).
        weights: both components.
        bias: (out_features,) or None.
        variant: of the layer.
        grain: of the layer.
    """
    blockdiag, blocktrans = weights
    n = blockdiag.shape[0]
    blocks = neighbours(output, n)  # (n, T, block_out), a view
    inner = grain if variant in ("it", "dt") else None
    filled = 1
    if blocktrans is not None and variant in ("ot", "dt"):
        scattered = output.new_empty(n, output.shape[0], blocktrans.shape[1])
        for number, (places, source) in enumerate(rows(hidden, n, inner)):
            scattered.baddbmm_(source.mT, blocktrans[:, :, places].mT, beta=min(number, 1))
        write_interleaved(output, scattered, bias, grain)
    elif bias is not None:
        output.copy_(bias)
    else:
        filled = 0
    blocks.baddbmm_(torch.unflatten(hidden, 0, (n, -1)).mT, blockdiag.mT, beta=filled)
    if blocktrans is not None and variant == "it":
        for places, source in rows(hidden, n, inner):
            blocks.baddbmm_(source.mT, blocktrans[:, :, places].mT)


def weight_gradient(hidden: Tensor, narrow: Tensor, grain: int | None, *, hidden_first: bool) -> Tensor:
    """Sum over tokens of hidden row times narrow feature, per block; no autograd.

    Args:
        hidden: (hidden, T).
        narrow: blocks of the token-major side, (n, T, b).
        grain: None where the hidden side of the component is plain.
        hidden_first: whether the hidden side is the layer's output (fc1) or its input (fc2).

    Returns:
        (n, block of hidden, b), or (n, b, block of hidden).
    """
    n, _, size = narrow.shape
    block = hidden.shape[0] // n
    found = narrow.new_empty((n, block, size) if hidden_first else (n, size, block))
    for places, source in rows(hidden, n, grain):
        if hidden_first:
            found[:, places] = torch.bmm(source, narrow)
        else:
            found[:, :, places] = torch.bmm(narrow.mT, source.mT)
    return found
