"""A run as a table: one row per candidate and pass, the conditions repeated in each row."""

from __future__ import annotations

import csv
import io
from typing import Any

__all__ = ["COLUMNS", "run_to_csv"]

_SPEC = ("module", "in_features", "out_features", "tokens", "dtype")
_ENVIRONMENT = ("device", "device_name", "cpu_name", "threads", "torch_version", "dyad_version")
_CANDIDATE = (
    "variant",
    "n_blocks",
    "grain",
    "implementation",
    "pass",
    "outcome",
    "median_ms",
    "q1_ms",
    "q3_ms",
    "speedup",
    "speedup_low",
    "speedup_high",
    "share_of_limit",
    "limit",
    "parameters",
    "flops",
)
_MEMORY = ("parameters_bytes", "inputs_bytes", "gradients_bytes", "allocated_peak_bytes", "peak_bytes")
COLUMNS = ("run_id", *_SPEC, *_ENVIRONMENT, *_CANDIDATE, *_MEMORY, "error", "tolerance", "samples_ms", "detail")
"""The header row. ``samples_ms`` holds all samples in the order taken, with blanks between."""


def run_to_csv(run_id: str, result: dict[str, Any]) -> str:
    """Write the table of a run (:meth:`dyad_core.bench.BenchmarkRun.to_dict`)."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    for candidate in result["candidates"]:
        memory = candidate["memory"] or {}
        correctness = candidate["correctness"] or {}
        writer.writerow(
            [
                run_id,
                *(_cell(result["spec"][name]) for name in _SPEC),
                *(_cell(result["environment"][name]) for name in _ENVIRONMENT),
                *(_cell(candidate[name]) for name in _CANDIDATE),
                *(memory.get(name) for name in _MEMORY),
                correctness.get("error"),
                correctness.get("tolerance"),
                " ".join(str(sample) for sample in candidate["samples_ms"]),
                _cell(candidate["detail"]),
            ]
        )
    return text.getvalue()


def _cell(value: Any) -> Any:
    """Text that a spreadsheet would run as a formula gets an apostrophe: result files come from strangers, too."""
    if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r"):
        return f"'{value}"
    return value
