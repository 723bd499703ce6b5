"""A run as a table for spreadsheets: one row per candidate and pass, every row complete in itself."""

from __future__ import annotations

import csv
import io

from dyad_core.bench.results import BenchmarkRun, Candidate

__all__ = ["COLUMNS", "to_csv"]

RUN_COLUMNS = (
    "created_at",
    "device",
    "device_name",
    "dtype",
    "dtype_emulated",
    "threads",
    "torch_version",
    "dyad_version",
    "module",
    "in_features",
    "out_features",
    "tokens",
)
CANDIDATE_COLUMNS = (
    "variant",
    "n_blocks",
    "grain",
    "implementation",
    "pass",
    "outcome",
    "rounds",
    "calls_per_sample",
    "median_ms",
    "q1_ms",
    "q3_ms",
    "speedup",
    "speedup_low",
    "speedup_high",
    "limit",
    "share_of_limit",
    "parameters",
    "flops",
    "parameters_bytes",
    "inputs_bytes",
    "gradients_bytes",
    "allocated_peak_bytes",
    "peak_bytes",
    "relative_error",
    "relative_tolerance",
    "detail",
)
COLUMNS = RUN_COLUMNS + CANDIDATE_COLUMNS
"""Units are in the names; ``speedup`` is dense/candidate, ``limit`` and the errors are ratios."""

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def to_csv(run: BenchmarkRun) -> str:
    """Return the run as CSV text with a header, lines ended by CR LF (RFC 4180); what is unknown is empty."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS)
    writer.writeheader()
    for candidate in run.candidates:
        row = {**_run_values(run), **_candidate_values(candidate)}
        writer.writerow({name: _harmless(value) for name, value in row.items()})
    return text.getvalue()


def _run_values(run: BenchmarkRun) -> dict[str, object]:
    spec, environment = run.spec, run.environment
    return {
        "created_at": run.created_at,
        **{name: getattr(environment, name) for name in RUN_COLUMNS[1:8]},
        **{name: getattr(spec, name) for name in RUN_COLUMNS[8:]},
    }


def _candidate_values(candidate: Candidate) -> dict[str, object]:
    memory, correctness = candidate.memory, candidate.correctness
    direct = [name for name in CANDIDATE_COLUMNS if name in Candidate.__dataclass_fields__]
    of_memory = [name for name in CANDIDATE_COLUMNS if name.endswith("_bytes")]
    return {
        **{name: getattr(candidate, name) for name in direct},
        **{name: getattr(memory, name) if memory else None for name in of_memory},
        "pass": candidate.pass_,
        "rounds": len(candidate.samples_ms),
        "relative_error": correctness.error if correctness else None,
        "relative_tolerance": correctness.tolerance if correctness else None,
    }


def _harmless(value: object) -> object:
    """Text of an imported file must not become a formula in a spreadsheet."""
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA_STARTS) else value
