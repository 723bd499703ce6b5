"""A forward of the real model on tensors without memory, counted: FLOPs, what is kept for backward, the cache, a decode step.

The model's own code runs, whatever its architecture, on fake tensors (``torch._subclasses.fake_tensor``, what
``torch.compile`` traces with) that say they are on a CPU: sizes, dtypes, the choice of kernels and what autograd saves are the
real ones, and nothing is computed. So an attention that saves its square of scores is seen, and one that does not is too.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.func import functional_call

from dyad_core.layers import DyadFeedForward
from dyad_core.models.cost.activations import SavedBytes
from dyad_core.models.cost.blocks import Group, block_groups, names_run, repeated
from dyad_core.models.cost.flops import CountedProducts
from dyad_core.models.cost.tally import Tally

__all__ = ["Trace", "trace"]

_one_at_a_time = threading.Lock()


@dataclass(frozen=True)
class Trace:
    """What one forward costs.

    Attributes:
        flops: of the forward, by dotted name of the module; the loss included.
        saved_bytes: kept for backward, by dotted name.
        checkpointed_bytes: kept with gradient checkpointing, the largest block computed again included.
        block_flops: the share of ``flops`` that checkpointing does twice.
        cache_bytes: of ``sequence`` tokens; 0 for a model that does not generate.
        decode_flops: of one more token for each sequence.
    """

    flops: Mapping[str, int]
    saved_bytes: Mapping[str, int]
    checkpointed_bytes: int
    block_flops: int
    cache_bytes: int
    decode_flops: int


def trace(model: Any, batch: int, sequence: int) -> Trace:
    """Count a training forward, a prefill and a decode step of ``model``, a transformers model on any device.

    Nothing of the size of a weight or an activation is allocated. Hooks and ``training`` are as before afterwards.

    Raises:
        Exception: whatever the model's own code raises on tensors without values, where it looks at values.
    """
    training, groups = model.training, block_groups(model)
    names = names_run(model, groups)
    seen = _Seen(groups, [(name, module) for name, module in model.named_modules() if name in names])
    try:
        with _one_at_a_time, _quiet(), FakeTensorMode() as mode, _one_sequence_a_row(mode):
            held = _held(seen.tensors())
            trained = _train(model, seen, held, batch, sequence)
            empty = Tally(), Tally()
            cached, decode = _generate(model, seen, held, batch, sequence) if model.can_generate() else empty
    finally:
        model.train(training)
    inside = sum(cost.saved_bytes.total() for cost in trained.blocks)
    kept = trained.saved_bytes.total() - inside + sum(cost.input_bytes for cost in trained.blocks)
    largest = max((cost.saved_bytes.total() for cost in trained.blocks), default=0)
    return Trace(
        flops=trained.flops,
        saved_bytes=trained.saved_bytes,
        checkpointed_bytes=kept + largest,
        block_flops=sum(cost.flops.total() for cost in trained.blocks),
        cache_bytes=cached.cache_bytes,
        decode_flops=decode.flops.total(),
    )


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep torch from logging what the caller of this thread is raised anyway."""
    logger, here = logging.getLogger("torch._subclasses.fake_tensor"), threading.get_ident()

    def elsewhere(record: logging.LogRecord) -> bool:
        return record.thread != here

    logger.addFilter(elsewhere)
    try:
        yield
    finally:
        logger.removeFilter(elsewhere)


@contextmanager
def _one_sequence_a_row(mode: FakeTensorMode) -> Iterator[None]:
    """Tell transformers what it would read off the positions: no row holds several sequences, so attention needs no mask.

    It asks the values, and where there are none it makes the mask, which real steps do not. Other tensors than those of ``mode``
    are answered as ever.
    """
    from transformers import masking_utils

    look = masking_utils.find_packed_sequence_indices

    def find_packed_sequence_indices(position_ids: Tensor) -> Tensor | None:
        return None if getattr(position_ids, "fake_mode", None) is mode else look(position_ids)

    masking_utils.find_packed_sequence_indices = find_packed_sequence_indices
    try:
        yield
    finally:
        masking_utils.find_packed_sequence_indices = look


@dataclass(frozen=True)
class _Seen:
    """The modules that are run, by dotted name, and the groups of blocks that the others belong to."""

    groups: list[Group]
    modules: list[tuple[str, nn.Module]]

    def tensors(self) -> list[tuple[str, Tensor]]:
        """Parameters and buffers, in each place that they are in."""
        return [
            (f"{name}.{key}" if name else key, tensor)
            for name, module in self.modules
            for key, tensor in (*module._parameters.items(), *module._buffers.items())
            if tensor is not None
        ]


def _train(model: Any, seen: _Seen, held: dict[str, Tensor], batch: int, sequence: int) -> Tally:
    tally = Tally()
    tokens = torch.empty(batch, sequence, dtype=torch.long)
    arguments: dict[str, Any] = {"input_ids": tokens, "labels": tokens}
    if model.can_generate():
        arguments["use_cache"] = False
    model.train()
    with SavedBytes(tally.add_saved, held.values()), _counting(seen, tally):
        functional_call(model, held, (), arguments)
    return tally


def _generate(model: Any, seen: _Seen, held: dict[str, Tensor], batch: int, sequence: int) -> tuple[Tally, Tally]:
    """Prefill, then one more token."""
    from transformers import DynamicCache

    cache = DynamicCache(config=model.config)

    def cached() -> int:
        layers = [vars(layer) for layer in cache.layers]
        return sum(
            value.untyped_storage().nbytes()
            for layer in layers
            for name in ("keys", "values")
            if isinstance(value := layer.get(name), Tensor)
        )

    tallies = Tally(cached=cached), Tally(cached=cached)
    model.eval()
    with torch.no_grad():
        for tally, width in zip(tallies, (sequence, 1), strict=True):
            tokens = torch.empty(batch, width, dtype=torch.long)
            with _counting(seen, tally):
                functional_call(model, held, (), {"input_ids": tokens, "past_key_values": cache, "use_cache": True})
    return tallies


@contextmanager
def _counting(seen: _Seen, tally: Tally) -> Iterator[None]:
    """Know which module runs, run equal blocks twice, count products."""
    with ExitStack() as stack:
        pairs: list[str] = []
        for name, module in seen.modules:
            if any(name.startswith(f"{pair}.") for pair in pairs):
                continue  # hooks inside would make it compute layer by layer
            if isinstance(module, DyadFeedForward):
                pairs.append(name)
            handles = (
                module.register_forward_pre_hook(lambda _module, _args, name=name: tally.enter(name)),
                module.register_forward_hook(lambda _module, _args, _result: tally.leave()),
            )
            for handle in handles:
                stack.callback(handle.remove)
        stack.enter_context(repeated(seen.groups, tally))
        stack.enter_context(CountedProducts(tally.add_flops))
        yield


def _held(tensors: list[tuple[str, Tensor]]) -> dict[str, Tensor]:
    """Tensors without memory in place of these, one for each that is tied."""
    made = {id(tensor): _fake(tensor) for _, tensor in tensors}
    return {name: made[id(tensor)] for name, tensor in tensors}


def _fake(tensor: Tensor) -> Tensor:
    made = torch.empty(tensor.shape, dtype=tensor.dtype, device="cpu")
    return nn.Parameter(made, requires_grad=tensor.requires_grad) if isinstance(tensor, nn.Parameter) else made
