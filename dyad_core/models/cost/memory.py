"""The bytes of a training step and of inference, from what was counted.

AdamW of torch keeps two states of each parameter in its dtype and a step counter of four bytes per tensor; plain SGD keeps
nothing. Gradients have the dtype of their parameters. Temporaries inside operations and what the allocator keeps back come
on top, and so do the outputs.
"""

from __future__ import annotations

from dyad_core.models.cost.parameters import Parameters
from dyad_core.models.cost.tracing import Trace
from dyad_core.models.records import MemoryCost

__all__ = ["STEP_COUNTER_BYTES", "memory_cost", "optimizer_bytes"]

STEP_COUNTER_BYTES = 4


def optimizer_bytes(parameters: Parameters, optimizer: str) -> int:
    """State of a torch optimizer after its first step: ``"adamw"``, ``"sgd"`` without momentum, or ``"none"``."""
    if optimizer != "adamw":
        return 0
    return 2 * parameters.total_bytes + STEP_COUNTER_BYTES * parameters.tensors


def memory_cost(parameters: Parameters, counted: Trace, *, optimizer: str, checkpointing: bool) -> MemoryCost:
    """Put the sums together; ``checkpointing`` says which activations a training step holds."""
    weights, state = parameters.total_bytes, optimizer_bytes(parameters, optimizer)
    activations = sum(counted.saved_bytes.values())
    # A model of one block saves nothing by checkpointing it, and holds its input twice.
    checkpointed = min(activations, counted.checkpointed_bytes)
    return MemoryCost(
        weights_bytes=weights,
        gradients_bytes=weights,
        optimizer_bytes=state,
        activations_bytes=activations,
        activations_checkpointed_bytes=checkpointed,
        kv_cache_bytes=counted.cache_bytes,
        train_bytes=2 * weights + state + (checkpointed if checkpointing else activations),
        inference_bytes=weights + counted.cache_bytes,
    )
