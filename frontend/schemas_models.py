"""The JSON shapes of whole models: estimates, predictions and measurements; see :mod:`frontend.schemas` for how they are meant."""

from __future__ import annotations

from typing import Any, TypedDict

from frontend.schemas import Status
from frontend.schemas_runs import CorrectnessJson, MemoryJson, SamplingJson

__all__ = [
    "CandidateCostJson",
    "EstimateJson",
    "KindCostJson",
    "LayerRowJson",
    "MemoryCostJson",
    "ModelCandidateJson",
    "ModelCostJson",
    "ModelPage",
    "ModelProgress",
    "ModelRecord",
    "ModelResult",
    "PartTimeJson",
    "PredictionJson",
    "PresetJson",
]


class PresetJson(TypedDict, total=False):
    """One model that the service knows by name."""

    name: str
    model_type: str
    parameters: int
    config: dict[str, Any]
    source: str


class LayerRowJson(TypedDict, total=False):
    """One linear layer by its full dotted name."""

    name: str
    kind: str
    in_features: int
    out_features: int
    bias: bool
    picked: bool
    reason: str
    legal_n_blocks: list[int]


class KindCostJson(TypedDict):
    """All layers of one kind together, one forward."""

    kind: str
    modules: int
    parameters: int
    flops_forward: int
    activations_bytes: int


class MemoryCostJson(TypedDict):
    """Bytes of one model."""

    weights_bytes: int
    gradients_bytes: int
    optimizer_bytes: int
    activations_bytes: int
    activations_checkpointed_bytes: int
    kv_cache_bytes: int
    train_bytes: int
    inference_bytes: int


class ModelCostJson(TypedDict):
    """What one model costs."""

    parameters: int
    flops_forward: int
    flops_train_step: int
    flops_decode: int
    memory: MemoryCostJson
    kinds: list[KindCostJson]


# "pass" is a keyword, so these need the functional form.
PredictionJson = TypedDict(
    "PredictionJson",
    {
        "pass": str,
        "dense_ms": float,
        "predicted_ms": float,
        "replaced_share": float,
        "replaced_speedup": float,
        "speedup": float,
        "ceiling": float,
        "words": str,
    },
)


class CandidateCostJson(TypedDict, total=False):
    """One way to put DYAD into the model; ``cost`` is None where it cannot be done."""

    variant: str
    n_blocks: int
    mode: str
    cost: ModelCostJson | None
    problems: list[str]
    predictions: list[PredictionJson]
    lines: str


class EstimateJson(TypedDict, total=False):
    """What a model costs dense and with DYAD."""

    spec: dict[str, Any]
    model_type: str
    name: str
    layers: list[LayerRowJson]
    dense: ModelCostJson
    candidates: list[CandidateCostJson]
    reading: str
    warnings: list[str]
    measured: str | None


PartTimeJson = TypedDict(
    "PartTimeJson",
    {
        "part": str,
        "pass": str,
        "variant": str | None,
        "n_blocks": int | None,
        "mode": str | None,
        "count": int,
        "samples_ms": list[float],
        "median_ms": float,
        "q1_ms": float,
        "q3_ms": float,
    },
    total=False,
)

ModelCandidateJson = TypedDict(
    "ModelCandidateJson",
    {
        "variant": str,
        "n_blocks": int | None,
        "mode": str | None,
        "pass": str,
        "outcome": str,
        "parameters": int,
        "flops": int,
        "samples_ms": list[float],
        "median_ms": float | None,
        "q1_ms": float | None,
        "q3_ms": float | None,
        "tokens_per_s": float | None,
        "speedup": float | None,
        "speedup_low": float | None,
        "speedup_high": float | None,
        "memory": MemoryJson | None,
        "memory_predicted": MemoryJson | None,
        "correctness": CorrectnessJson | None,
        "prediction": PredictionJson | None,
        "deviation": float | None,
        "warnings": list[str],
        "detail": str,
    },
    total=False,
)


class ModelProgress(TypedDict, total=False):
    """How far a measurement is, with the figures so far."""

    stage: str
    done: int
    total: int
    fraction: float
    message: str
    elapsed_s: float
    eta_s: float | None
    candidates: list[ModelCandidateJson]


class ModelResult(TypedDict, total=False):
    """A finished measurement: the content of an exported file."""

    schema_version: int
    spec: dict[str, Any]
    environment: dict[str, Any]
    model_type: str
    name: str
    layers: list[LayerRowJson]
    candidates: list[ModelCandidateJson]
    parts: list[PartTimeJson]
    created_at: str
    duration_s: float
    reading: str
    warnings: list[str]
    sampling: list[SamplingJson]
    noise: dict[str, Any] | None


class ModelRecord(TypedDict, total=False):
    """A measurement as the service keeps it."""

    id: str
    kind: str
    status: Status
    spec: dict[str, Any]
    progress: ModelProgress | None
    queue_position: int | None
    warnings: list[str]
    error: dict[str, str] | None
    origin: str
    machine: dict[str, Any] | None
    created_at: str
    started_at: str | None
    finished_at: str | None
    result: ModelResult | None
    headline: str | None


class ModelPage(TypedDict):
    """One page of measurements."""

    items: list[ModelRecord]
    total: int
    limit: int
    offset: int
