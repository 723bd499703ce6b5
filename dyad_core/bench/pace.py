"""How far a run of several passes is, and when its next report is due: fractions that never fall, and not too many reports."""

from __future__ import annotations

import time
from collections.abc import Mapping

__all__ = ["Pace"]

# Figures are recomputed for each report, between rounds; more often would cost more than anyone can read.
LEAST_INTERVAL_S = 0.3
ETA_FROM_FRACTION = 0.05


class Pace:
    """Where a run is.

    Args:
        shares: how long each pass takes, in any unit.
        spans: of each stage of a pass: where it begins and how much of the pass it takes.
        before: share of the run that comes before the first pass.

    Attributes:
        fraction: of the whole run that is done, 0 to 1.
    """

    def __init__(
        self, shares: Mapping[str, float], spans: Mapping[str, tuple[float, float]], *, before: float = 0.0
    ) -> None:
        """Begin now."""
        total = sum(shares.values()) / (1.0 - before)
        self.shares = {name: share / total for name, share in shares.items()}
        self.spans = spans
        self.start = time.perf_counter()
        self.last_s, self.last_stage = -1.0, ""
        self.fraction = 0.0
        self.pass_start, self.pass_share = 0.0, before

    def begin(self, pass_: str) -> None:
        """Begin the next pass."""
        self.pass_start += self.pass_share
        self.pass_share = self.shares[pass_]

    def is_last(self) -> bool:
        """Whether the pass that is running is the last one."""
        return self.pass_start + self.pass_share > 1 - 1e-9

    def due(self, stage: str, within: float) -> bool:
        """Take note of a step, ``within`` of its stage being done, and say whether to report it: close ones are left out."""
        begin, span = self.spans.get(stage, (0.0, 1.0))
        self.fraction = max(self.fraction, self.pass_start + self.pass_share * (begin + span * min(1.0, within)))
        return stage != self.last_stage or self.elapsed_s() - self.last_s >= LEAST_INTERVAL_S

    def said(self, stage: str) -> None:
        """Take note that a step was reported."""
        self.last_s, self.last_stage = self.elapsed_s(), stage

    def elapsed_s(self) -> float:
        """Seconds since the beginning."""
        return time.perf_counter() - self.start

    def eta_s(self) -> float | None:
        """Seconds that are left, estimated; None while nothing is known."""
        return self.last_s * (1 - self.fraction) / self.fraction if self.fraction >= ETA_FROM_FRACTION else None
