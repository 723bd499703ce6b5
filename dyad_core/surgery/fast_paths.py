"""Parents that read a layer's weight themselves, instead of calling the layer.

``nn.TransformerEncoderLayer`` hands ``linear1.weight`` to one fused kernel when it evaluates, and ``nn.TransformerEncoder`` looks at
it too. Both have a plain way beside, which they take when ``activation_relu_or_gelu`` is 0 and ``use_nested_tensor`` is False (torch
2.11 to 2.13). What anybody else reads in its forward can only be told.
"""

from __future__ import annotations

import dis
import inspect
from collections.abc import Sequence
from itertools import pairwise

from torch import nn

from dyad_core.surgery.undo import Switch

__all__ = ["encoder_switches", "weight_readers"]


def encoder_switches(model: nn.Module, names: Sequence[str]) -> list[Switch]:
    """The attributes that make torch's encoder layers call ``linear1`` and ``linear2``, for those that own one of ``names``."""
    owners = [_parent(model, name) for name in names]
    parents = {id(owner): owner for owner in owners if isinstance(owner, nn.TransformerEncoderLayer)}
    switches = [
        Switch(parent, "activation_relu_or_gelu", parent.activation_relu_or_gelu, 0) for parent in parents.values()
    ]
    for module in model.modules():
        if isinstance(module, nn.TransformerEncoder) and any(id(layer) in parents for layer in module.layers):
            switches.append(Switch(module, "use_nested_tensor", module.use_nested_tensor, False))
    return [switch for switch in switches if switch.old]


def weight_readers(model: nn.Module, names: Sequence[str]) -> list[str]:
    """One sentence for each kind of parent whose forward reads the weight of one of ``names`` itself."""
    found: dict[str, str] = {}
    for name in names:
        parent = _parent(model, name)
        attribute = name.rpartition(".")[2]
        if parent is None or isinstance(parent, nn.TransformerEncoderLayer) or not _reads(type(parent), attribute):
            continue
        reader = f"{type(parent).__name__}.forward reads {attribute}.weight"
        found.setdefault(
            reader, f"{reader}, which a DyadLinear does not have: run it once, and leave {name} out if that fails"
        )
    return list(found.values())


def _parent(model: nn.Module, name: str) -> nn.Module | None:
    return model.get_submodule(name.rpartition(".")[0]) if name else None


def _reads(cls: type[nn.Module], attribute: str) -> bool:
    """Whether the forward of a class has ``.<attribute>.weight`` in it, by its bytecode."""
    code = getattr(inspect.unwrap(cls.forward), "__code__", None)
    if code is None:
        return False
    loaded = [i.argval if i.opname in ("LOAD_ATTR", "LOAD_METHOD") else None for i in dis.get_instructions(code)]
    return (attribute, "weight") in pairwise(loaded)
