"""How much memory one pass of a model needs and what for: measured in calls that are not timed, and foretold."""

from __future__ import annotations

import dataclasses

import torch
from torch import nn

from dyad_core.bench.memory import measure_memory, storages
from dyad_core.bench.parts import MemoryUse
from dyad_core.bench.passes import Operands
from dyad_core.models.measuring.passes import Decode, Feed, Prefill, TrainStep, cache_tensors
from dyad_core.models.records import ModelCost
from dyad_core.models.spec import ModelPass, ModelSpec

__all__ = ["measure_model_memory", "predicted_memory"]

METHOD = "predicted from sizes"


def measure_model_memory(
    model: nn.Module, feed: Feed, call: TrainStep | Prefill | Decode, optimizer: torch.optim.Optimizer | None
) -> MemoryUse:
    """Run one pass twice, untimed. Tokens and, of ``decode``, the filled cache count as inputs; of ``prefill`` the new
    cache counts as output.
    """
    found = measure_memory(model, Operands(feed.ids, None), run=call.untimed, optimizer=optimizer)
    if not isinstance(call, Decode):
        return found
    held = sum(storages(cache_tensors(call.cache)).values())
    return dataclasses.replace(found, inputs_bytes=found.inputs_bytes + held, peak_bytes=found.peak_bytes + held)


def predicted_memory(cost: ModelCost, spec: ModelSpec, pass_: ModelPass) -> MemoryUse:
    """What the sizes of the model let expect: no temporaries, which depend on how it is computed."""
    memory, tokens = cost.memory, 8 * spec.batch * spec.sequence
    if pass_ != "train_step":
        cache = memory.kv_cache_bytes
        held, made = (tokens + cache, 0) if pass_ == "decode" else (tokens, cache)
        peak = memory.weights_bytes + held + made
        return MemoryUse(memory.weights_bytes, held, 0, made, peak, METHOD, made, 0, 0, None)
    saved = memory.activations_checkpointed_bytes if spec.checkpointing else memory.activations_bytes
    made = memory.gradients_bytes + saved
    return MemoryUse(
        parameters_bytes=memory.weights_bytes,
        inputs_bytes=tokens,
        gradients_bytes=memory.gradients_bytes,
        allocated_peak_bytes=made,
        peak_bytes=memory.train_bytes + tokens,
        method=METHOD,
        outputs_bytes=None,
        saved_activations_bytes=saved,
        optimizer_state_bytes=memory.optimizer_bytes,
        temporaries_bytes=None,
    )
