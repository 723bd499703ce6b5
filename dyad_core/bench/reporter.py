"""Turns the steps of a measurement into :class:`Progress`: fractions that never fall, and not too many."""

from __future__ import annotations

import dataclasses
import time

from dyad_core.bench.candidates import PRODUCTS
from dyad_core.bench.progress import OnProgress, Progress, Stage
from dyad_core.bench.results import Candidate
from dyad_core.bench.spec import BenchmarkSpec, Pass
from dyad_core.bench.trial import Trial, preliminary

__all__ = ["Reporter"]

# Where each stage of a pass begins and how much of the pass it takes, by what such runs usually spend.
STAGE_SPANS: dict[Stage, tuple[float, float]] = {
    "checking": (0.0, 0.1),
    "warming_up": (0.1, 0.15),
    "timing": (0.25, 0.65),
    "memory": (0.9, 0.1),
}
# Figures are recomputed for each report, between rounds; more often would cost more than anyone can read.
LEAST_INTERVAL_S = 0.3
ETA_FROM_FRACTION = 0.05


class Reporter:
    """Reports on one run to one listener."""

    def __init__(self, spec: BenchmarkSpec, on_progress: OnProgress | None) -> None:
        """Begin now."""
        self.spec = spec
        self.on_progress = on_progress
        self.start = time.perf_counter()
        self.last_s = -1.0
        self.last_stage: Stage = "starting"
        self.fraction = 0.0
        self.pass_start, self.pass_share = 0.0, 0.0
        self.trials: list[Trial] = []
        self.earlier: list[Candidate] = []

    def begin(self, pass_: Pass, trials: list[Trial]) -> None:
        """Begin a pass; ``trials`` is looked at whenever figures are reported."""
        self.pass_start += self.pass_share
        self.pass_share = PRODUCTS[pass_] / sum(PRODUCTS[each] for each in self.spec.passes)
        self.trials = trials

    def end(self, candidates: list[Candidate]) -> None:
        """End a pass; ``candidates`` are the finished records of this and all passes before."""
        self.earlier = [dataclasses.replace(candidate, samples_ms=()) for candidate in candidates]
        self.trials = []
        if self.pass_start + self.pass_share > 1 - 1e-9:
            self.fraction = 1.0
            self._send("finished", 1, 1, "finished")

    def step(self, stage: Stage, done: int, total: int, message: str, *, share: float | None = None) -> None:
        """Report one step; ``share`` of the stage is done/total unless given. Close ones are skipped."""
        if self.on_progress is None:
            return
        begin, span = STAGE_SPANS[stage]
        within = done / total if share is None else share
        self.fraction = max(self.fraction, self.pass_start + self.pass_share * (begin + span * min(1.0, within)))
        now = time.perf_counter() - self.start
        if stage == self.last_stage and now - self.last_s < LEAST_INTERVAL_S:
            return
        self._send(stage, done, total, message)

    def _send(self, stage: Stage, done: int, total: int, message: str) -> None:
        if self.on_progress is None:
            return
        self.last_s, self.last_stage = time.perf_counter() - self.start, stage
        known = self.fraction >= ETA_FROM_FRACTION
        figures = (*self.earlier, *preliminary(self.trials, self.spec))
        self.on_progress(
            Progress(
                stage=stage,
                done=done,
                total=total,
                fraction=self.fraction,
                message=message,
                elapsed_s=self.last_s,
                candidates=figures,
                eta_s=self.last_s * (1 - self.fraction) / self.fraction if known else None,
            )
        )
