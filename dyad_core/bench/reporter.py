"""Turns the steps of a measurement into :class:`Progress`, with the figures so far."""

from __future__ import annotations

import dataclasses

from dyad_core.bench.candidates import PRODUCTS
from dyad_core.bench.pace import Pace
from dyad_core.bench.progress import OnProgress, Progress, Stage
from dyad_core.bench.results import Candidate
from dyad_core.bench.spec import BenchmarkSpec, Pass
from dyad_core.bench.trial import Trial, preliminary

__all__ = ["Reporter"]

# Where each stage of a pass begins and how much of the pass it takes, by what such runs usually spend.
STAGE_SPANS: dict[str, tuple[float, float]] = {
    "checking": (0.0, 0.1),
    "warming_up": (0.1, 0.15),
    "timing": (0.25, 0.65),
    "memory": (0.9, 0.1),
}


class Reporter:
    """Reports on one run to one listener."""

    def __init__(self, spec: BenchmarkSpec, on_progress: OnProgress | None) -> None:
        """Begin now."""
        self.spec = spec
        self.on_progress = on_progress
        self.pace = Pace({pass_: PRODUCTS[pass_] for pass_ in spec.passes}, STAGE_SPANS)
        self.trials: list[Trial] = []
        self.earlier: list[Candidate] = []

    def begin(self, pass_: Pass, trials: list[Trial]) -> None:
        """Begin a pass; ``trials`` is looked at whenever figures are reported."""
        self.pace.begin(pass_)
        self.trials = trials

    def end(self, candidates: list[Candidate]) -> None:
        """End a pass; ``candidates`` are the finished records of this and all passes before."""
        self.earlier = [dataclasses.replace(candidate, samples_ms=()) for candidate in candidates]
        self.trials = []
        if self.pace.is_last():
            self.pace.fraction = 1.0
            self._send("finished", 1, 1, "finished")

    def step(self, stage: Stage, done: int, total: int, message: str, *, share: float | None = None) -> None:
        """Report one step; ``share`` of the stage is done/total unless given. Close ones are skipped."""
        if self.on_progress is not None and self.pace.due(stage, done / total if share is None else share):
            self._send(stage, done, total, message)

    def _send(self, stage: Stage, done: int, total: int, message: str) -> None:
        if self.on_progress is None:
            return
        self.pace.said(stage)
        figures = (*self.earlier, *preliminary(self.trials, self.spec))
        self.on_progress(
            Progress(
                stage=stage,
                done=done,
                total=total,
                fraction=self.pace.fraction,
                message=message,
                elapsed_s=self.pace.last_s,
                candidates=figures,
                eta_s=self.pace.eta_s(),
            )
        )
