"""Candidates under the roofline of their machine: what their products and traffic allow, and what is lost.

All of it is arithmetic on what the run holds: the ceilings of the machine, products, compulsory bytes and operations of
one call, and the median time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from frontend.logic import words
from frontend.logic.rows import Row

__all__ = ["Ceiling", "Placed", "ceiling_of", "gap_words", "placed_records", "placed_rows"]

NOTICEABLE = 0.1
"""Of the processors: what others may take before it is said."""

BOUNDS = {
    "compute": "multiplying (compute-bound)",
    "memory": "moving memory (memory-bound)",
    "launch": "starting operations (launch-bound)",
}


@dataclass(frozen=True)
class Ceiling:
    """What a machine can do at most: operations and bytes per second, and microseconds to start one operation."""

    flops_per_s: float
    bytes_per_s: float
    launch_us: float
    words: str

    @property
    def ridge(self) -> float:
        """Operations per byte from which multiplying is the limit."""
        return self.flops_per_s / self.bytes_per_s

    def attainable(self, intensity: float) -> float:
        """Operations per second at an intensity in operations per byte."""
        return min(self.flops_per_s, self.bytes_per_s * intensity)


@dataclass(frozen=True)
class Placed:
    """One candidate under the roof: intensity in operations per byte, rates in operations per second, times in ms.

    ``predicted_ms`` is the larger of products at the machine's peak and bytes at its bandwidth. ``parts_ms`` are what the
    service estimates that the gap is made of; None where it does not know.
    """

    row: Row
    intensity: float
    attained: float
    attainable: float
    bound: str
    predicted_ms: float
    measured_ms: float
    parts_ms: Mapping[str, float | None]

    @property
    def gap_ms(self) -> float:
        """Measured beyond predicted."""
        return self.measured_ms - self.predicted_ms


def ceiling_of(ceilings: Mapping[str, Any] | None) -> Ceiling | None:
    """Read the ceilings of a run; None where it holds none."""
    if not ceilings:
        return None
    return Ceiling(
        float(ceilings["flops_per_s"]["median"]),
        float(ceilings["bytes_per_s"]["median"]),
        float(ceilings["launch_us"]["median"]),
        _words(ceilings),
    )


def _words(ceilings: Mapping[str, Any]) -> str:
    rates = (
        f"{ceilings['flops_per_s']['median'] / 1e9:.4g} GFLOP/s and {ceilings['bytes_per_s']['median'] / 1e9:.3g} GB/s"
    )
    launch = f"{ceilings['launch_us']['median']:.3g} µs to start an operation"
    where = f"{ceilings.get('device_name')}, {ceilings.get('dtype')}"
    others = ceilings.get("others_share")
    beside = (
        f" while other work kept {words.percent(others)} of the processors busy" if (others or 0) > NOTICEABLE else ""
    )
    return f"{where}: {rates}, {launch}; measured {words.moment(ceilings.get('measured_at'))}{beside}"


def placed_rows(rows: Sequence[Row], ceiling: Ceiling) -> list[Placed]:
    """Place every row that has a time, products and traffic."""
    return [_placed(row, ceiling) for row in rows if row.median_ms and row.flops and row.bytes_moved]


def _placed(row: Row, ceiling: Ceiling) -> Placed:
    flops, moved, measured = float(row.flops or 0), float(row.bytes_moved or 1), float(row.median_ms or 0)
    compute, memory = 1e3 * flops / ceiling.flops_per_s, 1e3 * moved / ceiling.bytes_per_s
    launches = None if row.operations is None else row.operations * ceiling.launch_us / 1e3
    predicted = max(compute, memory)
    bound = "compute" if compute >= memory else "memory"
    given = row.placement or {}
    return Placed(
        row,
        intensity=flops / moved,
        attained=1e3 * flops / measured,
        attainable=ceiling.attainable(flops / moved),
        bound=given.get("bound") or ("launch" if (launches or 0.0) > predicted else bound),
        predicted_ms=predicted,
        measured_ms=measured,
        parts_ms={
            "launches": given.get("gap_launches_ms", launches),
            "copies": given.get("gap_copies_ms"),
            "temporaries": given.get("gap_temporaries_ms"),
            "the rest": given.get("gap_rest_ms"),
        },
    )


def gap_words(placed: Placed) -> str:
    """Say where the time beyond the prediction goes, as far as it is known."""
    if placed.gap_ms <= 0:
        return f"{words.milliseconds(-placed.gap_ms)} faster than predicted: its operands stay in the cache"
    known = [f"{name} {_signed(part)}" for name, part in placed.parts_ms.items() if part is not None]
    unknown = [name for name, part in placed.parts_ms.items() if part is None and name != "the rest"]
    text = f"{words.milliseconds(placed.gap_ms)} beyond the prediction"
    if known:
        text += f", by estimate {', '.join(known)}"
    return text + (f" (not known: {', '.join(unknown)})" if unknown else "")


def _signed(part: float) -> str:
    return f"−{words.milliseconds(-part)}" if part < 0 else "0 ms" if part == 0 else words.milliseconds(part)


def placed_records(placed: Sequence[Placed]) -> list[dict[str, Any]]:
    """Return the placements as records of a table."""
    return [
        {
            "candidate": each.row.label,
            "limited by": BOUNDS.get(each.bound, each.bound),
            "predicted (ms)": each.predicted_ms,
            "measured (ms)": each.measured_ms,
            "of attainable (%)": 100 * each.predicted_ms / each.measured_ms,
            "GFLOP per call": (each.row.flops or 0) / 1e9,
            "MiB moved at least": (each.row.bytes_moved or 0) / 2**20,
            "FLOP per byte": each.intensity,
            "attained (GFLOP/s)": each.attained / 1e9,
            "operations started": each.row.operations,
            "the gap": gap_words(each),
        }
        for each in placed
    ]
