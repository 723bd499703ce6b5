"""The structure that each layer is to get: one for all, or by functions of (name, module)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from torch import nn

from dyad_core.errors import Problem, SpecError
from dyad_core.geometry import DyadGeometry, Variant
from dyad_core.surgery.finding import FoundLinear

__all__ = ["Setting", "Settings", "SettingsFn"]

_NAMES = ("n_blocks", "variant", "grain")

Setting = Callable[[str, nn.Module], Any]
"""Called with (full dotted name, module) of a picked layer; returns its value."""

SettingsFn = Callable[[str, nn.Module], Mapping[str, Any] | None]
"""Called with (full dotted name, module); returns any of n_blocks, variant and grain, or None to leave the layer out."""


@dataclass(frozen=True)
class Settings:
    """What was asked for; each of the first three is a value or a function of (name, module).

    Attributes:
        n_blocks: number of blocks n.
        variant: structure; a pair is one for each layer of a feed-forward.
        grain: run length of the interleave.
        each: a function that overrides them layer by layer, or None.
    """

    n_blocks: int | Setting
    variant: Variant | tuple[Variant, Variant] | Setting
    grain: int | Setting
    each: SettingsFn | None

    def problems(self) -> list[Problem]:
        """What is wrong before any layer is known."""
        if self.each is None or callable(self.each):
            return []
        rule = "must be a function (name, module) that returns a mapping of n_blocks, variant, grain, or None"
        return [Problem("settings", rule, self.each)]

    def geometry(self, layer: FoundLinear, position: int | None = None) -> DyadGeometry | None:
        """The structure of one layer, or None where ``each`` leaves it out.

        Args:
            layer: the layer.
            position: 0 for the first layer of a feed-forward, 1 for the second: which of a pair of variants it takes.
                None for a layer by itself, which takes no pair.

        Raises:
            SpecError: its sizes do not admit the structure, each problem under its name.
        """
        given = {} if self.each is None else self.each(layer.name, layer.module)
        if given is None:
            return None
        if not isinstance(given, Mapping):
            rule = "must return a mapping of n_blocks, variant, grain, or None"
            raise SpecError([_under(layer, Problem("settings", rule, given))])
        problems = [
            _under(layer, Problem(str(name), "is not a setting of a layer", value, "known: n_blocks, variant, grain"))
            for name, value in given.items()
            if name not in _NAMES
        ]
        values = {name: self._value(name, layer, given) for name in _NAMES}
        variant = values["variant"]
        if position is not None and isinstance(variant, tuple | list) and len(variant) == 2:
            values["variant"] = variant[position]
        try:
            geometry = DyadGeometry(layer.in_features, layer.out_features, **values)
        except SpecError as error:
            problems += [_under(layer, problem) for problem in error.problems]
        if problems:
            raise SpecError(problems)
        return geometry

    def _value(self, name: str, layer: FoundLinear, given: Mapping[str, Any]) -> Any:
        if name in given:
            return given[name]
        value = getattr(self, name)
        return value(layer.name, layer.module) if callable(value) else value


def _under(layer: FoundLinear, problem: Problem) -> Problem:
    return problem.under(layer.name) if layer.name else problem
