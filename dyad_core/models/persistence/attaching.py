"""Keeping a model's DYAD settings in its config, putting the layers back by them, and forgetting them.

``keep_settings`` is for a model whose layers were replaced, ``restore_layers`` for a dense one that is about to load the weights of
such a model.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from dyad_core.errors import Problem, SpecError
from dyad_core.layers.linear import Init
from dyad_core.models.persistence.config import DyadConfig
from dyad_core.models.persistence.marker import mark
from dyad_core.models.persistence.settings import LayerGroup, LayerSettings
from dyad_core.models.spec import Mode
from dyad_core.surgery import ReplacementReport, replace_linear
from dyad_core.surgery.finding import find_linears

if TYPE_CHECKING:
    from transformers import PreTrainedModel

__all__ = ["forget_settings", "keep_settings", "restore_layers", "settings_of"]


def keep_settings(
    model: PreTrainedModel, report: ReplacementReport, *, init: Init = "paper", implementation: str = "auto"
) -> None:
    """Write what ``replace_linear`` did to a model into the model's config, so that ``save_pretrained`` keeps it.

    The config is copied first: other models that were made from the same object stay as they are.

    Args:
        model: the model that ``replace_linear`` returned.
        report: its report.
        init: as it was given to ``replace_linear``.
        implementation: as it was given to ``replace_linear``.
    """
    groups: dict[LayerGroup, list[str]] = {}
    for layer in report.replaced:
        structure = layer.geometry
        mode: Mode = "feed_forward" if layer.kind == "feed_forward" else "layers"
        group = LayerGroup(mode, structure.n_blocks, structure.variant, structure.grain, init, implementation, ())
        groups.setdefault(group, []).append(layer.name)
    new = LayerSettings(tuple(LayerGroup(**{**vars(group), "layers": tuple(names)}) for group, names in groups.items()))
    old = settings_of(model)
    _own_config(model)
    _attach(model, new if old is None else old.with_layers(new))


def settings_of(model: PreTrainedModel) -> LayerSettings | None:
    """The DYAD settings in a model's config, or None."""
    found = getattr(getattr(model, "config", None), "quantization_config", None)
    return found.settings if isinstance(found, DyadConfig) else None


def forget_settings(model: PreTrainedModel, names: Iterable[str]) -> None:
    """Take layers out of the settings of a model that has its dense layers of these names back."""
    old = settings_of(model)
    if old is None:
        return
    kept = old.without(names)
    if kept.groups:
        _attach(model, kept)
    else:
        del model.config.quantization_config


def restore_layers(model: PreTrainedModel, settings: LayerSettings) -> None:
    """Put DYAD layers with weights yet to be loaded into a dense model, as ``settings`` say.

    Layers of the model's base are found whether the names have its prefix or not, as transformers does with weights.

    Raises:
        SpecError: the model has no such layers, or they cannot take the structure.
    """
    settings = settings.renamed(_names_here(model, settings.layers))
    for mode, init, implementation in dict.fromkeys((g.mode, g.init, g.implementation) for g in settings.groups):
        structures = {
            name: {"n_blocks": group.n_blocks, "variant": group.variant, "grain": group.grain}
            for group in settings.groups
            if (group.mode, group.init, group.implementation) == (mode, init, implementation)
            for name in group.layers
        }
        replace_linear(
            model,
            filter_fn=lambda _module, name, chosen=structures: name in chosen,  # type: ignore[misc]
            settings=lambda name, _module, chosen=structures: chosen[name],  # type: ignore[misc]
            weights="fresh",
            init=init,
            implementation=implementation,
            feed_forward=mode == "feed_forward",
            undoable=False,
        )
    _attach(model, settings)


def _attach(model: PreTrainedModel, settings: LayerSettings) -> None:
    model.config.quantization_config = DyadConfig(settings)
    mark(model, settings.layers)


def _own_config(model: PreTrainedModel) -> None:
    """Give a model a config of its own, in all of its modules that hold the one it has."""
    old = model.config
    new = copy.deepcopy(old)
    for module in model.modules():
        if module.__dict__.get("config") is old:
            module.__dict__["config"] = new


def _names_here(model: PreTrainedModel, names: Sequence[str]) -> dict[str, str]:
    present = {layer.name for layer in find_linears(model)}
    prefix = f"{model.base_model_prefix}."
    here: dict[str, str] = {}
    problems = []
    for name in names:
        forms = (name, name.removeprefix(prefix), prefix + name)
        found = next((form for form in forms if form in present), None)
        if found is None:
            rule = f"must be a linear layer of {type(model).__name__}, for the checkpoint has a DYAD layer there"
            problems.append(Problem(name, rule, "no such layer"))
        else:
            here[name] = found
    if problems:
        raise SpecError(problems)
    return here
