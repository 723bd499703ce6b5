"""Turns the steps of a model's measurement into :class:`ModelProgress`, with the figures so far."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from dyad_core.bench.pace import Pace
from dyad_core.models.measuring.progress import ModelProgress, ModelStage, OnModelProgress
from dyad_core.models.measuring.trial import ModelTrial, preliminary
from dyad_core.models.records import ModelCandidate
from dyad_core.models.spec import ModelPass, ModelSpec

__all__ = ["SHARES", "ModelReporter"]

# Where each stage of a pass begins and how much of the pass it takes, by what such runs usually spend.
STAGE_SPANS: dict[str, tuple[float, float]] = {
    "checking": (0.0, 0.15),
    "warming_up": (0.15, 0.15),
    "timing": (0.3, 0.6),
    "memory": (0.9, 0.1),
}
BUILDING_SHARE = 0.05

SHARES: dict[ModelPass, float] = {"train_step": 3.0, "prefill": 1.0, "decode": 1.0}
"""How the budget is shared among the passes of a request."""


class ModelReporter:
    """Reports on one run to one listener."""

    def __init__(self, spec: ModelSpec, on_progress: OnModelProgress | None) -> None:
        """Begin now."""
        self.on_progress = on_progress
        self.pace = Pace({pass_: SHARES[pass_] for pass_ in spec.passes}, STAGE_SPANS, before=BUILDING_SHARE)
        self.trials: Sequence[ModelTrial] = ()
        self.earlier: tuple[ModelCandidate, ...] = ()

    def begin(self, pass_: ModelPass, trials: Sequence[ModelTrial]) -> None:
        """Begin a pass; ``trials`` is looked at whenever figures are reported."""
        self.pace.begin(pass_)
        self.trials = trials

    def end(self, candidates: Sequence[ModelCandidate]) -> None:
        """End a pass; ``candidates`` are the finished records of this and all passes before."""
        self.earlier = tuple(dataclasses.replace(candidate, samples_ms=()) for candidate in candidates)
        self.trials = ()
        if self.pace.is_last():
            self.pace.fraction = 1.0
            self._send("finished", 1, 1, "finished")

    def step(self, stage: ModelStage, done: int, total: int, message: str, *, share: float | None = None) -> None:
        """Report one step; ``share`` of the stage is done/total unless given. Close ones are skipped."""
        if self.on_progress is not None and self.pace.due(stage, done / total if share is None else share):
            self._send(stage, done, total, message)

    def _send(self, stage: ModelStage, done: int, total: int, message: str) -> None:
        if self.on_progress is None:
            return
        self.pace.said(stage)
        figures = (*self.earlier, *preliminary(self.trials))
        self.on_progress(
            ModelProgress(stage, done, total, self.pace.fraction, message, self.pace.last_s, figures, self.pace.eta_s())
        )
