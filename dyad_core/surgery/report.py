"""What a replacement did: which layers changed, which did not and why, and what it saved."""

from __future__ import annotations

from dataclasses import dataclass

from dyad_core.geometry import DyadGeometry

__all__ = ["ReplacedLayer", "ReplacementReport", "SkippedLayer"]


@dataclass(frozen=True)
class ReplacedLayer:
    """One layer that became a ``DyadLinear``.

    Attributes:
        name: full dotted name in the model, empty for the model itself.
        geometry: structure of the new layer.
        relative_error: ‖W - projected W‖ / ‖W‖ in the Frobenius norm; None for fresh weights.
    """

    name: str
    geometry: DyadGeometry
    relative_error: float | None


@dataclass(frozen=True)
class SkippedLayer:
    """One ``nn.Linear`` that stayed as it was, and why."""

    name: str
    reason: str


@dataclass(frozen=True)
class ReplacementReport:
    """All linear layers of the model by what happened to them."""

    replaced: tuple[ReplacedLayer, ...]
    skipped: tuple[SkippedLayer, ...]

    @property
    def parameters_before(self) -> int:
        """Weights of the replaced layers before, without biases."""
        return sum(layer.geometry.dense_parameters for layer in self.replaced)

    @property
    def parameters_after(self) -> int:
        """Weights of the replaced layers now, without biases."""
        return sum(layer.geometry.parameters for layer in self.replaced)

    def __str__(self) -> str:
        """Summarise in one sentence."""
        return (
            f"{len(self.replaced)} linear layers replaced ({self.parameters_before:,} → {self.parameters_after:,} "
            f"weights), {len(self.skipped)} left. Make the optimizer after this: one made before trains nothing here."
        )
