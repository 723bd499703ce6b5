"""Putting modules into the places of a model, and putting the former ones back.

A model is changed in its instances only: no class and no function of anybody's is touched, so other models stay as they are.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from torch import nn

from dyad_core.errors import Problem, SpecError
from dyad_core.surgery.optimizers import stale_optimizers

__all__ = ["Placement", "Switch", "Undo", "put"]


@dataclass(frozen=True, eq=False)
class Placement:
    """A module that takes the place of another.

    Attributes:
        name: full dotted name of the place, empty for the model itself.
        old: the module that was there.
        new: the module that is there now.
    """

    name: str
    old: nn.Module
    new: nn.Module


@dataclass(frozen=True, eq=False)
class Switch:
    """A plain attribute of a module that gets another value."""

    module: nn.Module
    attribute: str
    old: Any
    new: Any


def put(model: nn.Module, placements: Sequence[Placement]) -> nn.Module:
    """Put every new module into its place and return the model, which is a new module where the root was replaced."""
    for placement in placements:
        if placement.name:
            parent, _, attribute = placement.name.rpartition(".")
            model.get_submodule(parent)._modules[attribute] = placement.new
        else:
            model = placement.new
    return model


class Undo:
    """What is needed to take a replacement back: the former modules, kept as they were."""

    def __init__(self, placements: Sequence[Placement], switches: Sequence[Switch]) -> None:
        """Keep the former modules."""
        self._placements: tuple[Placement, ...] = tuple(placements)
        self._switches: tuple[Switch, ...] = tuple(switches)
        self._done = False

    def __call__(self, model: nn.Module) -> nn.Module:
        """Put the former modules back; see :meth:`ReplacementReport.undo`."""
        if self._done:
            raise SpecError([Problem("model", "has its former layers back already", "a second undo")])
        problems = [
            Problem(
                placement.name or "model",
                "must still be the layer that the replacement put there",
                type(now).__name__,
                "undo takes the model of this report itself, not a copy or a wrapper of it",
            )
            for placement in self._placements
            if (now := _at(model, placement.name)) is not placement.new
        ]
        if problems:
            raise SpecError(problems)
        stale = stale_optimizers(placement.new for placement in self._placements)
        if stale is not None:
            warnings.warn(stale, UserWarning, stacklevel=3)
        _follow(self._placements)
        for switch in self._switches:
            setattr(switch.module, switch.attribute, switch.old)
        self._done = True
        restored = put(
            model, [Placement(placement.name, placement.new, placement.old) for placement in self._placements]
        )
        self._placements = self._switches = ()
        return restored


def _at(model: nn.Module, name: str) -> nn.Module | None:
    for part in name.split(".") if name else ():
        child = model._modules.get(part)
        if child is None:
            return None
        model = child
    return model


def _follow(placements: Sequence[Placement]) -> None:
    """Take the former modules to the device and the mode in which their successors are now; their values stay."""
    device = None
    for placement in placements:
        placement.old.train(placement.new.training)
        # What has no parameters, as the rest of a feed-forward that became one module, goes where the module before is.
        parameter = next(placement.new.parameters(), None)
        device = device if parameter is None else parameter.device
        former = next(placement.old.parameters(), None)
        if device is not None and former is not None and former.device != device:
            placement.old.to(device)
