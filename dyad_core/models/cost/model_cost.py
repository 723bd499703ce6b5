"""Everything one model costs, dense or with DYAD in it: its parameters and one traced forward, put together by kind."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

from dyad_core.models.cost.kinds import KINDS, kinds_of
from dyad_core.models.cost.memory import memory_cost
from dyad_core.models.cost.parameters import parameters_of
from dyad_core.models.cost.tracing import Trace, trace
from dyad_core.models.records import Kind, KindCost, ModelCost

__all__ = ["model_cost"]

BACKWARD = 2
"""A product has two gradients, each as large a product as itself. What an attention kernel computes again is not counted."""


def model_cost(
    model: Any,
    *,
    batch: int,
    sequence: int,
    optimizer: str = "adamw",
    checkpointing: bool = False,
    count: Callable[[Any, int, int], Trace] = trace,
) -> ModelCost:
    """Count a transformers model; nothing of its size is allocated, and it may be on ``meta``.

    Args:
        model: dense, or with DYAD layers.
        batch: sequences.
        sequence: tokens of each; in decoding those in the cache.
        optimizer: ``"adamw"``, ``"sgd"`` or ``"none"``.
        checkpointing: whether a training step checkpoints each block.
        count: how a forward is counted.

    Raises:
        Exception: whatever ``count`` raises; :func:`.tracing.trace` what the model's code raises on tensors without values.
    """
    kinds = kinds_of(model)
    parameters = parameters_of(model, kinds)
    counted = count(model, batch, sequence)
    flops: Counter[Kind] = Counter()
    saved: Counter[Kind] = Counter()
    for by_kind, by_name in ((flops, counted.flops), (saved, counted.saved_bytes)):
        for name, value in by_name.items():
            by_kind[kinds[name]] += value
    forward = flops.total()
    return ModelCost(
        parameters=parameters.total,
        flops_forward=forward,
        flops_train_step=(1 + BACKWARD) * forward + (counted.block_flops if checkpointing else 0),
        flops_decode=counted.decode_flops,
        memory=memory_cost(parameters, counted, optimizer=optimizer, checkpointing=checkpointing),
        kinds=tuple(
            KindCost(kind, parameters.modules[kind], parameters.by_kind[kind], flops[kind], saved[kind])
            for kind in KINDS
            if parameters.modules[kind] or flops[kind] or saved[kind]
        ),
    )
