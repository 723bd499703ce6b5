"""What one pass decides: time and memory saved, from the run's own figures."""

from __future__ import annotations

import math
from collections.abc import Collection

from dyad_core.bench.results import BenchmarkRun, Candidate, Outcome
from dyad_core.bench.spec import Pass
from dyad_core.verdict.records import Decision, MemorySaved, PassVerdict, Saving, TimeSaved

__all__ = ["combined", "pass_verdict"]

TROUBLES: dict[Outcome, str] = {
    "incorrect": "failed the check against the oracle",
    "out_of_memory": "ran out of memory",
    "unsupported": "cannot run there",
    "failed": "failed",
}


def pass_verdict(run: BenchmarkRun, pass_: Pass, candidate: Candidate | None, required_speedup: float) -> PassVerdict:
    """Judge one pass of a candidate against the dense twin of the same run.

    Args:
        candidate: its candidate of this pass; None where the run holds none.
        required_speedup: what its interval is held against.
    """
    if candidate is None:
        return PassVerdict(pass_, "no_evidence", None, "", None, None, "the run holds no such pass of it")
    dense = next((each for each in run.candidates if each.variant == "dense" and each.pass_ == pass_), None)
    time = _time(dense, candidate)
    return PassVerdict(
        pass_=pass_,
        decision="no_evidence" if time is None else _held(time, required_speedup),
        outcome=candidate.outcome,
        implementation=candidate.implementation,
        time=time,
        memory=_memory(dense, candidate),
        detail=_why_no_figure(dense, candidate) if time is None else "",
    )


def combined(decisions: Collection[Decision]) -> Decision:
    """One decision from those of all passes.

    Passes that gain and passes that do not, or one without a figure, make it depend on the pass. Where no pass gains and
    one loses, it is a loss, however sure the others are.
    """
    different = set(decisions)
    if len(different) == 1:
        return next(iter(different))
    return "do_not_swap" if different == {"do_not_swap", "not_distinguishable"} else "depends"


def _held(time: TimeSaved, required_speedup: float) -> Decision:
    if time.speedup_low > required_speedup:
        return "swap"
    return "do_not_swap" if time.speedup_high < required_speedup else "not_distinguishable"


def _time(dense: Candidate | None, candidate: Candidate) -> TimeSaved | None:
    """None without both speeds, or where a foreign file's interval is none."""
    if dense is None or dense.median_ms is None or candidate.median_ms is None or candidate.speedup is None:
        return None
    low, speedup, high = candidate.speedup_low, candidate.speedup, candidate.speedup_high
    if low is None or high is None or not 0 < low <= speedup <= high or not math.isfinite(1 / low):
        return None
    saved = [dense.median_ms * (1 - 1 / ratio) for ratio in (speedup, low, high)]
    return TimeSaved(dense.median_ms, candidate.median_ms, speedup, low, high, *saved)


def _memory(dense: Candidate | None, candidate: Candidate) -> MemorySaved | None:
    if dense is None or dense.memory is None or candidate.memory is None:
        return None
    above, below = dense.memory, candidate.memory
    states = above.optimizer_state_bytes, below.optimizer_state_bytes
    return MemorySaved(
        parameters=Saving.of(above.parameters_bytes, below.parameters_bytes),
        gradients=Saving.of(above.gradients_bytes, below.gradients_bytes),
        optimizer=None if states[0] is None or states[1] is None else Saving.of(states[0], states[1]),
        peak=Saving.of(above.peak_bytes, below.peak_bytes),
        method=below.method,
    )


def _why_no_figure(dense: Candidate | None, candidate: Candidate) -> str:
    if candidate.outcome in TROUBLES:
        return f"it {TROUBLES[candidate.outcome]}{_because(candidate)}"
    if dense is None:
        return "the run holds no dense twin of this pass"
    if dense.outcome in TROUBLES:
        own = "" if candidate.median_ms is None else f", while it itself took {candidate.median_ms:.3g} ms"
        return f"the dense twin {TROUBLES[dense.outcome]}{_because(dense)}{own}"
    return "the run holds no interval of its speed-up"


def _because(candidate: Candidate) -> str:
    detail = " ".join(candidate.detail.split())
    return f" ({detail[:200]})" if detail else ""
