"""Putting DYAD layers into existing models, changing their grain, and reading the original code's checkpoints."""

from dyad_core.surgery.grain import (
    ConvertedModule,
    ConvertedWeights,
    convert_grain,
    feed_forward_to_grain,
    linear_to_grain,
)
from dyad_core.surgery.original_checkpoint import from_original, load_original, to_original
from dyad_core.surgery.replace import replace_linear
from dyad_core.surgery.report import ReplacedLayer, ReplacementReport, SkippedLayer

__all__ = [
    "ConvertedModule",
    "ConvertedWeights",
    "ReplacedLayer",
    "ReplacementReport",
    "SkippedLayer",
    "convert_grain",
    "feed_forward_to_grain",
    "from_original",
    "linear_to_grain",
    "load_original",
    "replace_linear",
    "to_original",
]
