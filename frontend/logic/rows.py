"""Candidates of a run as flat rows that charts and tables share, and the words around them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from frontend.logic import words
from frontend.logic.request import expected_candidates, limit
from frontend.schemas import CandidateJson

__all__ = [
    "OUTCOMES",
    "Row",
    "best",
    "environment_line",
    "expected_rows",
    "passes_of",
    "rows_of",
    "spec_line",
    "speedups",
    "table_records",
]

OUTCOMES = {
    "measured": "measured",
    "incorrect": "wrong result, so no speed",
    "out_of_memory": "out of memory",
    "unsupported": "cannot run here",
    "failed": "failed",
    "pending": "not measured yet",
}


@dataclass(frozen=True)
class Row:
    """One candidate in one pass. Times in milliseconds, sizes in bytes; None where nothing was measured."""

    label: str
    variant: str
    n_blocks: int | None
    grain: int | None
    implementation: str
    pass_name: str
    outcome: str
    limit: float
    detail: str = ""
    median_ms: float | None = None
    q1_ms: float | None = None
    q3_ms: float | None = None
    samples_ms: tuple[float, ...] = ()
    speedup: float | None = None
    speedup_low: float | None = None
    speedup_high: float | None = None
    share_of_limit: float | None = None
    parameters: int | None = None
    flops: int | None = None
    error: float | None = None
    parameters_bytes: int | None = None
    inputs_bytes: int | None = None
    allocated_peak_bytes: int | None = None
    peak_bytes: int | None = None
    memory_method: str = ""
    warnings: tuple[str, ...] = ()

    @property
    def is_dense(self) -> bool:
        """Whether this is the dense twin."""
        return self.variant == "dense"


def rows_of(candidates: Sequence[CandidateJson]) -> list[Row]:
    """Return one row per candidate and pass, in the order of the result."""
    keys = [(c["pass"], c["variant"], c["n_blocks"], c["grain"]) for c in candidates]
    # "auto" may mean another implementation at each size and pass; names tell apart only where one place has several.
    several = len(set(keys)) < len(keys)
    return [_row(candidate, several) for candidate in candidates]


def _row(candidate: CandidateJson, several_implementations: bool) -> Row:
    memory: Mapping[str, Any] = candidate.get("memory") or {}
    correctness: Mapping[str, Any] = candidate.get("correctness") or {}
    return Row(
        label=_label(candidate, several_implementations),
        variant=candidate["variant"],
        n_blocks=candidate["n_blocks"],
        grain=candidate["grain"],
        implementation=candidate["implementation"],
        pass_name=candidate["pass"],
        outcome=candidate["outcome"],
        limit=candidate["limit"],
        detail=candidate.get("detail") or "",
        median_ms=candidate.get("median_ms"),
        q1_ms=candidate.get("q1_ms"),
        q3_ms=candidate.get("q3_ms"),
        samples_ms=tuple(candidate.get("samples_ms") or ()),
        speedup=candidate.get("speedup"),
        speedup_low=candidate.get("speedup_low"),
        speedup_high=candidate.get("speedup_high"),
        share_of_limit=candidate.get("share_of_limit"),
        parameters=candidate.get("parameters"),
        flops=candidate.get("flops"),
        error=correctness.get("error"),
        parameters_bytes=memory.get("parameters_bytes"),
        inputs_bytes=memory.get("inputs_bytes"),
        allocated_peak_bytes=memory.get("allocated_peak_bytes"),
        peak_bytes=memory.get("peak_bytes"),
        memory_method=memory.get("method") or "",
        warnings=tuple(candidate.get("warnings") or ()),
    )


def _label(candidate: Mapping[str, Any], several_implementations: bool) -> str:
    if candidate["variant"] == "dense":
        return "dense"
    text = f"{candidate['variant'].upper()} n={candidate['n_blocks']}"
    if candidate["grain"] not in (None, 1):
        text += f" g={candidate['grain']}"
    return f"{text} {candidate['implementation']}" if several_implementations else text


def expected_rows(spec: Mapping[str, Any], known: Iterable[Row], pass_name: str) -> list[Row]:
    """Return the rows of one pass, in order, with a pending row where nothing is known yet.

    The number and order of rows follow from the request alone, so a chart keeps its shape while results come in.
    """
    answered = [row for row in known if row.pass_name == pass_name]
    found = {_identity(row): row for row in answered}
    wanted = expected_candidates(spec)
    several = len(spec["implementations"]) > 1
    dense = found.get(("dense", None, None)) or Row("dense", "dense", None, None, "dense", pass_name, "pending", 1.0)
    if several or len(answered) > len(found):
        # "auto" resolves to a name that only the service knows: trust its order as soon as it has answered.
        return [dense, *(row for row in answered if not row.is_dense)]
    rows = [dense]
    for candidate in wanted:
        key = (candidate["variant"], candidate["n_blocks"], candidate["grain"])
        bound = limit(candidate["n_blocks"], candidate["variant"])
        pending = Row(_label(candidate, False), *key, candidate["implementation"], pass_name, "pending", bound)
        rows.append(found.get(key, pending))
    return rows


def _identity(row: Row) -> tuple[str, int | None, int | None]:
    return row.variant, row.n_blocks, row.grain


def passes_of(spec: Mapping[str, Any]) -> list[str]:
    """Return the passes of a request, in its order."""
    return list(spec.get("passes") or ["forward"])


def speedups(candidates: Sequence[CandidateJson]) -> str:
    """The speed-ups of the pass measured last, as words: ``IT n=4 1.52x, IT n=8 1.72x of dense``."""
    rows = [row for row in rows_of(candidates) if not row.is_dense and row.speedup is not None]
    latest = [row for row in rows if row.pass_name == rows[-1].pass_name]
    listed = ", ".join(f"{row.label} {row.speedup:.2f}x" for row in latest)
    return f"{listed} of dense" if listed else "none of a candidate yet"


def best(rows: Iterable[Row]) -> Row | None:
    """Return the measured DYAD row with the highest median speed-up; ``bd``, an ablation, and peers do not compete."""
    measured = [row for row in rows if row.speedup is not None and row.variant in ("it", "ot", "dt")]
    return max(measured, key=lambda row: row.speedup or 0.0, default=None)


def table_records(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Return the rows as records of a table with the unit in each column name."""
    dense_peak = {row.pass_name: row.peak_bytes for row in rows if row.is_dense}
    return [_record(row, dense_peak.get(row.pass_name)) for row in rows]


def _record(row: Row, dense_peak: int | None) -> dict[str, Any]:
    peak = row.peak_bytes
    return {
        "candidate": row.label,
        "pass": row.pass_name,
        "outcome": OUTCOMES.get(row.outcome, row.outcome) + (f": {row.detail}" if row.detail else ""),
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
        "peak memory (MiB)": None if peak is None else peak / 2**20,
        "peak of dense (%)": None if peak is None or not dense_peak else 100 * peak / dense_peak,
        "relative error": row.error,
        "implementation": row.implementation,
    }


def environment_line(environment: Mapping[str, Any]) -> str:
    """Say where a run was measured: machine, threads, dtype, versions."""
    device = environment.get("device_name") or environment.get("cpu_name") or environment.get("device")
    where = [str(environment.get("hostname") or "unknown machine"), str(device)]
    if str(environment.get("device", "cpu")).startswith("cpu"):
        where.append(words.plural(int(environment["threads"]), "thread"))
    emulated = " (emulated)" if environment.get("dtype_emulated") else ""
    precision = environment.get("float32_matmul_precision")
    tf32 = f", float32 matmul precision {precision}" if precision not in (None, "highest") else ""
    return " · ".join(
        [*where, f"{environment.get('dtype')}{emulated}{tf32}", f"torch {environment.get('torch_version')}"]
    )


def spec_line(spec: Mapping[str, Any]) -> str:
    """Say what a run measures in one line: sizes, tokens, variants, n, dtype, device."""
    sizes = f"{spec['in_features']} → {spec['out_features']}"
    if spec.get("module") == "feed_forward":
        sizes += f" → {spec['in_features']}"
    variants = " ".join(str(variant).upper() for variant in spec["variants"])
    blocks = ", ".join(str(n) for n in spec["n_blocks"])
    passes = " + ".join(passes_of(spec))
    tokens = f"{words.count(spec['tokens'])} tokens"
    return f"{sizes} · {variants} · n = {blocks} · {tokens} · {passes} · {spec['dtype']} · {spec['device']}"
