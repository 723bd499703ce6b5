"""The pass ``decode``: few tokens, weights from memory. What a layer of a large model meets, where all weights of all
layers are read once per token and none is still in the cache.

Called again and again, a small layer keeps its weights in the last-level cache and its dense twin does not, and the
comparison is one of caches. So every candidate gets as many copies of its weights as make up more than twice the
cache, and each call takes the next copy: the same policy for both sides, written into each record.
"""

from __future__ import annotations

import copy
import itertools
from collections.abc import Sequence

import torch
from torch import nn

from dyad_core.bench.machine import last_level_cache_bytes
from dyad_core.bench.passes import Operands
from dyad_core.bench.timer import Call

__all__ = ["ASSUMED_BYTES", "cache_bytes", "copies_for", "copies_of", "make_rotating_call", "weight_bytes"]

ASSUMED_BYTES = {"cpu": 32 << 20, "cuda": 128 << 20}
"""Last-level cache where it cannot be read; for memory estimates on a GPU, which is not touched for them."""


def cache_bytes(device: torch.device) -> int:
    """Bytes of the last-level cache of a device. On CUDA this initialises CUDA: ask where it is measured."""
    if device.type == "cuda":
        return int(torch.cuda.get_device_properties(device).L2_cache_size)
    return last_level_cache_bytes() or ASSUMED_BYTES["cpu"]


def copies_for(weights_bytes: int, cache: int) -> int:
    """The smallest number of copies that together take more than twice the cache."""
    return 2 * cache // weights_bytes + 1


def weight_bytes(module: nn.Module) -> int:
    """Bytes of the parameters of a module."""
    return sum(parameter.numel() * parameter.element_size() for parameter in module.parameters())


def copies_of(module: nn.Module, cache: int) -> list[nn.Module]:
    """The module and as many deep copies of it as the policy asks for."""
    return [module, *(copy.deepcopy(module) for _ in range(copies_for(weight_bytes(module), cache) - 1))]


def make_rotating_call(modules: Sequence[nn.Module], fed: Operands) -> Call:
    """A forward as a closure without arguments, each call through the next copy."""
    ring = itertools.cycle(modules)

    def call() -> object:
        with torch.no_grad():
            return next(ring)(fed.input)

    return call
