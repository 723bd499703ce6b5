"""Builds the models of a run and knows what they cost: the dense one, and each way to put DYAD into it, from one seed."""

from __future__ import annotations

from typing import Any

from torch import nn

from dyad_core.layers import DyadFeedForward, DyadLinear
from dyad_core.models.building import build
from dyad_core.models.configs import read_config
from dyad_core.models.cost.estimate import answer
from dyad_core.models.measuring.part_times import Built
from dyad_core.models.measuring.trial import ModelPlan
from dyad_core.models.records import ModelCost, ModelEstimate
from dyad_core.models.spec import ModelPass, ModelSpec
from dyad_core.surgery import replace_linear

__all__ = ["Workshop", "dyad_modules", "pass_flops"]


class Workshop:
    """What a run is made of.

    Attributes:
        spec: the request.
        config: the model's config, checked.
        estimate: parameters, products and bytes of every model, by arithmetic.
    """

    def __init__(self, spec: ModelSpec) -> None:
        """Read the config; builds nothing yet.

        Raises:
            SpecError: the config is wrong.
        """
        self.spec = spec
        self.config: Any = read_config(spec.config)
        self.estimate: ModelEstimate = answer(spec.estimate_spec())
        self.picked = tuple(layer.name for layer in self.estimate.layers if layer.picked)

    @property
    def vocab_size(self) -> int:
        """Tokens that the model knows."""
        return int(self.config.get_text_config().vocab_size)

    def unsupported(self, plan: ModelPlan) -> str:
        """Why this model cannot be; empty where it can."""
        found = self._candidate(plan)
        return "" if found is None or found.cost is not None else "; ".join(found.problems)

    def cost(self, plan: ModelPlan) -> ModelCost | None:
        """What it costs by arithmetic; None where it cannot be."""
        found = self._candidate(plan)
        return self.estimate.dense if found is None else found.cost

    def build(self, plan: ModelPlan) -> Built:
        """Build one model on the device of the request."""
        spec = self.spec
        model: nn.Module = build(self.config, device=spec.device, dtype=spec.dtype, seed=spec.seed)
        if plan.variant is None:
            return Built(plan, model, self.picked)
        picked = set(self.picked)
        swapped, _ = replace_linear(
            model,
            filter_fn=lambda _module, name: name in picked,
            n_blocks=plan.n_blocks or 1,
            variant=plan.variant,
            grain=spec.grain,
            weights="fresh",
            implementation=spec.implementation,
            feed_forward=plan.mode == "feed_forward",
            undoable=False,
        )
        return Built(plan, swapped, dyad_modules(swapped))

    def _candidate(self, plan: ModelPlan) -> Any:
        wanted = (plan.variant, plan.n_blocks, plan.mode)
        for each in self.estimate.candidates:
            if (each.variant, each.n_blocks, each.mode) == wanted:
                return each
        return None


def dyad_modules(model: nn.Module) -> tuple[str, ...]:
    """Full dotted names of the DYAD modules of a model; a feed-forward is one, its layers are not."""
    found: list[str] = []
    for name, module in model.named_modules():
        inside = name.rpartition(".")[0] in found
        if isinstance(module, DyadLinear | DyadFeedForward) and not inside:
            found.append(name)
    return tuple(found)


def pass_flops(cost: ModelCost, spec: ModelSpec, pass_: ModelPass) -> int:
    """Floating-point operations of the products of one call; a prefill computes the head for the last token alone."""
    if pass_ == "train_step":
        return cost.flops_train_step
    if pass_ == "decode":
        return cost.flops_decode
    head = sum(kind.flops_forward for kind in cost.kinds if kind.kind == "head")
    return cost.flops_forward - head * (spec.sequence - 1) // spec.sequence
