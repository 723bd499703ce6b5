"""The decision record: one geometry under one set of conditions, what it saves, what it costs, and what that rests on.

The same object from Python, REST, the command line and the dashboard; ``to_dict`` is its JSON, ``from_dict`` reads it.
The shape only grows.
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, get_args

from dyad_core.bench.records import read_record
from dyad_core.bench.results import Outcome
from dyad_core.bench.spec import Pass
from dyad_core.geometry import DyadGeometry, Variant
from dyad_core.published import QualityComparison

__all__ = [
    "DECISIONS",
    "Conditions",
    "Decision",
    "MemorySaved",
    "PassVerdict",
    "Place",
    "QualityEvidence",
    "Reach",
    "Saving",
    "TimeSaved",
    "Verdict",
]

Decision = Literal["swap", "depends", "not_distinguishable", "do_not_swap", "no_evidence"]
"""``swap``: the whole 95 % interval lies above the speed-up asked for; ``do_not_swap``: below; ``not_distinguishable``:
the interval holds it; ``no_evidence``: there is no speed to compare; ``depends``: passes disagree, or quality is asked
for and not shown."""

DECISIONS: tuple[Decision, ...] = get_args(Decision)
"""Best first."""


@dataclass(frozen=True)
class Place:
    """What would be swapped for what: the sizes, the DYAD and its weights beside the dense ones (without bias)."""

    in_features: int
    out_features: int
    module: str
    variant: Variant
    n_blocks: int
    grain: int
    label: str
    implementation: str
    parameters: int
    dense_parameters: int


@dataclass(frozen=True)
class Conditions:
    """Where and how it was measured; a verdict says nothing about others. ``text`` is the same in words."""

    device: str
    device_name: str
    origin: str
    dtype: str
    dtype_emulated: bool
    passes: tuple[Pass, ...]
    tokens: int
    threads: int
    float32_matmul_precision: str
    compile: bool
    cuda_graph: bool
    cache: str
    optimizer: str
    allocator: str
    n_seeds: int
    torch_version: str
    measured_at: str
    text: str


@dataclass(frozen=True)
class TimeSaved:
    """Milliseconds of one call.

    ``dense_ms`` and ``candidate_ms`` are medians. ``speedup`` with its 95 % interval is the run's own, paired by round;
    ``saved_ms`` and its bounds are ``dense_ms × (1 - 1/speedup)`` of the three, so both always agree about the sign.
    """

    dense_ms: float
    candidate_ms: float
    speedup: float
    speedup_low: float
    speedup_high: float
    saved_ms: float
    saved_low_ms: float
    saved_high_ms: float


@dataclass(frozen=True)
class Saving:
    """Bytes of one kind; ``saved_bytes`` is negative where the DYAD needs more, ``share`` None where dense needs none."""

    dense_bytes: int
    candidate_bytes: int
    saved_bytes: int
    share: float | None

    @classmethod
    def of(cls, dense: int, candidate: int) -> Saving:
        """Compare two counts of bytes."""
        saved = dense - candidate
        return cls(dense, candidate, saved, saved / dense if dense else None)


@dataclass(frozen=True)
class MemorySaved:
    """Measured bytes of one pass, dense beside DYAD; None where the run does not hold them (older files)."""

    parameters: Saving
    gradients: Saving
    optimizer: Saving | None
    peak: Saving
    method: str


@dataclass(frozen=True)
class PassVerdict:
    """One pass: what its figures alone decide (never ``depends``), and why there are none where there are none."""

    # "pass" is a Python keyword: the attribute is pass_, the JSON field is "pass".
    __pydantic_config__: ClassVar[dict[str, Any]] = {
        "alias_generator": lambda name: name.rstrip("_"),
        "populate_by_name": True,
    }

    pass_: Pass
    decision: Decision
    outcome: Outcome | None
    implementation: str
    time: TimeSaved | None
    memory: MemorySaved | None
    detail: str = ""


@dataclass(frozen=True)
class Reach:
    """Which pairs of features ``layers`` connect: exact, from the structure alone.

    ``layers`` are the measured layer and the one it works with: the second of a feed-forward, else the way back.
    ``layer_share`` is of the first alone, the rest of all.
    """

    layers: tuple[DyadGeometry, ...]
    layer_share: float
    share: float
    reached_pairs: int
    total_pairs: int
    full: bool
    connected_parts: int
    text: str


@dataclass(frozen=True)
class QualityEvidence:
    """Published scores of trained models at these sizes; ratios are to the dense model trained alike."""

    evidence: tuple[QualityComparison, ...]
    lowest_ratio: float | None
    highest_ratio: float | None
    source: str
    reading: str


@dataclass(frozen=True)
class Verdict:
    """Swap, do not swap, depends, or not distinguishable: with its conditions, figures, warnings and evidence.

    Attributes:
        required_speedup: what the time is held against; 1.0 is dense itself.
        max_loss: largest loss of published quality that is accepted, as a share; None does not ask.
        depends_on: ``"the pass"``, ``"quality"`` or both in words; empty unless the decision is ``depends``.
        passes: one entry per pass asked for.
        reach: None where the layer is too large to count.
        warnings: what a reader must know, the gravest first.
        sentence: the verdict in one sentence with figures, conditions and the run's address.
        evidence: ids of the runs it rests on.
        address: where that run can be looked at.
    """

    geometry: Place
    conditions: Conditions
    required_speedup: float
    max_loss: float | None
    decision: Decision
    depends_on: str
    passes: tuple[PassVerdict, ...]
    reach: Reach | None
    quality: QualityEvidence
    warnings: tuple[str, ...]
    sentence: str
    evidence: tuple[str, ...]
    address: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready values."""
        values: dict[str, Any] = json.loads(json.dumps(dataclasses.asdict(self), allow_nan=False))
        values["passes"] = [{"pass": each.pop("pass_"), **each} for each in values["passes"]]
        return values

    @classmethod
    def from_dict(cls, values: Any) -> Verdict:
        """Read what :meth:`to_dict` wrote.

        Raises:
            SpecError: for a missing or unknown field or a wrong type; the field is named.
        """
        return read_record(cls, values, "verdict")
