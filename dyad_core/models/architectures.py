"""What each part of a model is for, and which linear layers are its feed-forwards.

Parts are told by their classes and names, so that a model with DYAD in it is read as the dense one is.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from torch import nn

from dyad_core.errors import Problem, SpecError
from dyad_core.models.records import Kind
from dyad_core.surgery.filters import FEED_FORWARD, FilterFn, named
from dyad_core.surgery.finding import find_linears, groups

__all__ = ["filter_for", "found_layers", "module_kinds", "naming_hint"]

_HEAD = re.compile(r"^(lm_head|embed_out|cls|predictions|generator_lm_head|generator_predictions)(\.|$)")
_EMBEDDING = re.compile(r"(^|\.)(\w*embed\w*|wte|wpe|project_(in|out)|rotary_emb)(\.|$)")
_ATTENTION = re.compile(r"(^|\.)\w*(attn|attention)\w*(\.|$)")
_FEED_FORWARD = re.compile(r"(^|\.)(mlp|ffn?|feed_forward|fc\d?|intermediate|output|experts?|lin[12])(\.|$)")


def filter_for(model: nn.Module, names: Sequence[str] = ()) -> FilterFn:
    """The filter that picks what is to be replaced: by patterns of dotted names, or by architecture.

    Args:
        model: of transformers; its ``config.model_type`` names the architecture.
        names: patterns as :func:`dyad_core.surgery.filters.named` takes them; empty means the feed-forward layers.

    Raises:
        SpecError: an unknown architecture and no names; says which linear layers there are and how to name them.
    """
    if names:
        return named(*names)
    model_type = getattr(getattr(model, "config", None), "model_type", None)
    if isinstance(model_type, str) and model_type in FEED_FORWARD:
        return FEED_FORWARD[model_type]
    rule = f"must be given: the feed-forward layers of {model_type!r} are not known here. It has {found_layers(model)}"
    raise SpecError([Problem("names", rule, "none", naming_hint(model))])


def found_layers(model: nn.Module) -> str:
    """The linear layers of a model in words, alike ones together: ``"12 × model.decoder.layers.*.fc1 (768 → 3072)"``."""
    parts = []
    for pattern, layers in groups(find_linears(model)).items():
        sizes = ", ".join(dict.fromkeys(f"{layer.in_features} → {layer.out_features}" for layer in layers))
        parts.append(f"{len(layers)} × {pattern} ({sizes})")
    return "; ".join(parts) or "no linear layers at all"


def naming_hint(model: nn.Module) -> str:
    """How to name the layers to replace, with those of this model that look like feed-forwards where there are any."""
    kinds = module_kinds(model)
    replaceable = [layer for layer in find_linears(model) if not layer.obstacle]
    patterns = list(groups(layer for layer in replaceable if kinds.get(layer.name) == "feed_forward"))
    example = patterns or ["model.layers.*.mlp.*"]
    return f"name those to replace by patterns of their full names, as names={example}"


def module_kinds(model: nn.Module) -> dict[str, Kind]:
    """What each module that owns parameters is for, by its full dotted name; a shared module goes by its first name."""
    head = _output_embeddings(model)
    return {
        name: _kind(name, module, is_head=module is head)
        for name, module in model.named_modules()
        if any(True for _ in module.parameters(recurse=False))
    }


def _kind(name: str, module: nn.Module, *, is_head: bool) -> Kind:
    if is_head or _HEAD.search(name):
        return "head"
    if "norm" in type(module).__name__.lower():
        return "norm"
    if isinstance(module, nn.Embedding) or _EMBEDDING.search(name):
        return "embedding"
    if _ATTENTION.search(name):
        return "attention"
    return "feed_forward" if _FEED_FORWARD.search(name) else "other"


def _output_embeddings(model: nn.Module) -> nn.Module | None:
    get = getattr(model, "get_output_embeddings", None)
    found = get() if get is not None else None
    return found if isinstance(found, nn.Module) else None
