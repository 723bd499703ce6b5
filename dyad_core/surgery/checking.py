"""What must hold before a layer may be replaced: it is in one place only, and nothing hangs on it that would be lost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Sequence

from torch import Tensor, nn
from torch.nn.utils import parametrize

from dyad_core.errors import Problem
from dyad_core.surgery.finding import FoundLinear, groups, post_order

__all__ = ["Sharing", "hanging_on", "layer_problem", "nothing_picked"]

_HOOKS = (
    "_forward_hooks",
    "_forward_pre_hooks",
    "_backward_hooks",
    "_backward_pre_hooks",
    "_state_dict_hooks",
    "_state_dict_pre_hooks",
    "_load_state_dict_pre_hooks",
    "_load_state_dict_post_hooks",
)
_REGISTERED = ("_modules", "_parameters", "_buffers")
_MOST_GROUPS = 24


class Sharing:
    """Which modules and weights of a model are in more than one place.

    Args:
        model: the model; it is only looked at.
        allow_modules: let a module be in several places, when it is replaced in all of them.
    """

    def __init__(self, model: nn.Module, *, allow_modules: bool = False) -> None:
        """Count the places of every module and parameter."""
        self.allow_modules = allow_modules
        self.modules = Counter(id(module) for _, module in post_order(model))
        # A parameter counts once per module that owns it: a shared module shares its weight too, and is counted above.
        self.weights = Counter(
            weight_identity(parameter)
            for module in model.modules()
            for parameter in module._parameters.values()
            if parameter is not None
        )
        self.held = _held_besides(model)

    def problem(self, layer: FoundLinear, picked: Counter[int]) -> Problem | None:
        """Why ``layer`` must not be replaced, or None. ``picked`` counts picked places by the id of the module."""
        module = layer.module
        places = self.modules[id(module)]
        for thing in (module, *module._parameters.values()):
            if thing is not None and (holder := self.held.get(id(thing))) is not None:
                rule = (
                    f"is held in {holder} as well, outside of the modules and parameters, and would stay there as it is"
                )
                return Problem(
                    _field(layer), rule, "a shared layer", "leave it out in filter_fn, or clear that attribute"
                )
        tied = any(self.weights[weight_identity(p)] > 1 for p in module._parameters.values() if p is not None)
        if tied or (places > 1 and not self.allow_modules):
            rule = "shares its module or weight with another place of the model, and replacing one would untie them"
            hint = (
                "leave it out in filter_fn"
                if tied
                else "leave it out in filter_fn, or allow_shared=True replaces it everywhere"
            )
            return Problem(_field(layer), rule, "a shared layer", hint)
        if places > picked[id(module)]:
            rule = f"is in {places} places of the model, and filter_fn picks only {picked[id(module)]} of them"
            return Problem(_field(layer), rule, "a shared layer", "pick all of its names, or none")
        return None


def _held_besides(model: nn.Module) -> dict[int, str]:
    """Modules and parameters, by id, that plain attributes of some module hold: in a list, say, that its forward goes through."""
    found: dict[int, str] = {}
    for name, module in model.named_modules():
        for attribute, value in vars(module).items():
            if attribute in _REGISTERED:
                continue
            for thing in _inside(value):
                if isinstance(thing, nn.Module | nn.Parameter):
                    found.setdefault(id(thing), f"the attribute {attribute!r} of {name or type(module).__name__}")
    return found


def _inside(value: object) -> Iterator[object]:
    """What an attribute holds: itself, or what is in a list, tuple, set or dictionary, one level down."""
    if isinstance(value, list | tuple | set | frozenset):
        yield from value
    elif isinstance(value, dict):
        yield from value.values()
    else:
        yield value


def _field(layer: FoundLinear) -> str:
    return layer.name or "model"


def weight_identity(weight: Tensor) -> Hashable:
    """What two parameters have in common that are the same memory; on ``meta`` that are the same object."""
    if weight.device.type == "meta" or type(weight.data) is not Tensor or weight.numel() == 0:
        return id(weight)
    return weight.device, weight.data_ptr()


def layer_problem(layer: FoundLinear) -> Problem | None:
    """Why a layer, by what it is and what hangs on it, must not be replaced; None where it may."""
    module = layer.module
    if lost := lost_parts(module):
        rule = f"has {', '.join(lost)}, which would be lost"
        return Problem(
            _field(layer), rule, type(module).__name__, "take them off before the replacement, or leave it out"
        )
    weight = getattr(module, "weight", None)
    shape = (layer.out_features, layer.in_features)
    wanted = shape if layer.kind == "linear" else shape[::-1]
    if not isinstance(weight, nn.Parameter):
        return Problem(_field(layer), "must have its weight as a parameter", type(weight).__name__)
    if type(weight.data) is not Tensor:
        rule = "must have a plain tensor as its weight, not a sharded or quantised one"
        return Problem(_field(layer), rule, type(weight.data).__name__, "replace layers first")
    if tuple(weight.shape) != wanted:
        return Problem(_field(layer), f"must have a weight of shape {wanted}, as its sizes say", tuple(weight.shape))
    if not weight.dtype.is_floating_point or weight.element_size() < 2:
        rule = "must have a weight of float64, float32, bfloat16 or float16; a quantised layer is not replaced"
        return Problem(_field(layer), rule, str(weight.dtype), "load the model without quantisation")
    return None


def hanging_on(module: nn.Module) -> list[str]:
    """What hangs on a module that a new one would not have, in words: hooks, and a forward of its own instance."""
    found = []
    if hasattr(module, "_hf_hook"):
        found.append("a hook of accelerate (accelerate.hooks.remove_hook_from_submodules takes them off)")
    elif "forward" in vars(module):
        found.append("a forward of its own instance")
    hooks = [name.strip("_") for name in _HOOKS if getattr(module, name, None)]
    for parameter in module.parameters(recurse=False):
        if parameter._backward_hooks or getattr(parameter, "_post_accumulate_grad_hooks", None):
            hooks.append("hooks of a tensor")
    return [*found, f"hooks ({', '.join(dict.fromkeys(hooks))})"] if hooks else found


def lost_parts(module: nn.Module) -> list[str]:
    """What a linear layer has that a new one would not have, in words: hooks, parametrisations, parts beside weight and bias."""
    if parametrize.is_parametrized(module):
        return ["a parametrisation (torch.nn.utils.parametrize)", *hanging_on(module)]
    parts = [
        *module._modules,
        *module._buffers,
        *(name for name in module._parameters if name not in ("weight", "bias")),
    ]
    return [*hanging_on(module), *(f"the part {name!r}" for name in parts)]


def nothing_picked(found: Sequence[FoundLinear]) -> Problem:
    """The problem of a filter that picks nothing: which linear layers there are, and how to name some."""
    rule = "must pick at least one nn.Linear or Conv1D of the model"
    can = [layer for layer in found if not layer.obstacle]
    if not can:
        others = f"; it has {_listed(found)}, which are never replaced" if found else ""
        return Problem("filter_fn", rule, "nothing picked", f"The model has no such layer{others}")
    pattern, _ = max(
        groups(can).items(), key=lambda item: (len(item[1]), item[1][0].in_features * item[1][0].out_features)
    )
    hint = f"It has {_listed(can)}; name some with filter_fn=dyad_core.surgery.filters.named({pattern!r})"
    return Problem("filter_fn", rule, "nothing picked", hint)


def _listed(layers: Iterable[FoundLinear]) -> str:
    """Groups of layers with their sizes: ``3 × model.layers.*.fc1 (64→256)``."""
    found = [
        f"{len(group)} × {pattern or 'the model itself'} ({group[0].in_features}→{group[0].out_features})"
        for pattern, group in groups(layers).items()
    ]
    rest = len(found) - _MOST_GROUPS
    return ", ".join([*found[:_MOST_GROUPS], *([f"and {rest} kinds more"] if rest > 0 else [])])
