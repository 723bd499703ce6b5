"""One model in one pass while it is being measured, and the record it becomes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from dyad_core.bench.looks import critical_value
from dyad_core.bench.parts import Correctness, MemoryUse, Outcome, compared
from dyad_core.bench.statistics import paired_speedup, quartiles, spread_warning
from dyad_core.bench.trial import outcome_of
from dyad_core.geometry import Variant
from dyad_core.models.records import ModelCandidate
from dyad_core.models.spec import Mode, ModelPass, ModelSpec

__all__ = ["DENSE", "ModelPlan", "ModelTrial", "finished", "plans", "preliminary"]

DENSE = "dense"


@dataclass(frozen=True)
class ModelPlan:
    """One model of a run: the dense one, where ``variant`` is None, or one way to put DYAD into it."""

    variant: Variant | None = None
    n_blocks: int | None = None
    mode: Mode | None = None

    @property
    def name(self) -> str:
        """Unique inside a run."""
        return DENSE if self.variant is None else f"{self.variant} n={self.n_blocks} {self.mode}"


def plans(spec: ModelSpec) -> list[ModelPlan]:
    """Every model of a run, the dense one first."""
    return [
        ModelPlan(),
        *(
            ModelPlan(variant, n_blocks, mode)
            for mode in spec.modes
            for n_blocks in spec.n_blocks
            for variant in spec.variants
        ),
    ]


@dataclass
class ModelTrial:
    """What is known so far. ``samples_ms`` holds timed rounds only; ``warm_up_ms`` what came before.

    Attributes:
        plan: which model.
        pass_: which pass.
        tokens: that one call gives or takes, for tokens per second.
        parameters: of the whole model, tied ones once.
        flops: products of one call.
    """

    plan: ModelPlan
    pass_: ModelPass
    tokens: int
    parameters: int = 0
    flops: int = 0
    outcome: Outcome = "measured"
    detail: str = ""
    correctness: Correctness | None = None
    samples_ms: list[float] = field(default_factory=list)
    warm_up_ms: list[float] = field(default_factory=list)
    calls_per_sample: int = 0
    memory: MemoryUse | None = None
    memory_predicted: MemoryUse | None = None
    warnings: list[str] = field(default_factory=list)

    @property
    def alive(self) -> bool:
        """Whether nothing has gone wrong yet."""
        return self.outcome == "measured"

    def fail(self, error: Exception) -> None:
        """Take an exception as the outcome."""
        self.outcome, self.detail = outcome_of(error)


def finished(trials: Sequence[ModelTrial]) -> list[ModelCandidate]:
    """The records of one pass, with raw samples, quartiles, and intervals where dense was measured too."""
    dense = _dense_samples(trials, [trial.samples_ms for trial in trials])
    return [_record(trial, trial.samples_ms, dense, raw=True) for trial in trials]


def preliminary(trials: Sequence[ModelTrial]) -> list[ModelCandidate]:
    """The figures so far, without raw samples: from the rounds, or before these from the warm-up."""
    timing = any(trial.samples_ms for trial in trials)
    samples = [trial.samples_ms if timing else trial.warm_up_ms for trial in trials]
    dense = _dense_samples(trials, samples)
    return [
        _record(trial, mine, dense, raw=False)
        for trial, mine in zip(trials, samples, strict=True)
        if mine or not trial.alive
    ]


def _dense_samples(trials: Sequence[ModelTrial], samples: list[list[float]]) -> list[float]:
    for trial, mine in zip(trials, samples, strict=True):
        if trial.plan.variant is None and trial.alive:
            return mine
    return []


def _record(trial: ModelTrial, samples: list[float], dense: list[float], *, raw: bool) -> ModelCandidate:
    plan, measured = trial.plan, trial.alive and bool(samples)
    spread = quartiles(samples) if measured else None
    # Only the warm-up can differ in length: a model that is stable early drops out of it.
    common = min(len(samples), len(dense)) if measured else 0
    speedup = paired_speedup(dense[:common], samples[:common], critical_value=critical_value()) if common else None
    outcome = trial.outcome
    if measured and speedup is not None and plan.variant is not None:
        outcome = compared(speedup.low, speedup.high)
    warning = spread_warning(samples) if measured and raw else None
    return ModelCandidate(
        variant=plan.variant or DENSE,
        n_blocks=plan.n_blocks,
        mode=plan.mode,
        pass_=trial.pass_,
        outcome=outcome,
        parameters=trial.parameters,
        flops=trial.flops,
        samples_ms=tuple(samples) if measured and raw else (),
        calls_per_sample=trial.calls_per_sample if measured else 0,
        median_ms=spread.median if spread else None,
        q1_ms=spread.q1 if spread else None,
        q3_ms=spread.q3 if spread else None,
        tokens_per_s=1000 * trial.tokens / spread.median if spread else None,
        speedup=speedup.estimate if speedup else None,
        speedup_low=speedup.low if speedup else None,
        speedup_high=speedup.high if speedup else None,
        memory=trial.memory if trial.alive else None,
        memory_predicted=trial.memory_predicted if trial.alive else None,
        correctness=trial.correctness,
        warnings=(*trial.warnings, *([warning] if warning else [])) if trial.alive else (),
        detail=trial.detail,
    )
