"""The published timing: milliseconds per feed-forward linear layer, by model, variant, n, precision and implementation.

Rows are as their authors wrote them. The rows whose precision is a 16-bit type stand beside a dense layer in float32;
:func:`dyad_core.bench.original_conditions.published_conditions` takes that apart.
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from dyad_core.bench.records import read_record

__all__ = ["LayerTiming", "TimingRow", "layer_timing", "model_sizes"]

FILE = Path(__file__).with_name("data") / "layer_timing.json"


@dataclass(frozen=True)
class TimingRow:
    """One row of the published file; times are milliseconds per layer, ``variant`` is ``"dense"`` for the baseline."""

    section: str
    model: str
    variant: str
    n_blocks: int | None
    precision: str
    implementation: str
    hidden_size: int
    ffn_size: int
    forward_ms: float
    backward_ms: float
    total_ms: float

    @property
    def is_dense(self) -> bool:
        """Whether this is a baseline."""
        return self.variant == "dense"


@dataclass(frozen=True)
class LayerTiming:
    """The published file: rows, how they were taken, and what is known to be wrong with them."""

    source: str
    unit: str
    tokens: int
    batch_size: int
    sequence_length: int
    gpu: str
    method: str
    caveat: str
    rows: tuple[TimingRow, ...]

    def dense(self, row: TimingRow) -> TimingRow | None:
        """The baseline of a row: the dense layer of the same model and sizes, always in float32; None without one."""
        same = (each for each in self.rows if each.is_dense and _place(each) == _place(row))
        return next(same, None)

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready values, as the file has them."""
        return json.loads(json.dumps(dataclasses.asdict(self)))  # type: ignore[no-any-return]


@lru_cache(maxsize=1)
def layer_timing() -> LayerTiming:
    """Read the packaged file."""
    return read_record(LayerTiming, json.loads(FILE.read_text(encoding="utf-8")), "layer_timing")


def model_sizes() -> dict[str, frozenset[tuple[int, int]]]:
    """Model width and hidden width of each model that the timing names; ``opt-custom`` has several."""
    found: dict[str, set[tuple[int, int]]] = {}
    for row in layer_timing().rows:
        found.setdefault(row.model, set()).add((row.hidden_size, row.ffn_size))
    return {model: frozenset(sizes) for model, sizes in found.items()}


def _place(row: TimingRow) -> tuple[str, int, int]:
    return row.model, row.hidden_size, row.ffn_size
