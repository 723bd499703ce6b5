"""Runs as tables: one row per candidate and pass, every row complete in itself, dtype and precision in each.

CSV is for spreadsheets, Parquet for data frames: the same columns with their types, and the raw samples as a list. JSON with
every digit is :func:`dyad_core.bench.files.save_runs`. Parquet needs pandas and pyarrow, which are imported when it is asked for.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from typing import Any

from dyad_core.bench.results import BenchmarkRun, Candidate, MemoryUse
from dyad_core.errors import ImplementationError

__all__ = ["COLUMNS", "harmless", "to_csv", "to_parquet"]

ENVIRONMENT_COLUMNS = {
    "device": "string",
    "device_name": "string",
    "dtype": "string",
    "dtype_emulated": "boolean",
    "float32_matmul_precision": "string",
    "threads": "Int64",
    "torch_version": "string",
    "dyad_version": "string",
}
SPEC_COLUMNS = {
    "module": "string",
    "in_features": "Int64",
    "out_features": "Int64",
    "tokens": "Int64",
    "optimizer": "string",
    "compile": "boolean",
    "cuda_graph": "boolean",
    "cache": "string",
    "allocator": "string",
}
FIGURE_COLUMNS = {
    "variant": "string",
    "n_blocks": "Int64",
    "grain": "Int64",
    "implementation": "string",
    "chosen_by_auto": "boolean",
    "pass": "string",
    "outcome": "string",
    "rounds": "Int64",
    "calls_per_sample": "Int64",
    "weight_copies": "Int64",
    "median_ms": "float64",
    "q1_ms": "float64",
    "q3_ms": "float64",
    "speedup": "float64",
    "speedup_low": "float64",
    "speedup_high": "float64",
    "limit": "float64",
    "share_of_limit": "float64",
    "parameters": "Int64",
    "flops": "Int64",
    "bytes_moved": "Int64",
    "operations": "Int64",
    "energy_j": "float64",
}
MEMORY = tuple(name for name in MemoryUse.__dataclass_fields__ if name.endswith("_bytes"))
ROOFLINE_COLUMNS = {
    "predicted_ms": "float64",
    "bound": "string",
    "gap_ms": "float64",
    "gap_launches_ms": "float64",
    "gap_copies_ms": "float64",
    "gap_temporaries_ms": "float64",
    "gap_rest_ms": "float64",
    "attained_flops_per_s": "float64",
    "attained_bytes_per_s": "float64",
    "attained_share": "float64",
}
TYPES = {
    "created_at": "string",
    **ENVIRONMENT_COLUMNS,
    **SPEC_COLUMNS,
    **FIGURE_COLUMNS,
    **ROOFLINE_COLUMNS,
    **dict.fromkeys((*MEMORY, *(f"predicted_{name}" for name in MEMORY)), "Int64"),
    "relative_error": "float64",
    "relative_tolerance": "float64",
    "detail": "string",
}
COLUMNS = tuple(TYPES)
"""Units are in the names; ``speedup`` is dense/candidate, ``limit`` and the errors are ratios. What a candidate was expected to
take begins with ``predicted_``."""

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def to_csv(runs: BenchmarkRun | Sequence[BenchmarkRun]) -> str:
    """Return CSV text with a header, lines ended by CR LF (RFC 4180); what is unknown is empty."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS)
    writer.writeheader()
    for row, _ in _rows(runs):
        writer.writerow({name: harmless(value) for name, value in row.items()})
    return text.getvalue()


def to_parquet(runs: BenchmarkRun | Sequence[BenchmarkRun]) -> bytes:
    """Return a Parquet file: the columns of the CSV with their types, and ``samples_ms``, a list in each row.

    Raises:
        ImplementationError: pandas or pyarrow is not installed; says how to get them.
    """
    try:
        import pandas
        import pyarrow  # noqa: F401 - pandas writes through it
    except ImportError as error:
        raise ImplementationError(
            f"A Parquet file needs pandas and pyarrow, and {error.name} is not installed here: "
            "pip install 'dyad-explorer[export]'"
        ) from error
    rows = list(_rows(runs))
    # As objects first: a column of large integers with a gap would else pass through float64.
    frame = pandas.DataFrame([row for row, _ in rows], columns=list(COLUMNS), dtype=object).astype(TYPES)
    frame["samples_ms"] = [list(candidate.samples_ms) for _, candidate in rows]
    file = io.BytesIO()
    frame.to_parquet(file, engine="pyarrow", index=False)
    return file.getvalue()


def _rows(runs: BenchmarkRun | Sequence[BenchmarkRun]) -> Iterator[tuple[dict[str, Any], Candidate]]:
    for run in [runs] if isinstance(runs, BenchmarkRun) else runs:
        conditions = {
            "created_at": run.created_at,
            **{name: getattr(run.environment, name) for name in ENVIRONMENT_COLUMNS},
            **{name: getattr(run.spec, name) for name in SPEC_COLUMNS},
        }
        for candidate in run.candidates:
            yield {**conditions, **_figures(candidate)}, candidate


def _figures(candidate: Candidate) -> dict[str, Any]:
    memory, predicted, correctness = candidate.memory, candidate.memory_predicted, candidate.correctness
    placed = candidate.placement
    return {
        **{name: getattr(candidate, name) for name in FIGURE_COLUMNS if name not in ("pass", "rounds")},
        **{name: getattr(memory, name) if memory else None for name in MEMORY},
        **{f"predicted_{name}": getattr(predicted, name) if predicted else None for name in MEMORY},
        **{name: getattr(placed, name) if placed else None for name in ROOFLINE_COLUMNS},
        "pass": candidate.pass_,
        "rounds": len(candidate.samples_ms),
        "relative_error": correctness.error if correctness else None,
        "relative_tolerance": correctness.tolerance if correctness else None,
        "detail": candidate.detail,
    }


def harmless(value: object) -> object:
    """Text of an imported file must not become a formula in a spreadsheet."""
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA_STARTS) else value
