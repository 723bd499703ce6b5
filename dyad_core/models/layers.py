"""The linear layers of a model, each with what it is for, whether it would be replaced, and if not, why.

Run ``python -c "from dyad_core.models import build, linear_layers; print(*linear_layers(build('gpt2')), sep='\\n')"``.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

from torch import nn

from dyad_core.errors import Problem, SpecError
from dyad_core.geometry import divisors
from dyad_core.models.architectures import filter_for, found_layers, module_kinds, naming_hint
from dyad_core.models.records import Kind, LayerRow
from dyad_core.surgery.finding import FoundLinear, find_linears

__all__ = ["linear_layers"]

MOST_BLOCKS = 64

_NOT_PICKED: dict[Kind, str] = {
    "attention": "belongs to the attention",
    "embedding": "belongs to the embedding",
    "head": "is the head",
}


def linear_layers(model: nn.Module, names: Sequence[str] = ()) -> tuple[LayerRow, ...]:
    """List every linear layer of a model of transformers; nothing is changed.

    Args:
        model: on any device, ``meta`` too.
        names: patterns of dotted names that say what to replace; empty means the feed-forward layers.

    Raises:
        SpecError: an architecture whose feed-forward layers are not known and no names, or none that fits; says which linear
            layers there are and how to name them.
    """
    picks = filter_for(model, names)
    found = find_linears(model)
    kinds = module_kinds(model)
    weights = Counter(id(parameter) for _, parameter in model.named_parameters(remove_duplicate=False))
    rows = []
    for layer in found:
        kind = kinds.get(layer.name, "other")
        picked = not layer.obstacle and picks(layer.module, layer.name)
        reason = (
            "" if picked else _reason(layer, kind, shared=weights[id(layer.module.weight)] > 1, by_name=bool(names))
        )
        rows.append(
            LayerRow(
                name=layer.name,
                kind=kind,
                in_features=layer.in_features,
                out_features=layer.out_features,
                bias=layer.has_bias,
                picked=picked,
                reason=reason,
                legal_n_blocks=_legal(layer) if picked else (),
            )
        )
    if not any(row.picked for row in rows):
        rule = f"must pick at least one linear layer of this model. It has {found_layers(model)}"
        raise SpecError([Problem("names", rule, list(names), naming_hint(model))])
    return tuple(rows)


def _reason(layer: FoundLinear, kind: Kind, *, shared: bool, by_name: bool) -> str:
    if layer.obstacle:
        return layer.obstacle
    words = "no pattern fits its name" if by_name else _NOT_PICKED.get(kind, "is no layer of the feed-forward")
    return f"{words}; its weight is tied to another layer's" if shared else words


def _legal(layer: FoundLinear) -> tuple[int, ...]:
    return tuple(divisors(math.gcd(layer.in_features, layer.out_features), MOST_BLOCKS))
