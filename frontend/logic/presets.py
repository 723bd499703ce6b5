"""Layers that people know: the two feed-forward matrices of small OPT and Pythia models."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["CUSTOM", "PRESETS", "Preset", "matching", "named"]

CUSTOM = "Custom sizes"


@dataclass(frozen=True)
class Preset:
    """One layer of a known model."""

    model: str
    layer: str
    in_features: int
    out_features: int

    @property
    def label(self) -> str:
        """Name and sizes: ``OPT-125m fc1 (768 → 3072)``."""
        return f"{self.model} {self.layer} ({self.in_features} → {self.out_features})"


# Model width and hidden width. Pythia calls the two layers dense_h_to_4h and dense_4h_to_h; OPT's names serve for both.
_WIDTHS = {
    "OPT-125m": (768, 3072),
    "OPT-350m": (1024, 4096),
    "OPT-1.3B": (2048, 8192),
    "Pythia-160m": (768, 3072),
}

PRESETS: tuple[Preset, ...] = tuple(
    Preset(model, layer, *((width, hidden) if layer == "fc1" else (hidden, width)))
    for model, (width, hidden) in _WIDTHS.items()
    for layer in ("fc1", "fc2")
)


def named(label: str) -> Preset | None:
    """Return the preset with this label, None for :data:`CUSTOM` and unknown labels."""
    return next((preset for preset in PRESETS if preset.label == label), None)


def matching(in_features: object, out_features: object, preferred: str = "") -> str:
    """Return the label of the preset with these sizes, :data:`CUSTOM` when there is none.

    Several models share sizes: ``preferred`` is kept when it fits.
    """
    fitting = [p.label for p in PRESETS if (p.in_features, p.out_features) == (in_features, out_features)]
    if preferred in fitting:
        return preferred
    return fitting[0] if fitting else CUSTOM
