"""The answers about whole models: frozen records that are the Python return value, the REST answer and the file alike.

An estimate is arithmetic; a prediction adds measured times of single layers; a :class:`ModelRun` holds what was measured of
the whole.
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from dyad_core.bench.noise import Noise
from dyad_core.bench.parts import Correctness, Environment, MemoryUse, Outcome
from dyad_core.geometry import Variant
from dyad_core.models.spec import EstimateSpec, Mode, ModelPass, ModelSpec

__all__ = [
    "SCHEMA_VERSION",
    "CandidateCost",
    "KindCost",
    "LayerRow",
    "MemoryCost",
    "ModelCandidate",
    "ModelCost",
    "ModelEstimate",
    "ModelRun",
    "ModelSampling",
    "PartTime",
    "Prediction",
    "json_values",
]

SCHEMA_VERSION = 1

Kind = Literal["embedding", "attention", "feed_forward", "norm", "head", "other"]
"""What a layer is for; every parameter of a model belongs to one kind."""

_ALIASED: dict[str, Any] = {"alias_generator": lambda name: name.rstrip("_"), "populate_by_name": True}
"""For records with ``pass_``: "pass" is a Python keyword, the JSON field is "pass"."""


@dataclass(frozen=True)
class LayerRow:
    """One linear layer of the model, by its full dotted name."""

    name: str
    kind: Kind
    in_features: int
    out_features: int
    bias: bool
    picked: bool
    """Whether it is to be replaced."""
    reason: str = ""
    """Why it is not."""
    legal_n_blocks: tuple[int, ...] = ()
    """Block counts up to 64 that divide its sizes, where it is picked."""


@dataclass(frozen=True)
class KindCost:
    """All layers of one kind together, one forward of ``batch × sequence`` tokens."""

    kind: Kind
    modules: int
    parameters: int
    flops_forward: int
    activations_bytes: int
    """What forward keeps for backward, without checkpointing."""


@dataclass(frozen=True)
class MemoryCost:
    """Bytes. Training holds weights, gradients, optimizer state and saved activations; inference weights and cache."""

    weights_bytes: int
    gradients_bytes: int
    optimizer_bytes: int
    activations_bytes: int
    activations_checkpointed_bytes: int
    kv_cache_bytes: int
    train_bytes: int
    """Weights + gradients + optimizer state + activations, checkpointed where the request asks for it."""
    inference_bytes: int
    """Weights + cache of ``sequence`` tokens."""


@dataclass(frozen=True)
class ModelCost:
    """What one model costs. Tied weights count once. FLOPs count products, two per multiply-add, and nothing elementwise."""

    parameters: int
    flops_forward: int
    flops_train_step: int
    """Forward and backward; with checkpointing one forward of the blocks more."""
    flops_decode: int
    """One more token for each sequence, ``sequence`` of them in the cache."""
    memory: MemoryCost
    kinds: tuple[KindCost, ...]


@dataclass(frozen=True)
class Prediction:
    """A step foretold from measured times of single layers, Amdahl's law written out (Amdahl 1967).

    With f the share of the dense step that the replaced layers take and s their measured speed-up, the whole gets
    1 / ((1 - f) + f / s), and never more than 1 / (1 - f).
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = _ALIASED

    pass_: ModelPass
    dense_ms: float
    predicted_ms: float
    replaced_share: float
    """f, from 0 to 1."""
    replaced_speedup: float
    """s."""
    speedup: float
    ceiling: float
    """1 / (1 - f): the speed-up with layers that cost nothing."""
    words: str
    """The formula with its numbers in it."""


@dataclass(frozen=True)
class CandidateCost:
    """One way to put DYAD into the model; ``cost`` is None where it cannot be done, and ``problems`` say why."""

    variant: Variant
    n_blocks: int
    mode: Mode
    cost: ModelCost | None
    problems: tuple[str, ...] = ()
    predictions: tuple[Prediction, ...] = ()
    lines: str = ""
    """Python lines that do this swap in one's own code."""


@dataclass(frozen=True)
class ModelEstimate:
    """What a model costs dense and with DYAD, layer by layer and in all."""

    spec: EstimateSpec
    model_type: str
    name: str
    """Name of the preset, or the architecture with its sizes."""
    layers: tuple[LayerRow, ...]
    dense: ModelCost
    candidates: tuple[CandidateCost, ...]
    reading: str = ""
    """One sentence that says what the figures mean."""
    warnings: tuple[str, ...] = ()
    measured: str | None = None
    """Where the times behind the predictions come from: machine and date; None without any."""

    @property
    def dyad(self) -> ModelCost:
        """Cost of the first candidate that can be built.

        Raises:
            ValueError: none can.
        """
        for candidate in self.candidates:
            if candidate.cost is not None:
                return candidate.cost
        raise ValueError("no candidate of this estimate can be built: " + "; ".join(self.candidates[0].problems))

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready values, the shape that REST and files share."""
        return json_values(self)


@dataclass(frozen=True)
class PartTime:
    """Time of one kind of work by itself, measured in rounds with the others: the ingredients of a prediction.

    ``count`` says how often the step does it; ``median_ms`` is of once. ``variant`` is ``"dense"`` or a variant for the part that is
    replaced, None for what stays as it is.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = _ALIASED

    part: str
    """Machine name: ``"feed_forward"``, ``"rest_of_block"``, ``"embedding"``, ``"head_and_loss"``, ``"optimizer"`` …"""
    pass_: ModelPass
    variant: str | None
    n_blocks: int | None
    mode: Mode | None
    count: int
    samples_ms: tuple[float, ...]
    median_ms: float
    q1_ms: float
    q3_ms: float


@dataclass(frozen=True)
class ModelCandidate:
    """One candidate, or the dense model (``variant="dense"``), in one pass: as :class:`dyad_core.bench.Candidate`."""

    __pydantic_config__: ClassVar[dict[str, Any]] = _ALIASED

    variant: str
    n_blocks: int | None
    mode: Mode | None
    pass_: ModelPass
    outcome: Outcome
    parameters: int
    flops: int
    samples_ms: tuple[float, ...] = ()
    calls_per_sample: int = 0
    median_ms: float | None = None
    q1_ms: float | None = None
    q3_ms: float | None = None
    tokens_per_s: float | None = None
    speedup: float | None = None
    speedup_low: float | None = None
    speedup_high: float | None = None
    memory: MemoryUse | None = None
    memory_predicted: MemoryUse | None = None
    correctness: Correctness | None = None
    prediction: Prediction | None = None
    deviation: float | None = None
    """predicted_ms / median_ms - 1."""
    warnings: tuple[str, ...] = ()
    detail: str = ""


@dataclass(frozen=True)
class ModelSampling:
    """How the rounds of one pass ended: as :class:`dyad_core.bench.PassSampling`."""

    __pydantic_config__: ClassVar[dict[str, Any]] = _ALIASED

    pass_: ModelPass
    rounds: int
    looks: int
    stopped: Literal["target", "budget", "rounds"]
    target_interval: float
    widest_interval: float | None
    critical_value: float
    method: str


@dataclass(frozen=True)
class ModelRun:
    """One finished measurement of a whole model, with its raw samples."""

    spec: ModelSpec
    environment: Environment
    model_type: str
    name: str
    layers: tuple[LayerRow, ...]
    candidates: tuple[ModelCandidate, ...]
    parts: tuple[PartTime, ...]
    created_at: str
    """Start of the measurement, ISO 8601, UTC."""
    duration_s: float
    reading: str = ""
    """One sentence: the verdict."""
    warnings: tuple[str, ...] = ()
    sampling: tuple[ModelSampling, ...] = ()
    noise: Noise | None = None
    schema_version: int = SCHEMA_VERSION

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready values, the shape that REST and files share."""
        return json_values(self)


def json_values(record: Any) -> dict[str, Any]:
    """JSON-ready values of a record and of all in it, every ``pass_`` under its JSON name."""
    values: dict[str, Any] = json.loads(json.dumps(dataclasses.asdict(record), allow_nan=False))
    _rename(values)
    return values


def _rename(value: Any) -> None:
    if isinstance(value, dict):
        if "pass_" in value:
            value["pass"] = value.pop("pass_")
        for item in value.values():
            _rename(item)
    elif isinstance(value, list):
        for item in value:
            _rename(item)
