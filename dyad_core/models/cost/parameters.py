"""Parameters of a model by kind, exactly, each tensor once however often it is tied."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from torch import nn

from dyad_core.models.records import Kind

__all__ = ["Parameters", "parameters_of"]


@dataclass(frozen=True)
class Parameters:
    """What the parameters of a model come to.

    Attributes:
        by_kind: numbers by kind; a tied weight belongs to the module that is registered first.
        modules: modules with parameters, by kind.
        tensors: parameter tensors.
        total_bytes: of all of them.
    """

    by_kind: Mapping[Kind, int]
    modules: Mapping[Kind, int]
    tensors: int
    total_bytes: int

    @property
    def total(self) -> int:
        """Number of parameters."""
        return sum(self.by_kind.values())


def parameters_of(model: nn.Module, kinds: Mapping[str, Kind]) -> Parameters:
    """Count the parameters of ``model``, on any device.

    Args:
        model: the model.
        kinds: of every module, by dotted name.
    """
    by_kind: Counter[Kind] = Counter()
    modules: Counter[Kind] = Counter()
    seen: dict[int, int] = {}
    for name, module in model.named_modules():
        own = [parameter for parameter in module._parameters.values() if parameter is not None]
        modules[kinds[name]] += bool(own)
        for parameter in own:
            if id(parameter) not in seen:
                seen[id(parameter)] = parameter.numel() * parameter.element_size()
                by_kind[kinds[name]] += parameter.numel()
    return Parameters(by_kind, modules, len(seen), sum(seen.values()))
