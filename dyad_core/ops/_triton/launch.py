"""Running the kernel: output, strides, grid. The only module that imports triton, and only when a product is made."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import torch
import triton.language as tl
from torch import Tensor

from dyad_core.geometry import Variant
from dyad_core.ops._triton import plan as planning
from dyad_core.ops._triton.kernel import dyad_kernel
from dyad_core.ops._triton.settings import SMALLEST_CELL, Settings, Shape, device_name, settings_for, table

__all__ = ["product", "run"]

OFFSETS_32_BITS = 2**31


def product(
    input: Tensor,
    weight_blockdiag: Tensor,
    weight_blocktrans: Tensor | None,
    bias: Tensor | None,
    variant: Variant,
    grain: int,
    activation: str = "none",
    *,
    settings: Settings | None = None,
    smallest_cell: int | None = None,
) -> Tensor:
    """Compute ``activation(x @ W.T + bias)`` without autograd; (T, in_features) → (T, out_features).

    Args:
        input: (T, in_features), any strides.
        weight_blockdiag: (n_blocks, block_out, block_in), any strides.
        weight_blocktrans: the same shape, or None.
        bias: (out_features,) or None.
        variant: structure.
        grain: run length of the interleave.
        activation: "none", "relu", "gelu" or "silu".
        settings: tile sizes; by default the measured ones, or the rule's.
        smallest_cell: from which cell on ``ot`` and ``dt`` take one pass; by default what was measured.
    """
    n, block_out, _ = weight_blockdiag.shape
    y = input.new_empty(input.shape[0], n * block_out)
    if y.numel() == 0:
        return y
    if smallest_cell is None:
        measured = table(device_name(input.device))
        smallest_cell = measured.smallest_cell if measured else SMALLEST_CELL
    x, diag = planning.readable(input), planning.readable_blocks(weight_blockdiag)
    trans = None if weight_blocktrans is None else planning.readable_blocks(weight_blocktrans)
    plan = planning.make_plan(x, diag, trans, variant, grain, smallest_cell)
    groups = planning.by_groups(x, n, grain) if plan.gathers_input else x
    if plan.copies_rows:
        diag = diag.contiguous()
    with on_device(input):
        if plan.passes == 1:
            run(
                y,
                x,
                groups,
                diag,
                trans,
                bias,
                None,
                grain,
                plan.by_index,
                variant in ("ot", "dt"),
                activation,
                settings,
            )
        else:
            by_groups = torch.empty_like(y)
            run(by_groups, x, groups, None, trans, None, None, grain, plan.by_index, False, "none", settings)
            run(y, x, x, diag, None, bias, by_groups, grain, False, False, activation, settings)
    return y


def run(
    y: Tensor,
    x: Tensor,
    groups: Tensor,
    diag: Tensor | None,
    trans: Tensor | None,
    bias: Tensor | None,
    addend: Tensor | None,
    grain: int,
    by_index: bool,
    cells: bool,
    activation: str,
    settings: Settings | None,
) -> None:
    """Launch the kernel once; the components that are None are left out, see :func:`.kernel.dyad_kernel`."""
    present = diag if diag is not None else trans
    if present is None:
        return
    n, block_out, block_in = present.shape
    tokens = x.shape[0]
    columns = grain * -(-block_out // (grain * n)) if cells else block_out  # of the largest cell
    precision = matmul_precision(x)
    if settings is None:
        shape = Shape(tokens, columns, block_in, n * n if cells else n, present.stride(2) != 1)
        dtype = precision if x.dtype == torch.float32 else str(x.dtype).removeprefix("torch.")
        settings = settings_for(device_name(x.device), dtype, x.element_size(), shape)
    cell_tiles = -(-columns // settings.block_n)
    programs = -(-tokens // settings.block_m) * n * (n if cells else 1) * cell_tiles
    diag_like, trans_like = present if diag is None else diag, present if trans is None else trans
    arguments: dict[str, Any] = {
        "CELL_TILES": cell_tiles,
        "BLOCK_IN": block_in,
        "BLOCK_OUT": block_out,
        "N_BLOCKS": n,
        "GRAIN": grain,
        "DIAG": diag is not None,
        "TRANS": trans is not None,
        "CELLS": cells,
        "INTERLEAVED": by_index,
        "BIAS": bias is not None,
        "ADDEND": addend is not None,
        "ACTIVATION": activation,
        "TOTAL": tl.float64 if x.dtype == torch.float64 else tl.float32,
        "PRECISION": precision,
        "WIDE": any(reach(operand) >= OFFSETS_32_BITS for operand in (x, groups, diag_like, trans_like, y)),
        "BLOCK_M": settings.block_m,
        "BLOCK_N": settings.block_n,
        "BLOCK_K": settings.block_k,
        "GROUP_M": settings.group_m,
        "RUN": grain & -grain,
        "enable_fp_fusion": True,  # said aloud: its default changes in triton 3.10
        "num_warps": settings.warps,
        "num_stages": settings.stages,
    }
    dyad_kernel[(programs,)](
        x,
        groups,
        diag_like,
        trans_like,
        y if bias is None else bias.contiguous(),
        y if addend is None else addend,
        y,
        tokens,
        *x.stride(),
        *groups.stride(),
        *diag_like.stride(),
        *trans_like.stride(),
        **arguments,
    )


def reach(operand: Tensor) -> int:
    """One more than the largest offset that an index into the operand yields."""
    return 1 + sum((size - 1) * stride for size, stride in zip(operand.shape, operand.stride(), strict=True))


def matmul_precision(x: Tensor) -> str:
    """How float32 factors are multiplied: as torch does for its own products ("tf32" only where that was asked for)."""
    return "tf32" if x.dtype == torch.float32 and torch.backends.cuda.matmul.fp32_precision == "tf32" else "ieee"


@contextlib.contextmanager
def on_device(input: Tensor) -> Iterator[None]:
    """Make the input's GPU the current one: triton launches there."""
    if input.is_cuda and input.device.index != torch.cuda.current_device():
        with torch.cuda.device(input.device):
            yield
    else:
        yield
