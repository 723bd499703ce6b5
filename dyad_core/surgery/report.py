"""What a replacement did: which layers changed, which did not and why, what it saved, and the way back."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from torch import nn

from dyad_core.errors import Problem, SpecError
from dyad_core.geometry import DyadGeometry
from dyad_core.surgery.undo import Undo

__all__ = ["ReplacedKind", "ReplacedLayer", "ReplacementReport", "SkippedLayer"]

ReplacedKind = Literal["linear", "conv1d", "feed_forward"]
"""``nn.Linear`` or ``Conv1D`` by a ``DyadLinear``, or one half of a ``DyadFeedForward``."""


@dataclass(frozen=True)
class ReplacedLayer:
    """One layer whose weight is DYAD now.

    Attributes:
        name: full dotted name of the dense layer in the model, empty for the model itself.
        geometry: structure of the new weight.
        relative_error: ‖W - projected W‖ / ‖W‖ in the Frobenius norm; None for fresh weights and on ``meta``,
            NaN where W is not finite.
        kind: what it was, or ``"feed_forward"`` where a pair became one module.
        module: full dotted name of the ``DyadLinear`` that holds the weight now; one for all places of a shared layer.
        element_bytes: bytes of one weight.
    """

    name: str
    geometry: DyadGeometry
    relative_error: float | None
    kind: ReplacedKind = "linear"
    module: str = ""
    element_bytes: int = 4

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready values."""
        geometry = self.geometry
        return {
            "name": self.name,
            "module": self.module,
            "kind": self.kind,
            "in_features": geometry.in_features,
            "out_features": geometry.out_features,
            "n_blocks": geometry.n_blocks,
            "variant": geometry.variant,
            "grain": geometry.grain,
            "parameters_before": geometry.dense_parameters,
            "parameters_after": geometry.parameters,
            # JSON has no NaN.
            "relative_error": None if self.relative_error != self.relative_error else self.relative_error,
        }


@dataclass(frozen=True)
class SkippedLayer:
    """One linear layer that stayed as it was, and why."""

    name: str
    reason: str


@dataclass(frozen=True)
class ReplacementReport:
    """All linear layers of the model by what happened to them.

    Attributes:
        replaced: in the order of the model.
        skipped: the linear layers, and what is like one, that stayed.
        warnings: what should be known besides, in sentences.
    """

    replaced: tuple[ReplacedLayer, ...]
    skipped: tuple[SkippedLayer, ...]
    warnings: tuple[str, ...] = ()
    _undo: Undo | None = field(default=None, repr=False, compare=False)

    @property
    def parameters_before(self) -> int:
        """Weights of the replaced layers before, without biases; a shared layer counts once."""
        return sum(layer.geometry.dense_parameters for layer in self._distinct)

    @property
    def parameters_after(self) -> int:
        """Weights of the replaced layers now, without biases."""
        return sum(layer.geometry.parameters for layer in self._distinct)

    @property
    def saved_parameters(self) -> int:
        """Weights that are gone; below zero for n = 1."""
        return self.parameters_before - self.parameters_after

    @property
    def saved_bytes(self) -> int:
        """Bytes of the weights that are gone; gradients and optimizer state shrink with them."""
        return sum(
            (layer.geometry.dense_parameters - layer.geometry.parameters) * layer.element_bytes
            for layer in self._distinct
        )

    @property
    def _distinct(self) -> list[ReplacedLayer]:
        """One row for each new module."""
        return list({layer.module or layer.name: layer for layer in self.replaced}.values())

    @property
    def can_undo(self) -> bool:
        """Whether the former layers are kept."""
        return self._undo is not None

    def undo(self, model: nn.Module) -> nn.Module:
        """Put the former layers back and return the model: the same objects with the values that they had.

        What the DYAD layers have learned since is not carried over. The former layers follow the model to the device and
        the mode (training or evaluation) in which it is now. An optimizer made since the replacement must be made anew.

        Args:
            model: the model that ``replace_linear`` returned, changed in place.

        Raises:
            SpecError: made with ``undoable=False``, undone already, or the model is another one; then it is unchanged.
        """
        if self._undo is None:
            rule = "cannot be undone: the former layers were not kept"
            raise SpecError([Problem("report", rule, "undoable=False", "replace with undoable=True")])
        return self._undo(model)

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready values."""
        return {
            "replaced": [layer.to_dict() for layer in self.replaced],
            "skipped": [{"name": layer.name, "reason": layer.reason} for layer in self.skipped],
            "warnings": list(self.warnings),
            "parameters_before": self.parameters_before,
            "parameters_after": self.parameters_after,
            "saved_parameters": self.saved_parameters,
            "saved_bytes": self.saved_bytes,
        }

    def __str__(self) -> str:
        """Summarise in one sentence, and one more for each warning."""
        summary = (
            f"{len(self.replaced)} linear layers replaced ({self.parameters_before:,} → {self.parameters_after:,} "
            f"weights), {len(self.skipped)} left. Make the optimizer after this: one made before trains nothing here."
        )
        return "\n".join([summary, *self.warnings])
