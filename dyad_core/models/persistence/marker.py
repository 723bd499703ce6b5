"""Tensors without entries, by which loading fails where DYAD is not known.

Without our entry in its registry, transformers warns about an unknown quantization, builds the dense model, and re-initialises the layers that
it finds no weights for (transformers 5.23). But it refuses a tensor of another shape than the model's. So the first replaced layer leaves a
buffer of shape (0,) in the state dict under the name of its dense weight: it costs nothing, and without ``import dyad_core.models`` loading
raises an error that names the layer. The others have such a buffer too, but only in the model: code that initialises layers by name, as
GPT-2's does, finds nothing to draw there, and several empty tensors in one file look like one that is shared.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from dyad_core.layers import DyadLinear

__all__ = ["mark"]


def mark(model: nn.Module, names: Sequence[str]) -> None:
    """Mark a model with DYAD layers; a second time does nothing.

    Args:
        model: has a ``DyadLinear``.
        names: full dotted names that the replaced layers had in the dense model, at least one.
    """
    like = next(module.weight_blockdiag for module in model.modules() if isinstance(module, DyadLinear))
    for name in names:
        owner = _place(model, name)
        if "weight" not in owner._buffers:
            owner.register_buffer("weight", torch.empty(0, dtype=like.dtype, device=like.device), persistent=False)
    first = _place(model, names[0])
    if "weight" in first._non_persistent_buffers_set:
        first.register_buffer("weight", first._buffers["weight"], persistent=True)
        first.register_load_state_dict_pre_hook(_supply)  # type: ignore[no-untyped-call] # torch has no types for it


def _place(model: nn.Module, name: str) -> nn.Module:
    """The module of this name, made where a whole feed-forward took the place of what held the layer."""
    owner = model
    for part in name.split("."):
        if part not in owner._modules:
            owner.add_module(part, _Place())
        owner = owner.get_submodule(part)
    return owner


class _Place(nn.Module):
    """Stands where the dense model had a layer, so that the marker has its name; it is never called."""


def _supply(module: nn.Module, state_dict: dict[str, Any], prefix: str, *_: Any) -> None:
    """A state dict of a model without markers loads all the same."""
    state_dict.setdefault(f"{prefix}weight", module._buffers["weight"])
