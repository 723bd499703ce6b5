"""Feed-forwards that one ``DyadFeedForward`` can replace: which architectures have two linear layers with only an activation between.

OPT's decoder layer calls fc1, the activation and fc2 itself, so the module goes to the place of fc1 and the other two become
``nn.Identity``. GPT-NeoX has a module that is nothing but the pair, and it is replaced as a whole. Gated feed-forwards (Llama) and
pairs that are spread over two modules (BERT) have no such form.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import nn

from dyad_core.errors import Problem
from dyad_core.layers.feed_forward import Activation
from dyad_core.surgery.checking import hanging_on
from dyad_core.surgery.finding import FoundLinear, is_from

__all__ = ["FORMS", "Pair", "PairForm", "activation_of", "find_pairs"]

_BY_ITSELF = "feed_forward=False replaces each layer by itself"


@dataclass(frozen=True)
class PairForm:
    """Where a class keeps the parts of its feed-forward.

    Attributes:
        first: attribute of the layer into the hidden features.
        activation: attribute of the activation.
        second: attribute of the layer out of them.
        is_whole: whether the class is nothing but the pair, so that it is replaced itself.
    """

    first: str
    activation: str
    second: str
    is_whole: bool


FORMS: dict[str, PairForm] = {
    "OPTDecoderLayer": PairForm("fc1", "activation_fn", "fc2", is_whole=False),
    "GPTNeoXMLP": PairForm("dense_h_to_4h", "act", "dense_4h_to_h", is_whole=True),
    "GPT2MLP": PairForm("c_fc", "act", "c_proj", is_whole=False),
}
"""The form of each class of transformers that has one (read in transformers 5.23)."""


@dataclass(frozen=True, eq=False)
class Pair:
    """One feed-forward of the model.

    Attributes:
        name: full dotted name of the module that owns it.
        owner: that module.
        form: where it keeps the parts.
        first: the layer into the hidden features.
        second: the layer out of them.
        activation: what is between.
    """

    name: str
    owner: nn.Module
    form: PairForm
    first: FoundLinear
    second: FoundLinear
    activation: Activation

    @property
    def place(self) -> str:
        """Full dotted name at which the ``DyadFeedForward`` goes."""
        return self.name if self.form.is_whole else self.part(self.form.first)

    def part(self, attribute: str) -> str:
        """Full dotted name of a part of the owner."""
        return _dotted(self.name, attribute)


def activation_of(module: object) -> Activation | None:
    """The activation of :class:`DyadFeedForward` that a module computes, or None for another one."""
    if type(module) is nn.GELU:
        return "gelu" if module.approximate == "none" else None
    names: dict[str, Activation] = {"ReLU": "relu", "SiLU": "silu"}
    if is_from(type(module), "transformers"):
        names = {"GELUActivation": "gelu", "SiLUActivation": "silu"}
    elif not is_from(type(module), "torch"):
        return None
    return names.get(type(module).__name__)


def find_pairs(model: nn.Module, picked: Sequence[FoundLinear]) -> tuple[list[Pair], list[Problem]]:
    """The feed-forwards that consist of picked layers, and a problem for each picked layer that is in none."""
    by_name = {layer.name: layer for layer in picked}
    owners: dict[str, nn.Module] = {}
    pairs: list[Pair] = []
    problems: list[Problem] = []
    for layer in picked:
        owner_name, _, attribute = layer.name.rpartition(".")
        owner = model.get_submodule(owner_name)
        form = FORMS.get(type(owner).__name__) if layer.name and is_from(type(owner), "transformers") else None
        if form is None or attribute not in (form.first, form.second):
            rule = f"is in no feed-forward that one module can replace (known: {', '.join(FORMS)})"
            problems.append(Problem(layer.name, rule, type(owner).__name__, _BY_ITSELF))
            continue
        first, second = (by_name.get(_dotted(owner_name, part)) for part in (form.first, form.second))
        if first is None or second is None:
            missing = form.second if first is layer else form.first
            rule = f"is half of a feed-forward whose other half {missing} filter_fn does not pick"
            problems.append(Problem(layer.name, rule, type(owner).__name__, f"pick both, or {_BY_ITSELF}"))
        elif owner_name not in owners:
            owners[owner_name] = owner
            activation = activation_of(getattr(owner, form.activation, None))
            found = _owner_problems(owner_name, owner, form, activation)
            problems += found
            if activation is not None and not found:
                pairs.append(Pair(owner_name, owner, form, first, second, activation))
    return pairs, problems


def _dotted(owner: str, attribute: str) -> str:
    return f"{owner}.{attribute}" if owner else attribute


def _owner_problems(name: str, owner: nn.Module, form: PairForm, activation: Activation | None) -> list[Problem]:
    between = getattr(owner, form.activation, None)
    field = _dotted(name, form.activation)
    problems = []
    if activation is None:
        rule = "must be relu, gelu (the exact one) or silu for a DyadFeedForward"
        problems.append(Problem(field, rule, type(between).__name__, _BY_ITSELF))
    lost = {field: hanging_on(between) if isinstance(between, nn.Module) else []}
    if form.is_whole:
        known = (form.first, form.activation, form.second)
        parts = [*owner._modules, *owner._parameters, *owner._buffers]
        lost[name or "model"] = hanging_on(owner) + [f"the part {part!r}" for part in parts if part not in known]
    for place, things in lost.items():
        if things:
            rule = f"has {', '.join(things)}, which would be lost"
            problems.append(Problem(place, rule, type(owner).__name__, f"take them off, or {_BY_ITSELF}"))
    return problems
