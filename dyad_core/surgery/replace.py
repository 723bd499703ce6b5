"""Replace the ``nn.Linear`` layers of a model by ``DyadLinear``.

Everything is checked before anything changes. Layers are named by their full dotted name. A module or a
weight that is registered under two names (a tied embedding, say) is refused, because replacing one place
would silently untie it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Literal

import torch
from torch import nn

from dyad_core.errors import Problem, SpecError
from dyad_core.geometry import DyadGeometry, Variant
from dyad_core.layers import DyadLinear
from dyad_core.ops import registry
from dyad_core.surgery.report import ReplacedLayer, ReplacementReport, SkippedLayer

__all__ = ["FilterFn", "replace_linear"]

FilterFn = Callable[[nn.Module, str], bool]
"""Called with (module, full dotted name); True asks for the replacement."""


def replace_linear(
    model: nn.Module,
    *,
    filter_fn: FilterFn,
    n_blocks: int = 4,
    variant: Variant = "it",
    grain: int = 1,
    weights: Literal["projected", "fresh"] = "projected",
    implementation: str = registry.AUTO,
) -> tuple[nn.Module, ReplacementReport]:
    """Replace every ``nn.Linear`` that ``filter_fn`` picks, in place, and return the model with a report.

    The model is returned because the root itself may be a linear layer. Make the optimizer afterwards: one
    made before holds the old parameters and trains nothing in the new layers.

    Args:
        model: the model, changed in place.
        filter_fn: called with (module, full dotted name) for each ``nn.Linear``.
        n_blocks: number of blocks n.
        variant: structure of the new layers.
        grain: run length of the interleave.
        weights: ``"projected"`` keeps the nearest DYAD weight (lossy, see :meth:`DyadLinear.from_linear`);
            ``"fresh"`` draws new ones, for training from scratch.
        implementation: a name of the registry, or ``"auto"``.

    Raises:
        SpecError: nothing matched, a picked layer cannot take this structure or is shared; all at once, and
            the model is unchanged.
    """
    if weights not in ("projected", "fresh"):
        raise SpecError([Problem("weights", "must be 'projected' or 'fresh'", weights)])
    linears = [(name, module) for name, module in model.named_modules(remove_duplicate=False) if _is_linear(module)]
    picked = [(name, module) for name, module in linears if filter_fn(module, name)]
    skipped = tuple(
        SkippedLayer(name, "not picked by filter_fn") for name, module in linears if (name, module) not in picked
    )
    geometries = _check(model, picked, n_blocks, variant, grain)

    replaced = []
    for (name, linear), geometry in zip(picked, geometries, strict=True):
        layer = DyadLinear.from_linear(
            linear, n_blocks=n_blocks, variant=variant, grain=grain, implementation=implementation
        )
        error = None
        if weights == "fresh":
            layer.reset_parameters()
        else:
            error = _relative_error(linear, layer)
        replaced.append(ReplacedLayer(name, geometry, error))
        if name:
            model.set_submodule(name, layer)
        else:
            model = layer
    return model, ReplacementReport(tuple(replaced), skipped)


def _is_linear(module: nn.Module) -> bool:
    return type(module) is nn.Linear


def _check(
    model: nn.Module, picked: list[tuple[str, nn.Linear]], n_blocks: int, variant: Variant, grain: int
) -> list[DyadGeometry]:
    if not picked:
        rule = "must pick at least one nn.Linear of the model"
        raise SpecError([Problem("filter_fn", rule, "nothing picked", "print the names with model.named_modules()")])
    modules = Counter(id(module) for _, module in model.named_modules(remove_duplicate=False))
    parameters = Counter(id(p) for _, p in model.named_parameters(remove_duplicate=False))
    problems, geometries = [], []
    for name, linear in picked:
        if modules[id(linear)] > 1 or parameters[id(linear.weight)] > 1:
            rule = "shares its module or weight with another place of the model, and replacing one would untie them"
            problems.append(Problem(name, rule, "a shared layer", "leave it out in filter_fn"))
            continue
        try:
            geometries.append(DyadGeometry(linear.in_features, linear.out_features, n_blocks, variant, grain))
        except SpecError as error:
            problems += [problem.under(name) if name else problem for problem in error.problems]
    if problems:
        raise SpecError(problems)
    return geometries


def _relative_error(linear: nn.Linear, layer: DyadLinear) -> float:
    with torch.no_grad():
        norm = torch.linalg.matrix_norm(linear.weight)
        lost = torch.linalg.matrix_norm(linear.weight - layer.to_dense())
        return float(lost / norm) if norm > 0 else 0.0
