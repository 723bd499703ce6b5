"""What a replacement will do, decided and checked while the model is still as it was."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from torch import nn

from dyad_core.errors import Problem, SpecError
from dyad_core.geometry import DyadGeometry
from dyad_core.surgery.checking import Sharing, layer_problem, nothing_picked
from dyad_core.surgery.feed_forward_pairs import Pair, find_pairs
from dyad_core.surgery.filters import FilterFn, Named
from dyad_core.surgery.finding import FoundLinear, find_linears
from dyad_core.surgery.report import SkippedLayer
from dyad_core.surgery.settings import Settings

__all__ = ["Plan", "PlannedLayer", "PlannedPair", "planned"]


@dataclass(frozen=True, eq=False)
class PlannedLayer:
    """A layer, and the structure that it gets."""

    layer: FoundLinear
    geometry: DyadGeometry


@dataclass(frozen=True, eq=False)
class PlannedPair:
    """A feed-forward, and the structures that its two layers get."""

    pair: Pair
    first: DyadGeometry
    second: DyadGeometry


@dataclass(frozen=True, eq=False)
class Plan:
    """All that will change, and what stays with the reason."""

    layers: tuple[PlannedLayer, ...]
    pairs: tuple[PlannedPair, ...]
    skipped: tuple[SkippedLayer, ...]
    warnings: tuple[str, ...]


def planned(
    model: nn.Module, filter_fn: FilterFn, settings: Settings, *, feed_forward: bool, allow_shared: bool
) -> Plan:
    """Ask the filter and the settings about each layer, and check all that are picked.

    Raises:
        SpecError: with every problem found.
    """
    found = find_linears(model)
    picked, skipped = _picked(found, filter_fn)
    sharing = Sharing(model, allow_modules=allow_shared)
    places = Counter(id(layer.module) for layer in picked)
    against = {layer.name: sharing.problem(layer, places) or layer_problem(layer) for layer in picked}
    problems = [problem for problem in against.values() if problem is not None]
    refused = {name for name, problem in against.items() if problem is not None}
    layers: list[PlannedLayer] = []
    pairs: list[PlannedPair] = []
    left: list[FoundLinear] = []
    if feed_forward:
        sites, pair_problems = find_pairs(model, picked)
        problems += [problem for problem in pair_problems if problem.field not in refused]
        for pair in sites:
            _add_pair(pair, settings, pairs, left, problems)
    else:
        for layer in picked:
            if layer.name not in refused:
                _add_layer(layer, settings, layers, left, problems)
        problems += _differing(layers, left)
    if problems:
        raise SpecError(problems)
    if not layers and not pairs:
        raise SpecError([Problem("settings", "must leave at least one picked layer in", "all of them are left out")])
    skipped += [SkippedLayer(layer.name, "left out by settings") for layer in left]
    return Plan(tuple(layers), tuple(pairs), tuple(skipped), tuple(_unused(filter_fn, found)))


def _picked(found: Sequence[FoundLinear], filter_fn: FilterFn) -> tuple[list[FoundLinear], list[SkippedLayer]]:
    picked, skipped = [], []
    for layer in found:
        if layer.obstacle:
            skipped.append(SkippedLayer(layer.name, layer.obstacle))
        elif filter_fn(layer.module, layer.name):
            picked.append(layer)
        else:
            skipped.append(SkippedLayer(layer.name, "not picked by filter_fn"))
    if not picked:
        raise SpecError([nothing_picked(found)])
    return picked, skipped


def _add_layer(
    layer: FoundLinear,
    settings: Settings,
    layers: list[PlannedLayer],
    left: list[FoundLinear],
    problems: list[Problem],
) -> None:
    try:
        geometry = settings.geometry(layer)
    except SpecError as error:
        problems += error.problems
        return
    if geometry is None:
        left.append(layer)
    else:
        layers.append(PlannedLayer(layer, geometry))


def _differing(layers: Sequence[PlannedLayer], left: Sequence[FoundLinear]) -> list[Problem]:
    """A problem for each place of a shared module that is to become something else than its other places."""
    first: dict[int, DyadGeometry] = {}
    rule = "is one module in several places of the model, and must get one structure in all of them"
    problems = []
    for planned_layer in layers:
        layer, geometry = planned_layer.layer, planned_layer.geometry
        if first.setdefault(id(layer.module), geometry) != geometry:
            problems.append(Problem(layer.name, rule, (geometry.n_blocks, geometry.variant, geometry.grain)))
    return problems + [Problem(one.name, rule, "left out by settings") for one in left if id(one.module) in first]


def _add_pair(
    pair: Pair, settings: Settings, pairs: list[PlannedPair], left: list[FoundLinear], problems: list[Problem]
) -> None:
    found: list[DyadGeometry | None] = []
    for position, layer in enumerate((pair.first, pair.second)):
        try:
            found.append(settings.geometry(layer, position))
        except SpecError as error:
            problems += error.problems
    if len(found) < 2:
        return
    first, second = found
    if first is None and second is None:
        left += [pair.first, pair.second]
    elif first is None or second is None:
        rule = "must leave out both layers of a feed-forward, or none"
        problems.append(Problem("settings", rule, pair.first.name if first is None else pair.second.name))
    elif (first.n_blocks, first.grain) != (second.n_blocks, second.grain):
        rule = "must have one n_blocks and one grain for both layers of a feed-forward"
        received = [(one.n_blocks, one.grain) for one in (first, second)]
        problems.append(Problem(pair.name or "model", rule, received, "only the variants may differ"))
    else:
        pairs.append(PlannedPair(pair, first, second))


def _unused(filter_fn: FilterFn, found: Sequence[FoundLinear]) -> list[str]:
    """A warning for each pattern of :func:`~dyad_core.surgery.filters.named` that fits no layer at all."""
    if not isinstance(filter_fn, Named):
        return []
    return [
        f"the pattern {pattern!r} fits no linear layer of this model"
        for pattern in filter_fn.patterns
        if not any(Named((pattern,))(layer.module, layer.name) for layer in found)
    ]
