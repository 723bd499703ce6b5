"""Views and copies between token-major features and blocks: what the batched products read and write.

Blocks of neighbours are views: (T, n·b) seen as (n, T, b) has unit stride along b, which BLAS takes as it is. An
interleaved side has no unit stride and costs one copy. On a CPU that copy is a transposition of short rows, for
which ``channel_shuffle`` has vector code (measured on Zen 4, float32, 512 × 4096, one thread: 0.9 ms at n = 8 against
1.7 ms by a strided copy). A run of ``grain`` features moves as one wider element, whatever its dtype: 1.3 ms
against 4 to 7 ms at grain 4.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.autograd import forward_ad
from torch.nn import functional as F

from dyad_core.geometry import Variant

__all__ = [
    "TRANSPOSED",
    "gather",
    "interleaved",
    "is_direct",
    "is_forward_mode",
    "is_transformed",
    "neighbours",
    "trans_blocks",
    "write_interleaved",
]

TRANSPOSED: dict[Variant, Variant] = {"it": "ot", "ot": "it", "dt": "dt", "bd": "bd"}
"""The pattern of the transposed weight."""

# Only bits are moved, so a dtype stands for its width in bytes.
SHUFFLED = {2: torch.bfloat16, 4: torch.float32, 8: torch.float64}
COPIED = {16: torch.complex128}


def neighbours(features: Tensor, n_blocks: int) -> Tensor:
    """Blocks of neighbouring features as a view: (T, n·b) → (n, T, b)."""
    return torch.unflatten(features, 1, (n_blocks, -1)).transpose(0, 1)


def interleaved(features: Tensor, n_blocks: int, grain: int) -> Tensor:
    """Interleaved groups as a view: (T, n·b) → (n, T, b/g, g); feature i sits in group (i // g) % n."""
    return torch.unflatten(features, 1, (-1, n_blocks, grain)).permute(2, 0, 1, 3)


def trans_blocks(features: Tensor, n_blocks: int, grain: int, *, is_interleaved: bool) -> Tensor:
    """BLOCKTRANS groups of one side, (T, n·b) → (n, T, b): a gathered copy if interleaved, else a view."""
    if is_interleaved:
        return gather(features, n_blocks, grain)
    return neighbours(features, n_blocks)


def gather(features: Tensor, n_blocks: int, grain: int) -> Tensor:
    """Copy interleaved groups so that each has unit stride, (T, n·b) → (n, T, b); differentiable where it has to be."""
    wide = widened(features, grain)
    if wide is None:
        return interleaved(features, n_blocks, grain).flatten(2)
    if wide.dtype in COPIED.values():
        copied = wide.new_empty(n_blocks, wide.shape[0], wide.shape[1] // n_blocks)  # (n, T, b/g)
        copied.copy_(torch.unflatten(wide, 1, (-1, n_blocks)).permute(2, 0, 1))
        return copied.view(features.dtype)
    tokens, units = wide.shape
    # Token-major features are what image code calls channels-last: one row, T columns.
    image = wide.view(1, 1, tokens, units).permute(0, 3, 1, 2)
    shuffled = F.channel_shuffle(image, units // n_blocks).permute(0, 2, 3, 1).reshape(tokens, units)
    if wide.dtype != features.dtype:
        # As it is already, but not where tensors without memory trace it (torch 2.13 gives them other strides).
        shuffled = shuffled.contiguous().view(features.dtype)
    return neighbours(shuffled, n_blocks)


def write_interleaved(output: Tensor, blocks: Tensor, bias: Tensor | None, grain: int) -> None:
    """Write (n, T, b) into the interleaved groups of ``output`` (T, n·b), plus bias (n·b,); no autograd.

    One pass adds the bias where single features move; runs move as wide elements and take the bias afterwards.
    """
    n = blocks.shape[0]
    wide, source = widened(output, grain), widened(blocks.flatten(0, 1), grain) if blocks.is_contiguous() else None
    if grain > 1 and wide is not None and source is not None:
        target = torch.unflatten(wide, 1, (-1, n)).permute(2, 0, 1)  # (n, T, b/g)
        target.copy_(source.view(target.shape))
        if bias is not None:
            output.add_(bias)
        return
    target, values = interleaved(output, n, grain), torch.unflatten(blocks, 2, (-1, grain))
    if bias is None:
        target.copy_(values)
    else:
        torch.add(values, interleaved(bias[None], n, grain), out=target)


def is_direct() -> bool:
    """Whether operations run as they are called: no compiler, no function transform, no forward-mode derivatives.

    Those follow operations that have rules for them; a change of dtype and writing into fresh memory have none.
    """
    transforms: bool = torch._C._are_functorch_transforms_active()  # what autograd.Function.apply asks too
    return not (torch.compiler.is_compiling() or transforms or forward_ad._current_level >= 0)


def is_transformed() -> bool:
    """Whether a function transform or forward-mode derivatives are at work, compiled around or not."""
    transforms: bool = torch._C._are_functorch_transforms_active()
    return transforms or is_forward_mode()


def is_forward_mode() -> bool:
    """Whether forward-mode derivatives are asked for, by torch.func or by dual numbers."""
    return forward_ad._current_level >= 0


def widened(features: Tensor, grain: int) -> Tensor | None:
    """View runs of ``grain`` features as one element each, (T, n·b) → (T, n·b/g); None where that does not work.

    It works for contiguous memory on the CPU, without autograd (a view of another dtype has no gradient).
    """
    if not is_direct() or (features.requires_grad and torch.is_grad_enabled()):
        return None
    kinds = SHUFFLED | COPIED
    dtype = kinds.get(grain * features.element_size())
    if dtype is None or features.device.type != "cpu" or not features.is_contiguous() or features.numel() == 0:
        return None
    # A side of one element may have any stride and still be contiguous.
    if features.is_conj() or features.is_neg() or features.stride(-1) != 1:
        return None
    if features.storage_offset() * features.element_size() % dtype.itemsize:
        return None
    return features.view(dtype)
