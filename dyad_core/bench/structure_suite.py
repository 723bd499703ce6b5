"""What exact structure answers cost, by width: time, memory and size of the answer.

The claim under test is that the cost does not depend on the width: every row of :func:`structure_costs` asks the
same questions of layers 2^10 to 2^20 features wide. Each call meets cold caches, as a first click does; memory is
taken in a call of its own.

Run ``dyad bench --suite structure``.
"""

from __future__ import annotations

import gzip
import json
import math
import time
import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from dyad_core.geometry import DyadGeometry, Variant
from dyad_core.structure import Window, connectivity, heatmaps, locality, pattern, reachability, trace
from dyad_core.structure.caches import clear_caches

__all__ = ["QUESTIONS", "WIDTHS", "AnswerCost", "structure_costs"]

WIDTHS = tuple(2**exponent for exponent in range(10, 21, 2))
BLOCKS = (4, 8, 16, 32, 64)
VARIANTS: tuple[Variant, ...] = ("it", "ot", "dt")
DEPTH = 48
TARGET_MS = {"locality": 2000.0, "path distributions": 2000.0}
DEFAULT_TARGET_MS = 50.0

Answer = Callable[[DyadGeometry], dict[str, Any]]


def _zoom(layer: DyadGeometry) -> dict[str, Any]:
    """A window of single entries across the first corner of two blocks."""
    rows, columns = layer.block_out, layer.block_in
    size = min(256, rows, columns)
    return pattern(layer, window=Window(rows - size, rows + size, columns - size, columns + size)).to_dict()


def _pair(layer: DyadGeometry) -> dict[str, Any]:
    return trace([layer] * DEPTH, 1, layer.out_features - 1).to_dict()


QUESTIONS: dict[str, Answer] = {
    "pattern": lambda layer: pattern(layer).to_dict(),
    "pattern, zoomed to entries": _zoom,
    "connectivity": lambda layer: connectivity(layer).to_dict(),
    "reach and parts": lambda layer: reachability([layer] * DEPTH).to_dict(),
    "one pair's hops and paths": _pair,
    "heat maps": lambda layer: heatmaps([layer] * DEPTH).to_dict(),
    "locality": lambda layer: locality([layer] * DEPTH).to_dict(),
    "path distributions": lambda layer: reachability([layer] * DEPTH, paths=True).to_dict(),
}
"""What is asked, by name; ``to_dict()`` included, for that is what is served."""


@dataclass(frozen=True)
class AnswerCost:
    """Cost of one question at one width, over every n and variant.

    Attributes:
        question: name from :data:`QUESTIONS`.
        width: features on both sides of each layer.
        calls: number of timed calls.
        median_ms: median wall-clock time of a call, in milliseconds.
        p95_ms: its 95th percentile.
        target_ms: what the 95th percentile should stay below.
        peak_mib: most memory that one call had allocated at a moment, in MiB (2^20 bytes), the largest over n.
        answer_kib: largest answer as gzipped JSON, in KiB.
    """

    question: str
    width: int
    calls: int
    median_ms: float
    p95_ms: float
    target_ms: float
    peak_mib: float
    answer_kib: float

    @property
    def met(self) -> bool:
        """Whether the target was met in this run."""
        return self.p95_ms < self.target_ms

    def to_dict(self) -> dict[str, Any]:
        """Return every figure, JSON-ready."""
        return {**asdict(self), "met": self.met}


def structure_costs(
    widths: Sequence[int] = WIDTHS, *, repeats: int = 3, questions: Sequence[str] = tuple(QUESTIONS)
) -> Iterator[AnswerCost]:
    """Ask every question at every width, yielding each row as it is known.

    Args:
        widths: features on both sides; powers of two from 2^8 fit every n used here.
        repeats: timed calls for each of the 15 geometries.
        questions: names from :data:`QUESTIONS`.
    """
    for question in questions:
        answer = QUESTIONS[question]
        for width in widths:
            layers = [DyadGeometry(width, width, n, variant) for n in BLOCKS if width >= n * n for variant in VARIANTS]
            times = [_timed_ms(answer, layer) for _ in range(repeats) for layer in layers]
            last = [layer for layer in layers if layer.n_blocks == layers[-1].n_blocks]
            sizes, peaks = zip(*(_weighed(answer, layer) for layer in last), strict=True)
            yield AnswerCost(
                question=question,
                width=width,
                calls=len(times),
                median_ms=float(np.median(times)),
                p95_ms=float(np.quantile(times, 0.95)),
                target_ms=TARGET_MS.get(question, DEFAULT_TARGET_MS),
                peak_mib=max(peaks),
                answer_kib=max(sizes),
            )


def _timed_ms(answer: Answer, layer: DyadGeometry) -> float:
    clear_caches()
    start = time.perf_counter_ns()
    answer(layer)
    return (time.perf_counter_ns() - start) / 1e6


def _weighed(answer: Answer, layer: DyadGeometry) -> tuple[float, float]:
    """KiB of the gzipped answer, and MiB allocated at most while it was made."""
    clear_caches()
    tracemalloc.start()
    try:
        found = answer(layer)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    text = json.dumps(found, allow_nan=False).encode()
    return math.ceil(len(gzip.compress(text)) / 1024 * 10) / 10, peak / 2**20
