"""What a real model really does, measured with torch's own means: the slow twin of :mod:`dyad_core.models.cost`."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode, bmm_flop, mm_flop, sdpa_flop_count

__all__ = ["counted_flops", "saved_bytes", "step_of"]

_aten = torch.ops.aten

# What torch's counter does not know (2.13): products in place, and the attention of CPUs.
_ALSO = {
    _aten.addmm_: lambda _self, a, b, **_: mm_flop(a, b),
    _aten.baddbmm_: lambda _self, a, b, **_: bmm_flop(a, b),
    _aten._scaled_dot_product_flash_attention_for_cpu: lambda query, key, value, *_, **__: sdpa_flop_count(
        query, key, value
    ),
}


def step_of(model: Any, tokens: Tensor, *, backward: bool = False) -> Any:
    """One training forward of ``model`` with its loss, and the backward where asked for."""
    cache = {"use_cache": False} if model.can_generate() else {}
    output = model.train()(input_ids=tokens, labels=tokens, **cache)
    if backward:
        output.loss.backward()
    return output


def counted_flops(call: Any) -> int:
    """FLOPs of ``call()`` by torch's counter."""
    with FlopCounterMode(display=False, custom_mapping=_ALSO) as counter:
        call()
    return int(counter.get_total_flops())


def saved_bytes(model: Any, tokens: Tensor) -> int:
    """Bytes of the storages that autograd keeps of one training forward, without parameters and buffers."""
    held = {tensor.untyped_storage().data_ptr() for tensor in (*model.parameters(), *model.buffers())}
    kept: dict[int, Tensor] = {}

    def pack(tensor: Tensor) -> Tensor:
        kept.setdefault(tensor.untyped_storage().data_ptr(), tensor)  # held, so that no address is used twice
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        step_of(model, tokens)
    return sum(tensor.untyped_storage().nbytes() for address, tensor in kept.items() if address not in held)
