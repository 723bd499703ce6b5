"""What the authors of DYAD published (arXiv 2312.06881 and their repository), as data with its sources.

>>> from dyad_core.published import layer_timing
>>> layer_timing().tokens
4096

The figures are in the two JSON files in ``data/`` and nowhere in code. They are held against measurements by
:mod:`dyad_core.bench.original_conditions` (timing) and :mod:`dyad_core.verdict` (quality).
"""

from dyad_core.published.quality import Aggregate, PublishedQuality, QualityComparison, QualityRun, quality
from dyad_core.published.timing import LayerTiming, TimingRow, layer_timing, model_sizes

__all__ = [
    "Aggregate",
    "LayerTiming",
    "PublishedQuality",
    "QualityComparison",
    "QualityRun",
    "TimingRow",
    "layer_timing",
    "model_sizes",
    "quality",
]
