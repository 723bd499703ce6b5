"""Put DYAD into a model of transformers, so that it saves and loads as one.

Run ``python -c "from dyad_core.models import build, swap; print(swap(build('opt-125m'))[1])"``.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

from torch import nn

from dyad_core.errors import Problem, SpecError
from dyad_core.geometry import Variant
from dyad_core.layers.linear import Init
from dyad_core.models.architectures import filter_for
from dyad_core.models.hugging_face import PreTrainedModel
from dyad_core.models.persistence.attaching import forget_settings, keep_settings
from dyad_core.models.spec import MODES, Mode
from dyad_core.ops import registry
from dyad_core.surgery import ReplacementReport, replace_linear
from dyad_core.surgery.building import Weights
from dyad_core.surgery.settings import Setting, SettingsFn

__all__ = ["SwapReport", "swap"]


@dataclass(frozen=True)
class SwapReport(ReplacementReport):
    """Report of a swap; its undo takes the settings out of the model's config as well."""

    def undo(self, model: nn.Module) -> nn.Module:
        """Put the former layers back; see :meth:`ReplacementReport.undo`."""
        restored = super().undo(model)
        assert isinstance(restored, PreTrainedModel)  # noqa: S101 - swap takes nothing else
        forget_settings(restored, [layer.name for layer in self.replaced])
        return restored


def swap(
    model: PreTrainedModel,
    *,
    n_blocks: int | Setting = 4,
    variant: Variant | tuple[Variant, Variant] | Setting = "it",
    mode: Mode = "layers",
    names: Sequence[str] = (),
    grain: int | Setting = 1,
    weights: Weights = "fresh",
    init: Init = "paper",
    implementation: str = registry.AUTO,
    settings: SettingsFn | None = None,
    undoable: bool = True,
) -> tuple[PreTrainedModel, SwapReport]:
    """Replace the feed-forward layers of a model by DYAD, in place, and return the model with a report.

    ``save_pretrained`` keeps the structure, and ``from_pretrained`` restores it wherever ``dyad_core.models`` is imported. Make the
    optimizer afterwards.

    Args:
        model: of transformers, on any device, ``meta`` too.
        n_blocks: number of blocks n, or a function of (name, module) that returns it; so may ``variant`` and ``grain`` be.
        variant: structure of the new layers.
        mode: ``"layers"`` replaces each linear layer by itself, ``"feed_forward"`` each pair and the activation between by one
            module, for OPT and GPT-NeoX.
        names: patterns of full dotted names that say what to replace; empty means the feed-forward layers.
        grain: run length of the interleave.
        weights: ``"fresh"`` for training from scratch; ``"projected"`` keeps the nearest DYAD weight of each layer, lossy, for a
            model that is trained on.
        init: how fresh weights are drawn; see :class:`dyad_core.DyadLinear`.
        implementation: a name of the registry, or ``"auto"``.
        settings: as of :func:`dyad_core.replace_linear`.
        undoable: keep the former layers, and their memory, for ``report.undo(model)``.

    Raises:
        SpecError: not a model of transformers, an architecture whose feed-forward layers are not known and no names, or what
            :func:`dyad_core.replace_linear` refuses. The model is unchanged.
    """
    problems = []
    if not isinstance(model, PreTrainedModel):
        rule = "must be a model of transformers; for any other module there is dyad_core.replace_linear"
        problems.append(Problem("model", rule, type(model).__name__))
    if mode not in MODES:
        problems.append(Problem("mode", f"must be one of {', '.join(MODES)}", mode))
    if problems:
        raise SpecError(problems)
    chosen = (names,) if isinstance(names, str) else tuple(names)
    _, report = replace_linear(
        model,
        filter_fn=filter_for(model, chosen),
        n_blocks=n_blocks,
        variant=variant,
        grain=grain,
        weights=weights,
        init=init,
        implementation=implementation,
        settings=settings,
        feed_forward=mode == "feed_forward",
        undoable=undoable,
    )
    keep_settings(model, report, init=init, implementation=implementation)
    return model, SwapReport(**{field.name: getattr(report, field.name) for field in dataclasses.fields(report)})
