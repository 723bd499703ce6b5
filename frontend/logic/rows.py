"""Candidates of a run as flat rows that charts and tables share."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from frontend.logic.request import PEERS, expected_candidates, limit
from frontend.schemas_runs import CandidateJson, MemoryJson

__all__ = ["MemoryRow", "Row", "best", "expected_rows", "rows_of"]


@dataclass(frozen=True)
class MemoryRow:
    """Bytes of one candidate in one pass; None where an older file does not say."""

    parameters_bytes: int
    inputs_bytes: int
    gradients_bytes: int
    allocated_peak_bytes: int
    peak_bytes: int
    method: str
    outputs_bytes: int | None = None
    saved_activations_bytes: int | None = None
    optimizer_state_bytes: int | None = None
    temporaries_bytes: int | None = None

    @property
    def is_split(self) -> bool:
        """Whether the allocated peak is known by what it is for."""
        return self.temporaries_bytes is not None


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
    bytes_moved: int | None = None
    operations: int | None = None
    energy_j: float | None = None
    error: float | None = None
    tolerance: float | None = None
    chosen_by_auto: bool = False
    memory: MemoryRow | None = None
    predicted: MemoryRow | None = None
    placement: Mapping[str, Any] | None = None
    warnings: tuple[str, ...] = ()

    @property
    def is_dense(self) -> bool:
        """Whether this is the dense twin."""
        return self.variant == "dense"

    @property
    def has_speed(self) -> bool:
        """Whether it was timed."""
        return self.median_ms is not None

    @property
    def peak_bytes(self) -> int | None:
        """The most memory at one moment."""
        return None if self.memory is None else self.memory.peak_bytes


def rows_of(candidates: Sequence[CandidateJson]) -> list[Row]:
    """Return one row per candidate and pass, in the order of the result."""
    keys = [(c["pass"], c["variant"], c["n_blocks"], c["grain"]) for c in candidates]
    # "auto" may mean another implementation at each size and pass; names tell apart only where one place has several.
    several = len(set(keys)) < len(keys)
    return [_row(candidate, several) for candidate in candidates]


_PLAIN = (
    "median_ms",
    "q1_ms",
    "q3_ms",
    "speedup",
    "speedup_low",
    "speedup_high",
    "share_of_limit",
    "parameters",
    "flops",
    "bytes_moved",
    "operations",
    "energy_j",
)


def _row(candidate: CandidateJson, several_implementations: bool) -> Row:
    correctness: Mapping[str, Any] = candidate.get("correctness") or {}
    plain: dict[str, Any] = {name: candidate.get(name) for name in _PLAIN}
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
        samples_ms=tuple(candidate.get("samples_ms") or ()),
        error=correctness.get("error"),
        tolerance=correctness.get("tolerance"),
        chosen_by_auto=bool(candidate.get("chosen_by_auto")),
        memory=_memory(candidate.get("memory")),
        predicted=_memory(candidate.get("memory_predicted")),
        placement=candidate.get("placement"),
        warnings=tuple(candidate.get("warnings") or ()),
        **plain,
    )


def _memory(use: MemoryJson | None) -> MemoryRow | None:
    if not use:
        return None
    known = {name: use.get(name) for name in MemoryRow.__dataclass_fields__}
    return MemoryRow(**known)  # type: ignore[arg-type] # the first six are always there


def _label(candidate: Mapping[str, Any], several_implementations: bool) -> str:
    variant, n = candidate["variant"], candidate["n_blocks"]
    if variant == "dense":
        return "dense"
    if variant in PEERS:
        return PEERS[variant] if variant == "dense_again" and n is None else f"{PEERS[variant]} as n={n}"
    text = f"{variant.upper()} n={n}"
    if candidate["grain"] not in (None, 1):
        text += f" g={candidate['grain']}"
    return f"{text} {candidate['implementation']}" if several_implementations else text


def expected_rows(spec: Mapping[str, Any], known: Iterable[Row], pass_name: str) -> list[Row]:
    """Return the rows of one pass, in order, with a pending row where nothing is known yet.

    The number and order of rows follow from the request alone, so a chart keeps its shape while results come in.
    Peers come last, as soon as they have answered.
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
    return rows + [row for row in answered if row.variant in PEERS]


def _identity(row: Row) -> tuple[str, int | None, int | None]:
    return row.variant, row.n_blocks, row.grain


def best(rows: Iterable[Row]) -> Row | None:
    """Return the measured DYAD row with the highest speed-up; ``bd``, an ablation, and peers do not compete."""
    measured = [row for row in rows if row.speedup is not None and row.variant in ("it", "ot", "dt")]
    return max(measured, key=lambda row: row.speedup or 0.0, default=None)
