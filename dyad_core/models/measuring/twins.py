"""A second tree of modules over the same parameters: a model with some of its modules exchanged, the original untouched.

A twin costs no memory for weights, and nothing has to be put back.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping

from torch import nn

__all__ = ["by_name", "twin"]

Exchange = Callable[[str, nn.Module], nn.Module | None]
"""Called with (full dotted name, module); returns what stands in its place, or None to keep it."""


def twin(model: nn.Module, exchange: Exchange) -> nn.Module:
    """The model with the modules that ``exchange`` names exchanged; all else, parameters included, is shared.

    A module above an exchanged one is a new object with the same parameters, buffers and settings; a module that is
    registered twice is exchanged at both places. A compiled module above an exchanged one is not compiled any more.
    """
    return _twin("", model, exchange, {})


def by_name(replacements: Mapping[str, nn.Module]) -> Exchange:
    """Exchange the modules of these full dotted names."""
    return lambda name, module: replacements.get(name)  # noqa: ARG005 - the signature of an exchange


def _twin(name: str, module: nn.Module, exchange: Exchange, known: dict[int, nn.Module]) -> nn.Module:
    if id(module) in known:
        return known[id(module)]
    replacement = exchange(name, module)
    if replacement is None:
        children = {
            child_name: child if child is None else _twin(_joined(name, child_name), child, exchange, known)
            for child_name, child in module._modules.items()
        }
        replacement = module
        if any(children[child_name] is not child for child_name, child in module._modules.items()):
            replacement = copy.copy(module)
            replacement.__dict__["_modules"] = children
            replacement._compiled_call_impl = None  # it would call the original
    known[id(module)] = replacement
    return replacement


def _joined(parent: str, child: str) -> str:
    return f"{parent}.{child}" if parent else child
