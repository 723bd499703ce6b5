"""The published quality: scores of models trained with dense and with DYAD feed-forward layers, one run each.

Compared are three aggregates (BLiMP, its supplement, GLUE). The other tasks of the file (ARC, HellaSwag, MMLU,
TruthfulQA) sit at chance at these sizes and separate nothing, so no ratio is made of them.
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from dyad_core.bench.records import read_record

__all__ = ["Aggregate", "PublishedQuality", "QualityComparison", "QualityRun", "quality"]

FILE = Path(__file__).with_name("data") / "quality.json"
DENSE = "dense"


@dataclass(frozen=True)
class QualityRun:
    """One trained model: its scores by benchmark and task, the means of the three aggregates, and where they are from."""

    model: str
    training_words: str
    variant: str
    n_blocks: int | None
    seeds: int
    blimp: dict[str, float]
    blimp_supplement: dict[str, float]
    glue: dict[str, dict[str, str | float]]
    openlm: dict[str, float]
    source_files: tuple[str, ...]
    means: dict[str, float]


@dataclass(frozen=True)
class Aggregate:
    """One mean score of a DYAD model beside that of the dense model trained alike."""

    name: str
    dense: float
    candidate: float
    ratio: float


@dataclass(frozen=True)
class QualityComparison:
    """A DYAD model held against the dense model of the same size and training data."""

    model: str
    training_words: str
    variant: str
    n_blocks: int
    seeds: int
    aggregates: tuple[Aggregate, ...]


@dataclass(frozen=True)
class PublishedQuality:
    """The published file."""

    source: str
    note: str
    runs: tuple[QualityRun, ...]

    def comparisons(self) -> tuple[QualityComparison, ...]:
        """Every DYAD model that has a dense one beside it, in the order of the file."""
        dense = {(run.model, run.training_words): run for run in self.runs if run.variant == DENSE}
        return tuple(
            _compared(run, dense[run.model, run.training_words])
            for run in self.runs
            if run.n_blocks is not None and (run.model, run.training_words) in dense
        )

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready values, as the file has them."""
        return json.loads(json.dumps(dataclasses.asdict(self)))  # type: ignore[no-any-return]


@lru_cache(maxsize=1)
def quality() -> PublishedQuality:
    """Read the packaged file."""
    return read_record(PublishedQuality, json.loads(FILE.read_text(encoding="utf-8")), "quality")


def _compared(run: QualityRun, dense: QualityRun) -> QualityComparison:
    if run.n_blocks is None:
        msg = "a DYAD model has a number of blocks"
        raise ValueError(msg)
    means = {name: (dense.means[name], value) for name, value in run.means.items()}
    aggregates = tuple(Aggregate(name, below, above, above / below) for name, (below, above) in means.items())
    seeds = min(run.seeds, dense.seeds)
    return QualityComparison(run.model, run.training_words, run.variant, run.n_blocks, seeds, aggregates)
