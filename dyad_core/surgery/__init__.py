"""Putting DYAD layers into existing models, changing their grain, and reading the original code's checkpoints."""

from dyad_core.surgery import filters
from dyad_core.surgery.filters import FilterFn, feed_forward_of
from dyad_core.surgery.finding import FoundLinear, find_linears
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
    "FilterFn",
    "FoundLinear",
    "ReplacedLayer",
    "ReplacementReport",
    "SkippedLayer",
    "convert_grain",
    "feed_forward_of",
    "feed_forward_to_grain",
    "filters",
    "find_linears",
    "from_original",
    "linear_to_grain",
    "load_original",
    "replace_linear",
    "to_original",
]
