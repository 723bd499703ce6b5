"""The table of a run: one record per candidate and pass, the unit in each column name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from frontend.logic.outcomes import words_of
from frontend.logic.rows import Row

__all__ = ["FORMATS", "table_records"]

FORMATS = {
    "speed-up (x)": "%.2f",
    "95 % low (x)": "%.2f",
    "95 % high (x)": "%.2f",
    "limit (x)": "%.1f",
    "of limit (%)": "%.0f",
    "median (ms)": "%.3g",
    "lower quartile (ms)": "%.3g",
    "upper quartile (ms)": "%.3g",
    "GFLOP per call": "%.3g",
    "energy (J per call)": "%.3g",
    "peak memory (MiB)": "%.1f",
    "peak of dense (%)": "%.0f",
    "relative error": "%.1e",
}
"""How the numbers of a column are written."""


def table_records(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Return the rows as records of a table; energy only where a device counted it."""
    dense_peak = {row.pass_name: row.peak_bytes for row in rows if row.is_dense}
    records = [_record(row, dense_peak.get(row.pass_name)) for row in rows]
    if all(row.energy_j is None for row in rows):
        for record in records:
            del record["energy (J per call)"]
    return records


def _record(row: Row, dense_peak: int | None) -> dict[str, Any]:
    peak = row.peak_bytes
    return {
        "candidate": row.label,
        "pass": row.pass_name,
        "outcome": words_of(row.outcome) + (f": {row.detail}" if row.detail else ""),
        "speed-up (x)": row.speedup,
        "95 % low (x)": row.speedup_low,
        "95 % high (x)": row.speedup_high,
        "limit (x)": row.limit,
        "of limit (%)": None if row.share_of_limit is None else 100 * row.share_of_limit,
        "median (ms)": row.median_ms,
        "lower quartile (ms)": row.q1_ms,
        "upper quartile (ms)": row.q3_ms,
        "samples": len(row.samples_ms),
        "parameters": row.parameters,
        "GFLOP per call": None if row.flops is None else row.flops / 1e9,
        "energy (J per call)": row.energy_j,
        "peak memory (MiB)": None if peak is None else peak / 2**20,
        "peak of dense (%)": None if peak is None or not dense_peak else 100 * peak / dense_peak,
        "relative error": row.error,
        "implementation": row.implementation,
    }
