"""The record of one candidate under the roofline; :mod:`dyad_core.bench.roofline` computes it."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, Literal

__all__ = ["Bound", "Placement"]

Bound = Literal["compute", "memory", "launch"]


@dataclass(frozen=True)
class Placement:
    """One candidate under the roofline; times are those of one call.

    Attributes:
        flops: operations of its products.
        bytes_moved: compulsory traffic, see :mod:`dyad_core.bench.traffic`.
        flops_per_byte: arithmetic intensity, the place on the horizontal axis.
        compute_ms: operations at the machine's peak.
        memory_ms: bytes at the machine's bandwidth.
        launches_ms: operations that are started, times what starting one costs; None when they were not counted.
        predicted_ms: attainable time: the larger of ``compute_ms`` and ``memory_ms``.
        bound: what is the largest of the three.
        measured_ms: median; None when there is no speed, and then the rest is None too.
        gap_ms: measured less predicted; negative where caches beat the bandwidth of the memory.
        gap_launches_ms: of the gap, what launches explain: on a GPU only those that nothing hides.
        gap_copies_ms: re-laying out activations, at the machine's bandwidth.
        gap_temporaries_ms: writing and reading the other temporaries once, at the machine's bandwidth.
        gap_rest_ms: what the three do not explain; None when one of them is unknown.
        attained_flops_per_s: operations by measured time.
        attained_bytes_per_s: compulsory bytes by measured time.
        attained_share: predicted by measured time; 1 stands on the roof.
    """

    flops: int
    bytes_moved: int
    flops_per_byte: float
    compute_ms: float
    memory_ms: float
    launches_ms: float | None
    predicted_ms: float
    bound: Bound
    measured_ms: float | None = None
    gap_ms: float | None = None
    gap_launches_ms: float | None = None
    gap_copies_ms: float | None = None
    gap_temporaries_ms: float | None = None
    gap_rest_ms: float | None = None
    attained_flops_per_s: float | None = None
    attained_bytes_per_s: float | None = None
    attained_share: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready values."""
        return dataclasses.asdict(self)
