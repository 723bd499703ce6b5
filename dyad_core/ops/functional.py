"""``dyad_linear``: the functional form, as ``F.linear`` is to ``nn.Linear``.

Checks the operands, flattens leading dimensions, follows autocast as ``F.linear`` does, and hands the
(T, in_features) matrix to an implementation from the registry.
"""

from __future__ import annotations

import torch
from torch import Tensor

from dyad_core.errors import OperandError, Problem, SpecError
from dyad_core.geometry import VARIANTS, Variant
from dyad_core.ops import auto, registry

__all__ = ["dyad_linear"]


def dyad_linear(
    input: Tensor,
    weight_blockdiag: Tensor,
    weight_blocktrans: Tensor | None,
    bias: Tensor | None = None,
    *,
    variant: Variant = "it",
    grain: int = 1,
    implementation: str = registry.AUTO,
) -> Tensor:
    r"""Apply a DYAD weight: :math:`y = x (W_{diag} + W_{trans})^T + b` (arXiv 2312.06881, section 2).

    Args:
        input: (\*, in_features), any leading dimensions including none and zero-size, any strides.
        weight_blockdiag: (n_blocks, block_out, block_in).
        weight_blocktrans: the same shape; None for the ablation ``"bd"``.
        bias: (out_features,) or None.
        variant: ``"it"``, ``"ot"``, ``"dt"`` or ``"bd"``.
        grain: run length of the interleave; n_blocks·grain must divide every interleaved side.
        implementation: a name of :func:`dyad_core.ops.registry.names`, or ``"auto"``.

    Returns:
        (\*, out_features), in the input's dtype (under autocast in the autocast dtype).

    Raises:
        OperandError: shapes, dtypes or devices that do not fit each other (a RuntimeError, as ``F.linear`` raises).
        SpecError: unknown variant or implementation, or a grain that does not fit.
        ImplementationError: the implementation cannot run on this device.

    Example:
        >>> import torch
        >>> weights = torch.randn(2, 4, 6, 2)  # both components, n = 4, 6 outputs and 2 inputs a block
        >>> dyad_linear(torch.randn(5, 8), weights[0], weights[1], variant="it").shape
        torch.Size([5, 24])
    """
    _check(input, weight_blockdiag, weight_blocktrans, bias, variant, grain)
    device_type = input.device.type
    autocasts = torch.amp.is_autocast_available(device_type) and torch.is_autocast_enabled(device_type)
    if autocasts:
        # F.linear casts its operands and computes in the autocast dtype; in-place products do not, so cast here.
        dtype = torch.get_autocast_dtype(device_type)
        input, weight_blockdiag = _autocast(input, dtype), _autocast(weight_blockdiag, dtype)
        weight_blocktrans = None if weight_blocktrans is None else _autocast(weight_blocktrans, dtype)
        bias = None if bias is None else _autocast(bias, dtype)
    _check_alike(input, weight_blockdiag, weight_blocktrans, bias)
    if autocasts:
        with torch.autocast(device_type, enabled=False):
            return _apply(input, weight_blockdiag, weight_blocktrans, bias, variant, grain, implementation)
    return _apply(input, weight_blockdiag, weight_blocktrans, bias, variant, grain, implementation)


def _autocast(tensor: Tensor, dtype: torch.dtype) -> Tensor:
    """What autocast does to an operand of ``F.linear``: float64 and what is no float are left as they are."""
    return tensor.to(dtype) if tensor.is_floating_point() and tensor.dtype != torch.float64 else tensor


def _apply(
    input: Tensor,
    weight_blockdiag: Tensor,
    weight_blocktrans: Tensor | None,
    bias: Tensor | None,
    variant: Variant,
    grain: int,
    implementation: str,
) -> Tensor:
    flat = input.reshape(-1, input.shape[-1])  # (T, in_features)
    if implementation == registry.AUTO:
        name = auto.name_for(flat, weight_blockdiag, weight_blocktrans, bias, variant)
        chosen = registry.automatic(name, input.device, input.dtype)
    else:
        chosen = registry.choose(implementation, input.device, input.dtype)
    output = chosen.apply(flat, weight_blockdiag, weight_blocktrans, bias, variant, grain)
    return output.reshape(*input.shape[:-1], output.shape[-1])


def _check(
    input: Tensor,
    weight_blockdiag: Tensor,
    weight_blocktrans: Tensor | None,
    bias: Tensor | None,
    variant: Variant,
    grain: int,
) -> None:
    if variant not in VARIANTS:
        raise SpecError([Problem("variant", f"must be one of {', '.join(VARIANTS)}", variant)])
    if weight_blockdiag.dim() != 3:
        raise OperandError.shape("weight_blockdiag", "(n_blocks, block_out, block_in)", weight_blockdiag)
    n, block_out, block_in = weight_blockdiag.shape
    if (weight_blocktrans is None) != (variant == "bd"):
        rule = "must be None for variant 'bd' and a tensor for every other"
        received = None if weight_blocktrans is None else tuple(weight_blocktrans.shape)
        raise SpecError([Problem("weight_blocktrans", rule, received)])
    if weight_blocktrans is not None and weight_blocktrans.shape != weight_blockdiag.shape:
        raise OperandError.shape("weight_blocktrans", f"{(n, block_out, block_in)}", weight_blocktrans)
    if bias is not None and bias.shape != (n * block_out,):
        raise OperandError.shape("bias", f"({n * block_out},)", bias)
    if input.dim() == 0 or input.shape[-1] != n * block_in:
        raise OperandError.shape("input", f"(*, {n * block_in})", input)
    _check_grain(block_in, block_out, variant, grain)


def _check_grain(block_in: int, block_out: int, variant: Variant, grain: int) -> None:
    for block, name, interleaved in ((block_in, "block_in", ("it", "dt")), (block_out, "block_out", ("ot", "dt"))):
        if variant in interleaved and (grain < 1 or block % grain):
            rule = f"must be positive and divide {name}={block} for variant {variant!r}"
            raise SpecError([Problem("grain", rule, grain)])


def _check_alike(
    input: Tensor, weight_blockdiag: Tensor, weight_blocktrans: Tensor | None, bias: Tensor | None
) -> None:
    """One dtype and one device for all operands; products would take some mixtures without a word."""
    dtype, device = input.dtype, input.device
    for name, operand in (
        ("weight_blockdiag", weight_blockdiag),
        ("weight_blocktrans", weight_blocktrans),
        ("bias", bias),
    ):
        if operand is not None and operand.dtype != dtype:
            raise OperandError.dtype(name, input, operand)
        if operand is not None and operand.device != device:
            raise OperandError.device(name, input, operand)
