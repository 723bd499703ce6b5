"""Replace the linear layers of a model by ``DyadLinear``, or its feed-forwards by ``DyadFeedForward``.

Everything is checked, and every new layer built, before anything changes. Layers are named by their full dotted name. A module
or a weight that is in two places (a tied embedding, say) is refused, because replacing one place would silently untie it.
"""

from __future__ import annotations

import warnings as python_warnings
from collections.abc import Sequence
from math import isnan

from torch import nn

from dyad_core.errors import Problem, SpecError
from dyad_core.geometry import Variant
from dyad_core.layers.linear import INITS, Init
from dyad_core.ops import registry
from dyad_core.surgery.building import Builder, Weights
from dyad_core.surgery.fast_paths import encoder_switches, weight_readers
from dyad_core.surgery.filters import FilterFn
from dyad_core.surgery.optimizers import stale_optimizers
from dyad_core.surgery.planning import planned
from dyad_core.surgery.report import ReplacedLayer, ReplacementReport
from dyad_core.surgery.settings import Setting, Settings, SettingsFn
from dyad_core.surgery.undo import Undo, put
from dyad_core.surgery.wrapped import wrapping_problems

__all__ = ["replace_linear"]

FAST_PATH_OFF = (
    "nn.TransformerEncoderLayer reads linear1.weight and linear2.weight on its fast path, so that path is off where a layer "
    "was replaced"
)


def replace_linear(
    model: nn.Module,
    *,
    filter_fn: FilterFn,
    n_blocks: int | Setting = 4,
    variant: Variant | tuple[Variant, Variant] | Setting = "it",
    grain: int | Setting = 1,
    weights: Weights = "projected",
    init: Init = "paper",
    implementation: str = registry.AUTO,
    settings: SettingsFn | None = None,
    feed_forward: bool = False,
    allow_shared: bool = False,
    undoable: bool = True,
) -> tuple[nn.Module, ReplacementReport]:
    """Replace every linear layer that ``filter_fn`` picks, in place, and return the model with a report.

    The model is returned because the root itself may be a linear layer. ``nn.Linear`` and transformers' ``Conv1D`` are
    replaced; subclasses are left and reported. dtype, device (``meta`` too, without allocating), ``training`` and
    ``requires_grad`` carry over. Make the optimizer afterwards: one made before holds the old parameters and trains nothing
    in the new layers; where one is alive, a ``UserWarning`` names it.

    Args:
        model: the model, changed in place.
        filter_fn: called with (module, full dotted name) of each layer that can be replaced; :mod:`dyad_core.surgery.filters`
            has ready ones.
        n_blocks: number of blocks n, or a function of (name, module) that returns it; so may ``variant`` and ``grain`` be.
        variant: structure of the new layers; with ``feed_forward`` also a pair, as of :class:`DyadFeedForward`.
        grain: run length of the interleave.
        weights: ``"projected"`` keeps the nearest DYAD weight (lossy, see :meth:`DyadLinear.from_linear`) for a model that is
            trained on; ``"fresh"`` draws new ones, for training from scratch.
        init: how fresh weights are drawn, and what ``reset_parameters`` of the new layers does; see :class:`DyadLinear`.
        implementation: a name of the registry, or ``"auto"``.
        settings: called with (name, module); returns a mapping of any of n_blocks, variant and grain for this layer, or None to
            leave it out.
        feed_forward: replace each picked pair of layers and the activation between by one :class:`DyadFeedForward`, which
            writes the hidden activation once. For OPT, GPT-NeoX and, where its activation is gelu, relu or silu, GPT-2.
        allow_shared: replace a module that is in several places by one new module in all of them. A weight that two
            different modules share is refused in any case.
        undoable: keep the former layers, and their memory, for ``report.undo(model)``.

    Raises:
        SpecError: nothing matched, a picked layer cannot take this structure, is shared or has hooks, the model is
            quantised or wrapped by PEFT; all problems at once, and the model is unchanged.
    """
    structure = Settings(n_blocks, variant, grain, settings)
    problems = _argument_problems(model, filter_fn, weights, init, implementation) + structure.problems()
    if feed_forward and allow_shared:
        problems.append(Problem("allow_shared", "goes with feed_forward=False only", allow_shared))
    if problems or (problems := wrapping_problems(model)):
        raise SpecError(problems)
    plan = planned(model, filter_fn, structure, feed_forward=feed_forward, allow_shared=allow_shared)
    builder = Builder(weights, init, implementation)
    builder.build(plan)

    names = [layer.name for layer in builder.replaced]
    warnings = [*plan.warnings, *_not_finite(builder.replaced), *weight_readers(model, names)]
    switches = encoder_switches(model, names)
    if switches:
        warnings.append(FAST_PATH_OFF)
    stale = stale_optimizers(placement.old for placement in builder.placements)
    if stale is not None:
        warnings.append(stale)
        # Before anything changes: whoever turns warnings into errors keeps the model as it was.
        python_warnings.warn(stale, UserWarning, stacklevel=2)

    for switch in switches:
        setattr(switch.module, switch.attribute, switch.new)
    model = put(model, builder.placements)
    undo = Undo(builder.placements, switches) if undoable else None
    return model, ReplacementReport(tuple(builder.replaced), plan.skipped, tuple(warnings), undo)


def _not_finite(replaced: Sequence[ReplacedLayer]) -> list[str]:
    names = [
        row.name or "the model" for row in replaced if row.relative_error is not None and isnan(row.relative_error)
    ]
    return [f"the weight of {name} is not finite" for name in names]


def _argument_problems(
    model: nn.Module, filter_fn: FilterFn, weights: str, init: str, implementation: str
) -> list[Problem]:
    problems = []
    if not isinstance(model, nn.Module):
        problems.append(Problem("model", "must be an nn.Module", type(model).__name__))
    if not callable(filter_fn):
        hint = "for names, filter_fn=dyad_core.surgery.filters.named('model.layers.*.fc1')"
        problems.append(Problem("filter_fn", "must be a function (module, name) -> bool", filter_fn, hint))
    if weights not in ("projected", "fresh"):
        problems.append(Problem("weights", "must be 'projected' or 'fresh'", weights))
    if init not in INITS:
        problems.append(Problem("init", f"must be one of {', '.join(INITS)}", init))
    if implementation != registry.AUTO:
        try:
            registry.get(implementation)
        except SpecError as error:
            problems += error.problems
    return problems
