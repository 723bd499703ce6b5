"""One candidate in one pass while it is being measured, and the record it becomes."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch

from dyad_core.bench.candidates import DENSE, Plan
from dyad_core.bench.looks import critical_value
from dyad_core.bench.results import Candidate, Correctness, MemoryUse, Outcome, compared
from dyad_core.bench.spec import BenchmarkSpec, Pass
from dyad_core.bench.statistics import paired_speedup, quartiles, spread_warning
from dyad_core.errors import ImplementationError

__all__ = ["Trial", "finished", "outcome_of", "preliminary"]

# How torch's CPU allocator and CUDA report that memory ran out, where they raise a plain RuntimeError.
OUT_OF_MEMORY_TEXTS = ("not enough memory", "can't allocate memory", "out of memory")


@dataclass
class Trial:
    """What is known so far. ``samples_ms`` holds timed rounds only; ``warm_up_ms`` what came before."""

    plan: Plan
    pass_: Pass
    outcome: Outcome = "measured"
    detail: str = ""
    correctness: Correctness | None = None
    samples_ms: list[float] = field(default_factory=list)
    warm_up_ms: list[float] = field(default_factory=list)
    calls_per_sample: int = 0
    weight_copies: int = 1
    memory: MemoryUse | None = None
    memory_predicted: MemoryUse | None = None
    bytes_moved: int | None = None
    operations: int | None = None
    energy_j: float | None = None
    warnings: list[str] = field(default_factory=list)

    @property
    def alive(self) -> bool:
        """Whether nothing has gone wrong yet."""
        return self.outcome == "measured"

    def fail(self, error: Exception) -> None:
        """Take an exception as the outcome."""
        self.outcome, self.detail = outcome_of(error)


def outcome_of(error: Exception) -> tuple[Outcome, str]:
    """Which state an exception means, and a sentence: memory, missing support and failure are different things."""
    lines = str(error).strip().splitlines()
    text = lines[0] if lines else ""
    lowered = text.lower()
    if isinstance(error, MemoryError | torch.OutOfMemoryError) or (
        isinstance(error, RuntimeError) and any(known in lowered for known in OUT_OF_MEMORY_TEXTS)
    ):
        return "out_of_memory", text or "the memory ran out"
    if isinstance(error, ImplementationError | NotImplementedError):
        return "unsupported", text or type(error).__name__
    return "failed", f"{type(error).__name__}: {text}" if text else type(error).__name__


def finished(trials: list[Trial], spec: BenchmarkSpec) -> list[Candidate]:
    """Return the records of one pass, with raw samples, quartiles, and intervals where dense was measured too."""
    dense = _dense_samples(trials, [trial.samples_ms for trial in trials])
    return [_record(trial, trial.samples_ms, dense, spec, raw=True) for trial in trials]


def preliminary(trials: list[Trial], spec: BenchmarkSpec) -> list[Candidate]:
    """Return the figures so far, without raw samples: from the rounds, or before these from the warm-up."""
    timing = any(trial.samples_ms for trial in trials)
    samples = [trial.samples_ms if timing else trial.warm_up_ms for trial in trials]
    dense = _dense_samples(trials, samples)
    return [
        _record(trial, mine, dense, spec, raw=False)
        for trial, mine in zip(trials, samples, strict=True)
        if mine or not trial.alive
    ]


def _dense_samples(trials: list[Trial], samples: list[list[float]]) -> list[float]:
    for trial, mine in zip(trials, samples, strict=True):
        if trial.plan.implementation == DENSE and trial.alive:
            return mine
    return []


def _record(trial: Trial, samples: list[float], dense: list[float], spec: BenchmarkSpec, *, raw: bool) -> Candidate:
    plan, limit = trial.plan, trial.plan.limit(spec)
    measured = trial.alive and bool(samples)
    spread = quartiles(samples) if measured else None
    # Only the warm-up can differ in length: a candidate that is stable early drops out of it.
    common = min(len(samples), len(dense)) if measured else 0
    speedup = paired_speedup(dense[:common], samples[:common], critical_value=critical_value()) if common else None
    outcome = trial.outcome
    if measured and speedup is not None and plan.implementation != DENSE:
        outcome = compared(speedup.low, speedup.high)
    warning = spread_warning(samples) if measured and raw else None
    return Candidate(
        variant=plan.variant,
        n_blocks=plan.n_blocks,
        grain=None if plan.geometry is None else plan.geometry.grain,
        implementation=plan.implementation,
        pass_=trial.pass_,
        outcome=outcome,
        parameters=plan.parameters(spec),
        flops=plan.flops(spec, trial.pass_),
        limit=limit,
        samples_ms=tuple(samples) if measured and raw else (),
        calls_per_sample=trial.calls_per_sample if measured else 0,
        median_ms=spread.median if spread else None,
        q1_ms=spread.q1 if spread else None,
        q3_ms=spread.q3 if spread else None,
        speedup=speedup.estimate if speedup else None,
        speedup_low=speedup.low if speedup else None,
        speedup_high=speedup.high if speedup else None,
        share_of_limit=speedup.estimate / limit if speedup else None,
        memory=trial.memory if trial.alive else None,
        correctness=trial.correctness,
        warnings=(*trial.warnings, *([warning] if warning else [])) if trial.alive else (),
        detail=trial.detail,
        chosen_by_auto=plan.chosen_by_auto,
        weight_copies=trial.weight_copies,
        memory_predicted=trial.memory_predicted if trial.alive else None,
        bytes_moved=trial.bytes_moved,
        operations=trial.operations if trial.alive else None,
        energy_j=trial.energy_j if trial.alive else None,
    )
