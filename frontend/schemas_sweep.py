"""The JSON shapes of sweeps; see :mod:`frontend.schemas` for how they are meant."""

from __future__ import annotations

from typing import Any, TypedDict

from frontend.schemas import Status

__all__ = [
    "ContourJson",
    "FigureJson",
    "RuleJson",
    "SurfaceJson",
    "SweepPage",
    "SweepPointJson",
    "SweepProgress",
    "SweepRecord",
    "SweepResult",
]

# "pass" is a keyword, so these need the functional form.
FigureJson = TypedDict(
    "FigureJson",
    {
        "n_blocks": int,
        "variant": str,
        "implementation": str,
        "chosen": str,
        "pass": str,
        "outcome": str,
        "speedup": float | None,
        "speedup_low": float | None,
        "speedup_high": float | None,
        "detail": str,
    },
    total=False,
)


class SweepPointJson(TypedDict, total=False):
    """One size that was measured, with a figure per map."""

    in_features: int
    out_features: int
    tokens: int
    outcome: str
    detail: str
    reused: bool
    seconds: float
    figures: list[FigureJson]
    run: dict[str, Any] | None


class SurfaceJson(TypedDict):
    """The whole lattice, rows by tokens, columns by width; None where nothing is known."""

    widths: list[int]
    tokens: list[int]
    speedup: list[list[float | None]]
    low: list[list[float | None]]
    high: list[list[float | None]]
    measured: list[list[bool]]


ContourJson = TypedDict(
    "ContourJson",
    {
        "n_blocks": int,
        "variant": str,
        "implementation": str,
        "pass": str,
        "lines": list[list[list[float]]],
        "low_lines": list[list[list[float]]],
        "high_lines": list[list[list[float]]],
        "surface": SurfaceJson,
    },
)

RuleJson = TypedDict(
    "RuleJson",
    {
        "n_blocks": int,
        "variant": str,
        "implementation": str,
        "pass": str,
        "finding": str,
        "faster": int,
        "slower": int,
        "not_distinguishable": int,
        "without_speed": int,
        "text": str,
    },
    total=False,
)


class SweepProgress(TypedDict, total=False):
    """How far a sweep is, with what it measured: one row per map and size."""

    stage: str
    done: int
    total: int
    fraction: float
    message: str
    elapsed_s: float
    eta_s: float | None
    points: list[dict[str, Any]]


class SweepResult(TypedDict, total=False):
    """A finished sweep: the content of an exported file."""

    schema_version: int
    spec: dict[str, Any]
    environment: dict[str, Any] | None
    created_at: str
    duration_s: float
    stopped: str
    reading: str
    warnings: list[str]
    skipped: list[dict[str, Any]]
    points: list[SweepPointJson]
    contours: list[ContourJson]
    rules: list[RuleJson]


class SweepRecord(TypedDict, total=False):
    """A sweep as the service keeps it."""

    id: str
    kind: str
    status: Status
    spec: dict[str, Any]
    progress: SweepProgress | None
    queue_position: int | None
    warnings: list[str]
    error: dict[str, str] | None
    origin: str
    machine: dict[str, Any] | None
    created_at: str
    started_at: str | None
    finished_at: str | None
    result: SweepResult | None
    headline: str | None


class SweepPage(TypedDict):
    """One page of sweeps."""

    items: list[SweepRecord]
    total: int
    limit: int
    offset: int
