"""Passes and copies of a Triton product: what is read by index calculation and what is copied first.

A GPU reads memory in sectors of 32 bytes and copies asynchronously in pieces of 4, 8 or 16. An index calculation
along a contiguous dimension is free while it yields runs of 16 bytes (grain 8 in bfloat16); below that one gathered
copy is cheaper, because the product reads each value many times.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from dyad_core.geometry import Variant

__all__ = ["CONTIGUOUS_BYTES", "Plan", "by_groups", "make_plan", "readable", "readable_blocks"]

CONTIGUOUS_BYTES = 16


@dataclass(frozen=True)
class Plan:
    """How one product is made.

    Attributes:
        passes: 1 when both components accumulate into one tile; 2 when the BLOCKTRANS product is written by groups
            first and added by the epilogue of the BLOCKDIAG product.
        gathers_input: whether BLOCKTRANS reads a copy of the input in which each group is contiguous.
        by_index: whether BLOCKTRANS reads the interleaved input itself, by index calculation.
        copies_rows: whether ``weight_blockdiag`` is copied so that its rows, which are picked one by one, are contiguous.
    """

    passes: int
    gathers_input: bool
    by_index: bool
    copies_rows: bool


def make_plan(
    input: Tensor,
    weight_blockdiag: Tensor,
    weight_blocktrans: Tensor | None,
    variant: Variant,
    grain: int,
    smallest_cell: int,
) -> Plan:
    """Decide passes and copies.

    Args:
        input: (T, in_features), readable (see :func:`readable`).
        weight_blockdiag: (n_blocks, block_out, block_in).
        weight_blocktrans: the same shape, or None.
        variant: structure.
        grain: run length of the interleave.
        smallest_cell: outputs that a BLOCKDIAG block and a BLOCKTRANS group share, from which on one pass pays.
    """
    if weight_blocktrans is None:
        return Plan(passes=1, gathers_input=False, by_index=False, copies_rows=False)
    n, block_out, _ = weight_blockdiag.shape
    runs_enough = grain * input.element_size() >= CONTIGUOUS_BYTES
    interleaved_input = variant in ("it", "dt")
    by_index = interleaved_input and (runs_enough or input.stride(1) != 1)
    one_pass = variant == "it" or block_out >= n * smallest_cell
    return Plan(
        passes=1 if one_pass else 2,
        gathers_input=interleaved_input and not by_index,
        by_index=by_index,
        copies_rows=one_pass and variant != "it" and weight_blockdiag.stride(2) != 1 and not runs_enough,
    )


def by_groups(features: Tensor, n_blocks: int, grain: int) -> Tensor:
    """Copy (T, features) so that each interleaved group is contiguous: group c at columns c·block … (c+1)·block."""
    return torch.unflatten(features, 1, (-1, n_blocks, grain)).transpose(1, 2).flatten(1)


def readable(matrix: Tensor) -> Tensor:
    """Return the matrix with a unit stride in one dimension, which loads coalesce along; a copy only if it has none."""
    return matrix if 1 in matrix.stride() else matrix.contiguous()


def readable_blocks(weight: Tensor) -> Tensor:
    """Return a weight (n, block_out, block_in) with a unit stride in one of its last two dimensions."""
    return weight if 1 in weight.stride()[1:] else weight.contiguous()
