"""A measured model as a table for spreadsheets: one row per model and pass, every row complete in itself."""

from __future__ import annotations

import csv
import io
from typing import Any

from dyad_core.bench.export import MEMORY, harmless
from dyad_core.models.records import ModelCandidate, ModelRun

__all__ = ["COLUMNS", "to_csv"]

PLACE = ("device", "device_name", "threads", "torch_version", "dyad_version")
CONDITIONS = (
    "batch", "sequence", "dtype", "float32_matmul_precision", "optimizer", "checkpointing", "compile", "grain",
    "implementation",
)  # fmt: skip
FIGURES = (
    "variant", "n_blocks", "mode", "pass", "outcome", "rounds", "calls_per_sample", "median_ms", "q1_ms", "q3_ms",
    "tokens_per_s", "speedup", "speedup_low", "speedup_high", "parameters", "flops",
)  # fmt: skip
FORETOLD = ("predicted_ms", "predicted_speedup", "replaced_share", "replaced_speedup", "deviation")
COLUMNS = (
    "created_at", "model", "model_type", *PLACE, *CONDITIONS, *FIGURES, *FORETOLD, *MEMORY,
    *(f"predicted_{name}" for name in MEMORY), "relative_error", "relative_tolerance", "detail",
)  # fmt: skip
"""Units are in the names; ``speedup`` is dense/candidate, ``deviation`` predicted/measured - 1, of the dense model that of its
parts' sum. What was expected begins with ``predicted_``."""


def to_csv(run: ModelRun) -> str:
    """Return CSV text with a header, lines ended by CR LF (RFC 4180); what is unknown is empty."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS)
    writer.writeheader()
    for candidate in run.candidates:
        writer.writerow({name: harmless(value) for name, value in _row(run, candidate).items()})
    return text.getvalue()


def _row(run: ModelRun, candidate: ModelCandidate) -> dict[str, Any]:
    memory, expected, prediction = candidate.memory, candidate.memory_predicted, candidate.prediction
    correctness = candidate.correctness
    return {
        "created_at": run.created_at,
        "model": run.name,
        "model_type": run.model_type,
        **{name: getattr(run.environment, name) for name in PLACE},
        **{name: getattr(run.spec, name) for name in CONDITIONS},
        **{name: getattr(candidate, name) for name in FIGURES if name not in ("pass", "rounds")},
        "pass": candidate.pass_,
        "rounds": len(candidate.samples_ms),
        "predicted_ms": None if prediction is None else prediction.predicted_ms,
        "predicted_speedup": None if prediction is None else prediction.speedup,
        "replaced_share": None if prediction is None else prediction.replaced_share,
        "replaced_speedup": None if prediction is None else prediction.replaced_speedup,
        "deviation": candidate.deviation,
        **{name: getattr(memory, name) if memory else None for name in MEMORY},
        **{f"predicted_{name}": getattr(expected, name) if expected else None for name in MEMORY},
        "relative_error": None if correctness is None else correctness.error,
        "relative_tolerance": None if correctness is None else correctness.tolerance,
        "detail": candidate.detail,
    }
