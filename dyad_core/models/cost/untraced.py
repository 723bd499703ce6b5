"""A count from the linear layers alone, for a model whose code cannot run without values (experts chosen by token, say)."""

from __future__ import annotations

from torch import nn

from dyad_core.layers import DyadLinear
from dyad_core.models.cost.blocks import block_groups
from dyad_core.models.cost.tracing import Trace
from dyad_core.surgery.finding import find_linears

__all__ = ["untraced"]


def untraced(model: nn.Module, batch: int, sequence: int) -> Trace:
    """Count each linear layer of ``model`` once for every token: its product, and its input kept for backward.

    Attention, caches and everything elementwise are left out.
    """
    tokens = batch * sequence
    flops, saved = {}, {}
    for layer in find_linears(model):
        module = layer.module
        weights = (
            module.geometry.parameters if isinstance(module, DyadLinear) else layer.in_features * layer.out_features
        )
        item = next(module.parameters()).element_size()
        flops[layer.name] = 2 * tokens * weights
        saved[layer.name] = tokens * layer.in_features * item
    blocks = tuple(f"{name}." for group in block_groups(model) for name in group.blocks)
    return Trace(
        flops=flops,
        saved_bytes=saved,
        checkpointed_bytes=sum(saved.values()),
        block_flops=sum(value for name, value in flops.items() if name.startswith(blocks)),
        cache_bytes=0,
        decode_flops=sum(flops.values()) // sequence,
    )
