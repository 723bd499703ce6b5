"""What every module of a model is for, those without parameters of their own too: a block's attention, an activation.

:func:`dyad_core.models.architectures.module_kinds` tells it of modules with parameters. A module that holds only such of one kind
is of that kind, and what lies inside it as well; an activation that a block calls itself (OPT) is its feed-forward's.
"""

from __future__ import annotations

from torch import nn

from dyad_core.models.architectures import module_kinds
from dyad_core.models.records import Kind

__all__ = ["KINDS", "kinds_of"]

KINDS: tuple[Kind, ...] = ("embedding", "attention", "feed_forward", "norm", "head", "other")


def kinds_of(model: nn.Module) -> dict[str, Kind]:
    """Kind of every module by dotted name; the model itself, named ``""``, computes the loss and so is ``"head"``."""
    owners = module_kinds(model)
    held: dict[str, set[Kind]] = {}
    for name, kind in owners.items():
        for outer in _outer(name):
            held.setdefault(outer, set()).add(kind)
    kinds: dict[str, Kind] = {}
    for name, module in model.named_modules():
        inside = held.get(name, set())
        parent = name.rpartition(".")[0]
        if name in owners:
            kinds[name] = owners[name]
        elif len(inside) == 1:
            kinds[name] = next(iter(inside))
        elif name and not inside and parent and kinds[parent] != "other":
            kinds[name] = kinds[parent]
        elif not inside and "activation" in type(module).__module__:
            kinds[name] = "feed_forward"
        else:
            kinds[name] = "other"
    return {**kinds, "": owners.get("", "head")}


def _outer(name: str) -> list[str]:
    words = name.split(".")
    return [".".join(words[:length]) for length in range(len(words))]
