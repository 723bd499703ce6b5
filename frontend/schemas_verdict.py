"""The JSON shapes of verdicts, of runs side by side and of the published timing; see :mod:`frontend.schemas`."""

from __future__ import annotations

from typing import Any, TypedDict

__all__ = [
    "ComparedCandidate",
    "ComparedJson",
    "ComparisonJson",
    "DecompositionJson",
    "OriginalConditionsJson",
    "PartJson",
    "PublishedTimingJson",
    "RatioJson",
    "VerdictJson",
]


class VerdictJson(TypedDict, total=False):
    """One decision with everything that it rests on."""

    geometry: dict[str, Any]
    conditions: dict[str, Any]
    decision: str
    depends_on: str
    passes: list[dict[str, Any]]
    reach: dict[str, Any] | None
    quality: dict[str, Any]
    warnings: list[str]
    sentence: str
    evidence: list[str]
    address: str | None
    others: list[dict[str, Any]]


# "pass" is a keyword, so these need the functional form.
ComparedCandidate = TypedDict(
    "ComparedCandidate",
    {
        "label": str,
        "variant": str,
        "n_blocks": int | None,
        "grain": int | None,
        "implementation": str,
        "pass": str,
        "entries": list[dict[str, Any] | None],
        "ratios": list[dict[str, Any]],
    },
    total=False,
)


class ComparisonJson(TypedDict, total=False):
    """What differs between runs, what may be compared, and the ratios."""

    names: list[str]
    reading: str
    differences: list[dict[str, Any]]
    pairs: list[dict[str, Any]]
    candidates: list[ComparedCandidate]
    unmatched: list[dict[str, Any]]
    method: str


class ComparedJson(TypedDict):
    """Runs side by side; ``runs`` are in the order asked for, named A, B, …"""

    runs: list[dict[str, Any]]
    comparison: ComparisonJson


class RatioJson(TypedDict):
    """A factor with its interval where one was measured."""

    ratio: float
    low: float | None
    high: float | None


PartJson = TypedDict(
    "PartJson",
    {
        "pass": str,
        "dense_float32_ms": float | None,
        "dyad_float32_ms": float | None,
        "dyad_float16_ms": float | None,
        "dense_float16_ms": float | None,
        "headline": RatioJson | None,
        "structure": RatioJson | None,
        "precision": RatioJson | None,
        "structure_float16": RatioJson | None,
        "arithmetic": str,
    },
)


class DecompositionJson(TypedDict, total=False):
    """One headline and its two factors."""

    model: str | None
    in_features: int
    out_features: int
    variant: str
    n_blocks: int
    implementation: str
    missing: str
    reading: str
    parts: list[PartJson]


class OriginalConditionsJson(TypedDict, total=False):
    """float16 DYAD against float32 dense, replayed from what was published or measured here."""

    kind: str
    label: str
    source: str
    device_name: str
    conditions: str
    caveats: list[str]
    reading: str
    decompositions: list[DecompositionJson]


class PublishedTimingJson(TypedDict, total=False):
    """The published rows and what their headline is made of."""

    source: str
    unit: str
    tokens: int
    method: str
    caveat: str
    gpu: str
    rows: list[dict[str, Any]]
    original_conditions: OriginalConditionsJson
