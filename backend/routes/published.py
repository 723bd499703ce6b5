"""``/api/v1/published``: what the authors of DYAD published, with its sources, its caveats, and taken apart."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from fastapi import APIRouter, Response
from pydantic import BaseModel
from starlette.responses import JSONResponse

from dyad_core.bench.original_conditions import published_conditions
from dyad_core.bench.precision_split import OriginalConditions
from dyad_core.published import QualityComparison, QualityRun, TimingRow, layer_timing, quality

__all__ = ["router"]

router = APIRouter(prefix="/published", tags=["published"])


class PublishedTiming(BaseModel):
    """The published timing: its rows and how they were taken; ``original_conditions`` takes each figure apart."""

    source: str
    unit: str
    tokens: int
    batch_size: int
    sequence_length: int
    gpu: str
    method: str
    caveat: str
    rows: list[TimingRow]
    original_conditions: OriginalConditions


class PublishedScores(BaseModel):
    """The published quality: every trained model, and each DYAD model beside the dense one trained alike."""

    source: str
    note: str
    runs: list[QualityRun]
    comparisons: list[QualityComparison]


@router.get("/timing", response_model=PublishedTiming)
def timing() -> Response:
    """The published rows, and how much of each mixed figure (DYAD in float16, dense in float32) is structure."""
    return JSONResponse({**layer_timing().to_dict(), "original_conditions": published_conditions().to_dict()})


@router.get("/quality", response_model=PublishedScores)
def scores() -> Response:
    """The published scores, one seed each, and their ratios to dense."""
    comparisons: list[dict[str, Any]] = [asdict(each) for each in quality().comparisons()]
    return JSONResponse({**quality().to_dict(), "comparisons": comparisons})
