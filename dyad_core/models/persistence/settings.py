"""The structure of every DYAD layer of a model, as it is written into its ``config.json``; no transformers needed.

Layers go by the full dotted names that they had in the dense model. Those of the same structure are listed together::

    {"format": 1, "groups": [{"mode": "layers", "n_blocks": 4, "variant": "it", "grain": 1, "init": "paper",
                              "implementation": "auto", "layers": ["model.decoder.layers.0.fc1", …]}]}
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from dyad_core.errors import Problem, SpecError
from dyad_core.geometry import VARIANTS, Variant, positive_integer
from dyad_core.layers.linear import INITS, Init
from dyad_core.models.spec import MODES, Mode
from dyad_core.ops import registry

__all__ = ["FORMAT", "LayerGroup", "LayerSettings"]

FORMAT = 1


@dataclass(frozen=True)
class LayerGroup:
    """Layers of one structure."""

    mode: Mode
    """``"layers"``: each by itself; ``"feed_forward"``: pairs that became one module."""
    n_blocks: int
    variant: Variant
    grain: int
    init: Init
    implementation: str
    layers: tuple[str, ...]


@dataclass(frozen=True)
class LayerSettings:
    """Every DYAD layer of one model."""

    groups: tuple[LayerGroup, ...]

    @property
    def layers(self) -> tuple[str, ...]:
        """All names."""
        return tuple(name for group in self.groups for name in group.layers)

    def with_layers(self, other: LayerSettings) -> LayerSettings:
        """These and those of ``other``, whose groups of the same structure are joined."""
        joined: dict[LayerGroup, tuple[str, ...]] = {}
        for group in (*self.groups, *other.groups):
            key = replace(group, layers=())
            joined[key] = (*joined.get(key, ()), *group.layers)
        return LayerSettings(tuple(replace(key, layers=layers) for key, layers in joined.items()))

    def without(self, names: Iterable[str]) -> LayerSettings:
        """All but the layers of these names."""
        gone = set(names)
        kept = [replace(group, layers=tuple(n for n in group.layers if n not in gone)) for group in self.groups]
        return LayerSettings(tuple(group for group in kept if group.layers))

    def renamed(self, names: Mapping[str, str]) -> LayerSettings:
        """The same layers under other names."""
        return LayerSettings(
            tuple(replace(group, layers=tuple(names[name] for name in group.layers)) for group in self.groups)
        )

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready values."""
        return {"format": FORMAT, "groups": [{**asdict(group), "layers": list(group.layers)} for group in self.groups]}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> LayerSettings:
        """Read what ``to_dict`` wrote.

        Raises:
            SpecError: a newer format, or values that no layer can have; all of them.
        """
        written = values.get("format")
        if isinstance(written, int) and written > FORMAT:
            rule = f"is of a newer version of dyad-explorer; this one reads up to {FORMAT}"
            raise SpecError([Problem(_FIELD + "format", rule, written, "pip install --upgrade dyad-explorer")])
        groups = values.get("groups")
        if written != FORMAT or not isinstance(groups, list) or not groups:
            rule = f"must hold format {FORMAT} and groups, a list of at least one"
            raise SpecError([Problem(_FIELD[:-1], rule, {"format": written, "groups": type(groups).__name__})])
        problems = [problem for place, group in enumerate(groups) for problem in _problems(group, f"groups.{place}")]
        if problems:
            raise SpecError(problems)
        return cls(tuple(LayerGroup(**{**group, "layers": tuple(group["layers"])}) for group in groups))


_FIELD = "quantization_config."
_CHOICES: dict[str, tuple[str, ...]] = {"mode": MODES, "variant": VARIANTS, "init": INITS}


def _problems(group: Any, path: str) -> list[Problem]:
    names = tuple(LayerGroup.__dataclass_fields__)
    if not isinstance(group, Mapping) or set(group) != set(names):
        received = sorted(group) if isinstance(group, Mapping) else type(group).__name__
        return [Problem(f"{_FIELD}{path}", f"must have {', '.join(names)}", received)]
    problems = [found for name in ("n_blocks", "grain") if (found := positive_integer(name, group[name])) is not None]
    problems += [
        Problem(name, f"must be one of {', '.join(allowed)}", group[name])
        for name, allowed in _CHOICES.items()
        if group[name] not in allowed
    ]
    if group["implementation"] != registry.AUTO and group["implementation"] not in registry.names():
        known = ", ".join((registry.AUTO, *registry.names()))
        problems.append(Problem("implementation", f"must be one of {known}", group["implementation"]))
    layers = group["layers"]
    if not isinstance(layers, list) or not layers or not all(isinstance(name, str) for name in layers):
        problems.append(Problem("layers", "must be a list of dotted names, at least one", layers))
    return [problem.under(f"{_FIELD}{path}") for problem in problems]
