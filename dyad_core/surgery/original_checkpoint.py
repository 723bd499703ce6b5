"""Checkpoints of the original code (asappresearch/dyad): the key map, in both directions, for a layer or a whole model.

| original | shape | ours | shape | what it is |
| --- | --- | --- | --- | --- |
| ``<layer>.wl`` | (n, block_out, block_in) | ``<layer>.weight_blockdiag`` | the same | BLOCKDIAG |
| ``<layer>.wu`` | (n, block_out, block_in) | ``<layer>.weight_blocktrans`` | the same | BLOCKTRANS of ``it`` |
| ``<layer>.bias`` | (out_features, 1) | ``<layer>.bias`` | (out_features,) | bias, a column for feature-major activations |
| every other key | | the same key | | not a DYAD layer |

No number changes and no axis moves: the original groups its inputs as (block_in, n) and transposes, so input i is
in BLOCKTRANS group i mod n, which is our ``it`` of grain 1. It knows no other variant and no grain, and the
activations around its layers are feature-major; ours take and give (tokens, features).
"""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn

from dyad_core.errors import Problem, SpecError
from dyad_core.layers import DyadLinear

__all__ = ["from_original", "load_original", "to_original"]

RENAMED = {"wl": "weight_blockdiag", "wu": "weight_blocktrans", "bias": "bias"}


def from_original(state_dict: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Convert a state dict of the original code to the keys and shapes of this library.

    Args:
        state_dict: of one layer or of a whole model; keys of other modules are kept as they are.

    Returns:
        A new dictionary; weights are the same tensors, biases are views of them.

    Raises:
        SpecError: nothing of the original layout is in it, half of a layer is missing, or shapes do not fit.
    """
    layers = _layers(state_dict)
    if not layers:
        rule = "must hold at least one layer of the original layout, keys '<layer>.wl' and '<layer>.wu'"
        raise SpecError([Problem("state_dict", rule, _listed(state_dict))])
    problems = [problem for layer in layers for problem in _layer_problems(state_dict, layer)]
    if problems:
        raise SpecError(problems)
    converted = {}
    for key, value in state_dict.items():
        layer, name = _split(key)
        if layer in layers and name in RENAMED:
            converted[_joined(layer, RENAMED[name])] = value.reshape(-1) if name == "bias" else value
        else:
            converted[key] = value
    return converted


def to_original(model: nn.Module) -> dict[str, Tensor]:
    """The state dict of ``model`` in the original layout, for the original code to load.

    Args:
        model: a ``DyadLinear``, or any module that holds some; its other entries are kept as they are.

    Raises:
        SpecError: the model holds no DYAD layer, or one that the original code does not have (another variant, a grain).
    """
    layers = _dyad_layers(model)
    problems = [
        Problem(layer or "layer", "must be variant 'it' of grain 1, the only one the original code has", _words(module))
        for layer, module in layers.items()
        if (module.variant, module.grain) != ("it", 1)
    ]
    if not layers:
        problems.append(Problem("model", "must hold at least one DyadLinear", type(model).__name__))
    if problems:
        raise SpecError(problems)
    original = {ours: name for name, ours in RENAMED.items()}
    converted = {}
    for key, value in _state(model, layers).items():
        layer, name = _split(key)
        if layer in layers and name in original:
            converted[_joined(layer, original[name])] = value[:, None] if name == "bias" else value
        else:
            converted[key] = value
    return converted


def load_original(model: nn.Module, state_dict: Mapping[str, Tensor]) -> None:
    """Load a checkpoint of the original code into ``model``, every key of it, or change nothing.

    Args:
        model: has a ``DyadLinear`` where the checkpoint has an original layer.
        state_dict: of the original code.

    Raises:
        SpecError: a layer is no ``DyadLinear``, or has another n or another variant (the message says both); or a key
            is missing on either side, or has another shape. All at once.
    """
    converted = from_original(state_dict)
    modules = _dyad_layers(model)
    problems = []
    for layer in _layers(state_dict):
        weight = state_dict[_joined(layer, "wl")]
        n, block_out, block_in = weight.shape
        held = f"{n * block_in} → {n * block_out}, n_blocks={n}, variant 'it', grain 1"
        if layer not in modules:
            rule = f"must be a DyadLinear of the checkpoint's structure: {held}"
            problems.append(Problem(layer or "model", rule, "no DyadLinear of that name"))
        elif held != _words(modules[layer]):
            rule = f"must have the structure of the checkpoint: {held}"
            problems.append(
                Problem(layer or "model", rule, _words(modules[layer]), "build the layer with that structure")
            )
    if problems:
        raise SpecError(problems)
    wanted = _state(model, modules)
    for key in sorted(set(wanted) ^ set(converted)):
        where = "the model" if key in converted else "the checkpoint"
        problems.append(Problem(key, "must be in both the checkpoint and the model", f"missing in {where}"))
    for key in sorted(set(wanted) & set(converted)):
        if wanted[key].shape != converted[key].shape:
            rule = f"must have the model's shape {tuple(wanted[key].shape)}"
            problems.append(Problem(key, rule, tuple(converted[key].shape)))
    if problems:
        raise SpecError(problems)
    model.load_state_dict(converted)


def _layers(state_dict: Mapping[str, Tensor]) -> list[str]:
    """Names of the original layers, in order, each once; the empty name is a layer of its own."""
    return list(dict.fromkeys(layer for layer, name in map(_split, state_dict) if name in ("wl", "wu")))


def _layer_problems(state_dict: Mapping[str, Tensor], layer: str) -> list[Problem]:
    found = {name: state_dict.get(_joined(layer, name)) for name in RENAMED}
    wl, wu, bias = found["wl"], found["wu"], found["bias"]
    if wl is None or wu is None:
        missing = _joined(layer, "wl" if wl is None else "wu")
        return [Problem(missing, "must be there: an original layer has both wl and wu", "no such key")]
    if wl.dim() != 3 or wl.shape != wu.shape:
        rule = "must have three dimensions (n, block_out, block_in) and the same shape as wl"
        return [Problem(_joined(layer, "wu"), rule, f"wl {tuple(wl.shape)}, wu {tuple(wu.shape)}")]
    outputs = wl.shape[0] * wl.shape[1]
    if bias is not None and bias.shape != (outputs, 1):
        return [Problem(_joined(layer, "bias"), f"must have shape ({outputs}, 1)", tuple(bias.shape))]
    return []


def _dyad_layers(model: nn.Module) -> dict[str, DyadLinear]:
    modules = model.named_modules(remove_duplicate=False)
    return {name: module for name, module in modules if isinstance(module, DyadLinear)}


def _state(model: nn.Module, layers: Mapping[str, DyadLinear]) -> dict[str, Tensor]:
    """The state dict without the empty tensors by which :mod:`dyad_core.models.persistence` marks a DYAD layer."""
    state: dict[str, Tensor] = model.state_dict()
    return {key: value for key, value in state.items() if value.numel() or _split(key)[0] not in layers}


def _words(layer: DyadLinear) -> str:
    sizes = f"{layer.in_features} → {layer.out_features}"
    return f"{sizes}, n_blocks={layer.n_blocks}, variant {layer.variant!r}, grain {layer.grain}"


def _split(key: str) -> tuple[str, str]:
    layer, _, name = key.rpartition(".")
    return layer, name


def _joined(layer: str, name: str) -> str:
    return f"{layer}.{name}" if layer else name


def _listed(keys: Mapping[str, Tensor]) -> str:
    shown = ", ".join(list(keys)[:5])
    return f"{len(keys)} keys: {shown}{', …' if len(keys) > 5 else ''}"
