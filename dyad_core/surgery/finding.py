"""Which linear layers a model has, under which dotted names, and which of them can be replaced.

``nn.Linear`` itself and transformers' ``Conv1D`` (its weight is (in, out); GPT-2 is made of it) can. Subclasses cannot: they
have a forward of their own, or a parent that reads their weight instead of calling them, as ``nn.MultiheadAttention`` does.
transformers is recognised by the names of its classes and never imported.

Run ``python -c "import torch; from dyad_core.surgery import find_linears; print(find_linears(torch.nn.Linear(4, 4)))"``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from torch import nn
from torch.nn.utils import parametrize

from dyad_core.layers import DyadLinear

__all__ = ["FoundLinear", "LinearKind", "find_linears", "groups", "is_from", "kind_of", "post_order", "sizes_of"]

LinearKind = Literal["linear", "conv1d", "other"]
"""``nn.Linear`` itself, transformers' ``Conv1D``, or something like them that is never replaced."""


@dataclass(frozen=True, eq=False)
class FoundLinear:
    """One linear layer in one place of the model; a module in two places is found twice.

    Attributes:
        name: full dotted name, empty for the model itself.
        module: the layer.
        kind: what it is.
        in_features: size of each input sample, as far as the layer says it.
        out_features: size of each output sample.
        obstacle: why it is never replaced; empty where it can be.
    """

    name: str
    module: nn.Module
    kind: LinearKind
    in_features: int
    out_features: int
    obstacle: str = ""

    @property
    def has_bias(self) -> bool:
        """Whether it adds a bias."""
        return getattr(self.module, "bias", None) is not None


def find_linears(model: nn.Module) -> tuple[FoundLinear, ...]:
    """All linear layers of ``model`` in post-order, the root itself included, one entry per place."""
    found = []
    for name, module in post_order(model):
        kind = kind_of(module)
        sizes = sizes_of(module)
        if kind is not None and sizes is not None:
            found.append(FoundLinear(name, module, kind, *sizes, _obstacle(module) if kind == "other" else ""))
    return tuple(found)


def post_order(module: nn.Module, name: str = "") -> Iterator[tuple[str, nn.Module]]:
    """Every module with its full dotted name, children first; shared ones once per place."""
    yield from _below(module, name, ())


def _below(module: nn.Module, name: str, above: tuple[nn.Module, ...]) -> Iterator[tuple[str, nn.Module]]:
    path = (*above, module)
    # named_children lists a module that is registered twice only once. One that holds a module above itself ends there.
    for child_name, child in module._modules.items():
        if child is not None and not any(child is one for one in path):
            yield from _below(child, f"{name}.{child_name}" if name else child_name, path)
    yield name, module


def kind_of(module: nn.Module) -> LinearKind | None:
    """What kind of linear layer a module is; None for something else. Parametrised layers count as what they were."""
    cls = parametrize.type_before_parametrizations(module)
    if cls is nn.Linear:
        return "linear"
    if cls.__name__ == "Conv1D" and is_from(cls, "transformers"):
        return "conv1d"
    return None if sizes_of(module) is None else "other"


def sizes_of(module: nn.Module) -> tuple[int, int] | None:
    """(in_features, out_features) of a linear layer or something like it; None for other modules."""
    conv1d = parametrize.type_before_parametrizations(module).__name__ == "Conv1D"
    names = ("nx", "nf") if conv1d else ("in_features", "out_features")
    # Its own attributes only: wrappers answer for what they wrap.
    first, second = (vars(module).get(name) for name in names)
    return (first, second) if isinstance(first, int) and isinstance(second, int) else None


def is_from(cls: type, package: str) -> bool:
    """Whether a class, by the module it says, is defined in a package."""
    return cls.__module__.partition(".")[0] == package


def _obstacle(module: nn.Module) -> str:
    if isinstance(module, DyadLinear):
        return "is a DyadLinear already"
    cls = type(module).__name__
    if isinstance(module, nn.Linear):
        return (
            f"is a {cls}, a subclass with ways of its own; only nn.Linear itself and transformers' Conv1D are replaced"
        )
    return f"is a {cls}; only nn.Linear and transformers' Conv1D are replaced"


def groups(layers: Iterable[FoundLinear]) -> dict[str, list[FoundLinear]]:
    """Layers by their name with ``*`` for each number in it, in the order found.

    The keys are patterns that :func:`dyad_core.surgery.filters.named` takes.
    """
    found: dict[str, list[FoundLinear]] = {}
    for layer in layers:
        found.setdefault(re.sub(r"(^|(?<=\.))\d+(?=\.|$)", "*", layer.name), []).append(layer)
    return found
