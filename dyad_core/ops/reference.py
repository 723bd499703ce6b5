"""``reference``: through the dense matrix. Slow, obvious, and the oracle for everything else.

The weight is assembled entry by entry from the index definition in :mod:`dyad_core.geometry`; where both
components meet, the dense weight is their sum. Gradients are autograd's own.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from dyad_core.geometry import DyadGeometry, Variant
from dyad_core.ops.registry import Implementation, register

__all__ = ["dense_weight", "linear_reference", "project_dense"]


def geometry_of(weight_blockdiag: Tensor, variant: Variant, grain: int) -> DyadGeometry:
    """Geometry of a weight from its shape (n_blocks, block_out, block_in)."""
    n, block_out, block_in = weight_blockdiag.shape
    return DyadGeometry(n * block_in, n * block_out, n, variant, grain)


def component_index(geometry: DyadGeometry, component: str, device: torch.device) -> tuple[Tensor, Tensor]:
    """Rows (n, block_out, 1) and columns (n, 1, block_in) of the dense matrix where a component's entries lie."""
    if component == "blockdiag":
        outputs = torch.arange(geometry.out_features, device=device).view(geometry.n_blocks, -1)
        inputs = torch.arange(geometry.in_features, device=device).view(geometry.n_blocks, -1)
    else:
        outputs = torch.from_numpy(geometry.output_side.members()).to(device)
        inputs = torch.from_numpy(geometry.input_side.members()).to(device)
    return outputs[:, :, None], inputs[:, None, :]


def dense_weight(
    weight_blockdiag: Tensor, weight_blocktrans: Tensor | None, *, variant: Variant = "it", grain: int = 1
) -> Tensor:
    """Assemble the dense weight, shape (out_features, in_features); differentiable in both components.

    Args:
        weight_blockdiag: (n_blocks, block_out, block_in).
        weight_blocktrans: the same shape, or None for ``bd``.
        variant: which sides BLOCKTRANS permutes.
        grain: run length of the interleave.
    """
    geometry = geometry_of(weight_blockdiag, variant, grain)
    dense = weight_blockdiag.new_zeros(geometry.out_features, geometry.in_features)
    for component, weight in (("blockdiag", weight_blockdiag), ("blocktrans", weight_blocktrans)):
        if weight is not None:
            rows, columns = component_index(geometry, component, weight.device)
            dense = dense.index_put((rows, columns), weight, accumulate=True)
    return dense


def linear_reference(
    input: Tensor,
    weight_blockdiag: Tensor,
    weight_blocktrans: Tensor | None,
    bias: Tensor | None,
    variant: Variant,
    grain: int,
) -> Tensor:
    """Compute ``F.linear(input, dense_weight(...), bias)``; (T, in_features) → (T, out_features)."""
    weight = dense_weight(weight_blockdiag, weight_blocktrans, variant=variant, grain=grain)
    return F.linear(input, weight, bias)


def project_dense(dense: Tensor, geometry: DyadGeometry) -> tuple[Tensor, Tensor | None]:
    """The DYAD weight nearest to a dense one in the Frobenius norm: (weight_blockdiag, weight_blocktrans).

    The nearest matrix of the pattern keeps the entries inside it and drops the rest. A position that both
    components hold is split half and half, the split of smallest norm. This is lossy: for an unstructured
    weight the relative error is √(1-density), 0.75 at n = 4.

    Args:
        dense: (out_features, in_features).
        geometry: the pattern to project on; sizes must equal those of ``dense``.
    """
    rows, columns = component_index(geometry, "blockdiag", dense.device)
    blockdiag = dense[rows, columns]
    if geometry.variant == "bd":
        return blockdiag, None
    trans_rows, trans_columns = component_index(geometry, "blocktrans", dense.device)
    blocktrans = dense[trans_rows, trans_columns]
    group_in = torch.empty(geometry.in_features, dtype=torch.long, device=dense.device)
    group_out = torch.empty(geometry.out_features, dtype=torch.long, device=dense.device)
    blocks = torch.arange(geometry.n_blocks, device=dense.device)
    group_in[trans_columns.squeeze(1)] = blocks[:, None]
    group_out[trans_rows.squeeze(2)] = blocks[:, None]
    in_blocktrans = group_out[rows] == group_in[columns]
    in_blockdiag = trans_rows // geometry.block_out == trans_columns // geometry.block_in
    return torch.where(in_blocktrans, blockdiag / 2, blockdiag), torch.where(in_blockdiag, blocktrans / 2, blocktrans)


register(
    Implementation(
        name="reference",
        summary="through the dense matrix; slow and obviously right, the oracle of all tests",
        apply=linear_reference,
        dense_copies=2,
    )
)
