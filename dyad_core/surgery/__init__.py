"""Putting DYAD layers into existing models, with a report of what changed."""

from dyad_core.surgery.replace import replace_linear
from dyad_core.surgery.report import ReplacedLayer, ReplacementReport, SkippedLayer

__all__ = ["ReplacedLayer", "ReplacementReport", "SkippedLayer", "replace_linear"]
