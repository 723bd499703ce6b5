"""The modules that take the places of a plan: what they are built from, and what their weights lost."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import Tensor, nn

from dyad_core.geometry import DyadGeometry
from dyad_core.layers import DyadFeedForward, DyadLinear
from dyad_core.layers.linear import Init
from dyad_core.surgery.finding import FoundLinear
from dyad_core.surgery.planning import Plan, PlannedLayer, PlannedPair
from dyad_core.surgery.report import ReplacedKind, ReplacedLayer
from dyad_core.surgery.undo import Placement

__all__ = ["Builder", "Weights", "relative_error"]

Weights = Literal["projected", "fresh"]


@dataclass
class Builder:
    """Builds every new module of a plan; the model stays as it is.

    Attributes:
        weights: nearest ones of the trained, or fresh ones.
        init: of fresh weights.
        implementation: of the new layers.
        placements: what goes where.
        replaced: the rows of the report.
    """

    weights: Weights
    init: Init
    implementation: str
    placements: list[Placement] = field(default_factory=list)
    replaced: list[ReplacedLayer] = field(default_factory=list)
    _made: dict[int, tuple[DyadLinear, str]] = field(default_factory=dict)

    def build(self, plan: Plan) -> None:
        """Build all that the plan asks for, fit for training even where the caller is in ``torch.inference_mode``."""
        with torch.inference_mode(mode=False):
            for layer in plan.layers:
                self._layer(layer)
            for pair in plan.pairs:
                self._pair(pair)

    def _layer(self, planned: PlannedLayer) -> None:
        layer = planned.layer
        if id(layer.module) not in self._made:  # a shared module becomes one new module in all of its places
            self._made[id(layer.module)] = self._built(layer, planned.geometry), layer.name
        new, place = self._made[id(layer.module)]
        self.placements.append(Placement(layer.name, layer.module, new))
        self._report(layer, new, "conv1d" if layer.kind == "conv1d" else "linear", place)

    def _pair(self, planned: PlannedPair) -> None:
        pair, first, second = planned.pair, planned.first, planned.second
        new = DyadFeedForward(
            first.in_features,
            first.out_features,
            device="meta",
            n_blocks=first.n_blocks,
            variant=(first.variant, second.variant),
            grain=first.grain,
            activation=pair.activation,
            init=self.init,
            implementation=self.implementation,
        )
        new.fc1, new.fc2 = self._built(pair.first, first), self._built(pair.second, second)
        new.train(pair.owner.training)
        if pair.form.is_whole:
            self.placements.append(Placement(pair.name, pair.owner, new))
        else:
            self.placements.append(Placement(pair.first.name, pair.first.module, new))
            for attribute in (pair.form.activation, pair.form.second):
                nothing = nn.Identity().train(pair.owner.training)
                self.placements.append(Placement(pair.part(attribute), getattr(pair.owner, attribute), nothing))
        self._report(pair.first, new.fc1, "feed_forward", f"{pair.place}.fc1" if pair.place else "fc1")
        self._report(pair.second, new.fc2, "feed_forward", f"{pair.place}.fc2" if pair.place else "fc2")

    def _built(self, layer: FoundLinear, geometry: DyadGeometry) -> DyadLinear:
        return built_layer(layer, geometry, weights=self.weights, init=self.init, implementation=self.implementation)

    def _report(self, layer: FoundLinear, new: DyadLinear, kind: ReplacedKind, place: str) -> None:
        error = relative_error(layer, new) if self.weights == "projected" else None
        size = new.weight_blockdiag.element_size()
        self.replaced.append(ReplacedLayer(layer.name, new.geometry, error, kind, place, size))


def built_layer(
    layer: FoundLinear, geometry: DyadGeometry, *, weights: Weights, init: Init, implementation: str
) -> DyadLinear:
    """The layer that replaces ``layer``, which stays as it is.

    dtype, device, ``training`` and ``requires_grad`` carry over. Weights are copies: the nearest ones of the pattern and the
    same bias, or fresh ones. On ``meta`` nothing is allocated or computed.
    """
    dense = _as_linear(layer)
    if weights == "projected" and dense.weight.device.type != "meta":
        new = DyadLinear.from_linear(
            dense,
            n_blocks=geometry.n_blocks,
            variant=geometry.variant,
            grain=geometry.grain,
            implementation=implementation,
        )
        new.init = init
    else:
        new = DyadLinear(
            geometry.in_features,
            geometry.out_features,
            dense.bias is not None,
            dense.weight.device,
            dense.weight.dtype,
            n_blocks=geometry.n_blocks,
            variant=geometry.variant,
            grain=geometry.grain,
            init=init,
            implementation=implementation,
        )
    held = dict(layer.module.named_parameters(recurse=False))
    for name, parameter in new.named_parameters(recurse=False):
        parameter.requires_grad_(held["bias" if name == "bias" else "weight"].requires_grad)
    return new.train(layer.module.training)


def relative_error(layer: FoundLinear, built: DyadLinear) -> float | None:
    """‖W - projected W‖ / ‖W‖ in the Frobenius norm, in float32 at least; NaN where W is not finite, None on ``meta``."""
    with torch.no_grad():
        weight = _as_linear(layer).weight
        if weight.device.type == "meta":
            return None
        dense = _at_least_float32(weight)
        norm = torch.linalg.matrix_norm(dense)
        lost = torch.linalg.matrix_norm(dense - _at_least_float32(built.to_dense()))
        return 0.0 if norm == 0 else float(lost / norm)


def _at_least_float32(weight: Tensor) -> Tensor:
    return weight.float() if weight.element_size() < 4 else weight


def _as_linear(layer: FoundLinear) -> nn.Linear:
    """The layer itself, or a ``Conv1D`` seen as ``nn.Linear``: the same memory, its weight transposed. To be read only."""
    if isinstance(layer.module, nn.Linear):
        return layer.module
    seen = nn.Linear(layer.in_features, layer.out_features, layer.has_bias, device="meta")
    held = dict(layer.module.named_parameters(recurse=False))
    seen.weight = nn.Parameter(held["weight"].detach().t(), requires_grad=False)
    if "bias" in held:
        seen.bias = held["bias"]
    return seen
