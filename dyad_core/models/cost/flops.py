"""Products counted as they are called: two operations per multiply-add, nothing elementwise, attention over the whole square.

:class:`torch.utils.flop_counter.FlopCounterMode` counts by the same rules, and tests hold the two against each other. It knows
neither the attention kernel of CPUs nor products that accumulate in place (torch 2.13), which DYAD layers are made of, and it
hooks every module of the process, other threads' too; hence this one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

__all__ = ["CountedProducts", "product_flops"]

_aten = torch.ops.aten

# Which two operands are multiplied, (…, m, k) · (…, k, n).
_OPERANDS = {
    _aten.mm: (0, 1),
    _aten.bmm: (0, 1),
    _aten.addmm: (1, 2),
    _aten.addmm_: (1, 2),
    _aten.baddbmm: (1, 2),
    _aten.baddbmm_: (1, 2),
    _aten.mv: (0, 1),
    _aten.addmv: (1, 2),
    _aten.dot: (0, 1),
}
_ATTENTION = {
    _aten._scaled_dot_product_flash_attention_for_cpu,
    _aten._scaled_dot_product_flash_attention,
    _aten._scaled_dot_product_efficient_attention,
    _aten._scaled_dot_product_cudnn_attention,
    _aten._scaled_dot_product_fused_attention_overrideable,
}


def product_flops(operation: Any, operands: Sequence[Any], result: Any) -> int:
    """FLOPs of one call of an aten operation; 0 for one that multiplies no matrices.

    Args:
        operation: the overload packet, ``torch.ops.aten.mm``.
        operands: its positional arguments.
        result: what it returned.
    """
    if operation in _OPERANDS:
        left, right = (operands[index].shape for index in _OPERANDS[operation])
        columns = right[-1] if len(right) > 1 else 1
        return int(2 * prod(left) * columns)
    if operation in _ATTENTION:
        query, key, value = (tensor.shape for tensor in operands[:3])  # (batch, heads, tokens, width)
        return int(2 * prod(query[:3]) * key[2] * (query[3] + value[3]))
    formula = flop_registry.get(operation)
    return 0 if formula is None else int(formula(*operands, out_val=result))


class CountedProducts(TorchDispatchMode):  # type: ignore[no-untyped-call] # torch types it so
    """While it is entered, each operation's FLOPs are handed to ``count``. Only operations of this thread are seen."""

    def __init__(self, count: Callable[[int], None]) -> None:
        """Report to ``count``."""
        super().__init__()  # type: ignore[no-untyped-call] # torch types it so
        self._count = count

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run the operation and count it."""
        result = func(*args, **(kwargs or {}))
        if any(isinstance(argument, Tensor) for argument in args):
            found = product_flops(func._overloadpacket, args, result)
            if found:
                self._count(found)
        return result
