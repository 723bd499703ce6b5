"""One honest sentence from a run: what was fastest under which conditions, how sure that is, and what went wrong.

Generated from the data alone, so that the words can never say more than the figures.
"""

from __future__ import annotations

import dataclasses
from collections import Counter

from dyad_core.bench.candidates import CONTROL, DENSE
from dyad_core.bench.results import BenchmarkRun, Candidate, Outcome
from dyad_core.bench.spec import Pass
from dyad_core.geometry import VARIANTS

__all__ = ["name_of", "read_run", "reading"]

PASS_NAMES: dict[Pass, str] = {
    "forward": "forward",
    "backward_input": "gradient of the input",
    "backward_weight": "gradient of the weights",
    "train_step": "training step",
    "decode": "decode (weights from memory)",
}

TROUBLES: dict[Outcome, str] = {
    "incorrect": "failed the check against the oracle and has no speed",
    "out_of_memory": "ran out of memory",
    "unsupported": "cannot run here",
    "failed": "failed",
}


def read_run(run: BenchmarkRun) -> BenchmarkRun:
    """Return the same run with its reading filled in."""
    return dataclasses.replace(run, reading=reading(run))


def reading(run: BenchmarkRun) -> str:
    """Say in one sentence what the figures of ``run`` mean."""
    return f"{_conditions(run)}, {'; '.join(_pass_reading(run, pass_) for pass_ in run.spec.passes)}."


def name_of(candidate: Candidate, run: BenchmarkRun) -> str:
    """Short name inside a run: the label, and the implementation where the run holds several."""
    implementations = {each.implementation for each in run.candidates if each.variant in VARIANTS}
    if candidate.variant not in VARIANTS or len(implementations) < 2:
        return candidate.label
    return f"{candidate.label} ({candidate.implementation})"


def _conditions(run: BenchmarkRun) -> str:
    spec, environment = run.spec, run.environment
    threads = f" ({_count(environment.threads, 'thread')})" if environment.device == "cpu" else ""
    emulated = " (emulated)" if environment.dtype_emulated else ""
    sizes = f"{spec.in_features}→{spec.out_features}"
    if spec.module == "feed_forward":
        sizes = f"feed-forward {sizes}→{spec.in_features}"
    tokens = _count(spec.tokens, "token")
    return f"On {environment.device_name}{threads}, {environment.dtype}{emulated}, {tokens}, {sizes}"


def _pass_reading(run: BenchmarkRun, pass_: Pass) -> str:
    here = [each for each in run.candidates if each.pass_ == pass_]
    rivals = [each for each in here if each.variant not in (DENSE, CONTROL)]
    parts = []
    ranked = sorted((each for each in rivals if each.speedup is not None), key=lambda each: -(each.speedup or 0))
    if ranked:
        parts.append(_verdict(ranked[0], run, alone=len(ranked) == 1))
    dense = run.dense(pass_)
    if not dense.has_speed:
        parts.append(f"the dense twin {TROUBLES[dense.outcome]}, so there is nothing to compare with")
    elif not ranked:
        parts.append("no candidate could be measured")
    for outcome, count in Counter(each.outcome for each in rivals if not each.has_speed).items():
        names = ", ".join(name_of(each, run) for each in rivals if each.outcome == outcome)
        parts.append(f"{names} {TROUBLES[outcome]}" if count < 5 else f"{count} candidates {TROUBLES[outcome]}")
    parts += [_control(each) for each in here if each.variant == CONTROL and each.has_speed]
    return f"{PASS_NAMES[pass_]}: {', and '.join(parts)}"


def _verdict(best: Candidate, run: BenchmarkRun, *, alone: bool) -> str:
    speedup, low, high = best.speedup, best.speedup_low, best.speedup_high
    if speedup is None or low is None or high is None or best.share_of_limit is None:
        msg = "a candidate with a speed-up has its interval too"
        raise ValueError(msg)
    name = name_of(best, run)
    interval = f"95 % interval {low:.2f}–{high:.2f}"
    if low <= 1.0 <= high:
        which = name if alone else f"the best candidate, {name},"
        return f"{which} is not distinguishable from 1.0x of dense ({speedup:.2f}x, {interval})"
    if high < 1.0:
        which = f"{name} is slower than dense" if alone else f"every candidate is slower than dense, {name} the least"
        return f"{which}, at {speedup:.2f}x ({interval})"
    limit = f"{best.share_of_limit:.0%} of the limit {best.limit:.1f}x"
    which = f"{name} is faster" if alone else f"{name} is fastest"
    return f"{which} at {speedup:.2f}x of dense ({interval}, {limit})"


def _control(again: Candidate) -> str:
    interval = f"{again.speedup or 0:.3f}x, 95 % interval {again.speedup_low or 0:.3f}–{again.speedup_high or 0:.3f}"
    if again.outcome == "not_distinguishable":
        return f"a second dense twin is not told apart from the first, as it should be ({interval})"
    return f"a second dense twin is called {again.outcome} than the first ({interval}): trust smaller differences less"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
