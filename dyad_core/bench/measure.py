"""Measure a request in this process: check, warm up, time in rounds, then memory; pass after pass.

Use :func:`dyad_core.bench.run_benchmark` from outside: it runs this in a process of its own, which is what
keeps one measurement from disturbing the next and a crash from taking its caller along.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime

import torch
from torch import nn

from dyad_core.bench.candidates import PRODUCTS, Plan, build, plans
from dyad_core.bench.correctness import check
from dyad_core.bench.disturbance import Disturbance
from dyad_core.bench.environment import read_environment
from dyad_core.bench.machine import usable_cores
from dyad_core.bench.memory import measure_memory
from dyad_core.bench.passes import Operands, laid_out, make_call, operands
from dyad_core.bench.progress import OnProgress
from dyad_core.bench.reading import read_run
from dyad_core.bench.reporter import Reporter
from dyad_core.bench.results import BenchmarkRun, Candidate
from dyad_core.bench.rotation import cache_bytes, copies_of, make_rotating_call
from dyad_core.bench.spec import BenchmarkSpec, Pass
from dyad_core.bench.timer import Call, Clock, clock_for, noting, shuffled_rounds, warm_up
from dyad_core.bench.trial import Trial, finished, outcome_of
from dyad_core.ops.registry import Layout

__all__ = ["MAX_ROUNDS", "MIN_ROUNDS", "measure"]

MIN_ROUNDS = 5
"""Fewer give no interval worth the name, so these are taken whatever the budget."""

MAX_ROUNDS = 30
"""More would narrow an interval that drift between runs already exceeds."""

WARM_UP_SHARE = 0.2
WARM_UP_MOST_S = 5.0


def measure(
    spec: BenchmarkSpec,
    *,
    on_progress: OnProgress | None = None,
    warnings: Sequence[str] = (),
    clock: Clock | None = None,
) -> BenchmarkRun:
    """Measure ``spec`` here and now and return the run.

    The thread count of torch is set for the time of the measurement and put back.

    Args:
        spec: the request; :func:`dyad_core.bench.preflight` is the caller's business.
        on_progress: receives the state at least after every step of some length.
        warnings: what preflight said; becomes part of the run.
        clock: what measures; the clock of the device when not given.
    """
    created_at, start = datetime.now(UTC).isoformat(timespec="seconds"), time.perf_counter()
    with cpu_threads(spec.threads or usable_cores()):
        session = Session(spec, Reporter(spec, on_progress), clock or clock_for(torch.device(spec.device)))
        environment = read_environment(spec)
        for pass_ in spec.passes:
            session.run(pass_)
    run = BenchmarkRun(
        spec=spec,
        environment=environment,
        candidates=tuple(session.candidates),
        created_at=created_at,
        duration_s=time.perf_counter() - start,
        warnings=(*warnings, *session.warnings),
    )
    return read_run(run)


@contextmanager
def cpu_threads(count: int) -> Iterator[None]:
    """Let torch use ``count`` threads for a while."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


class Feed:
    """The operands of one pass, in each memory layout that a candidate asks for."""

    def __init__(self, drawn: Operands) -> None:
        """Begin with the operands as they were drawn, token-major."""
        self.layouts: dict[Layout, Operands] = {"token_major": drawn}

    def of(self, plan: Plan) -> Operands:
        """What this candidate is fed."""
        if plan.layout not in self.layouts:
            self.layouts[plan.layout] = laid_out(self.layouts["token_major"], plan.layout)
        return self.layouts[plan.layout]


class Session:
    """One run: the modules, built once, and what was found so far."""

    def __init__(self, spec: BenchmarkSpec, reporter: Reporter, clock: Clock) -> None:
        """Begin; builds nothing yet."""
        self.spec = spec
        self.reporter = reporter
        self.clock = clock
        self.modules: dict[str, nn.Module] = {}
        self.built: dict[str, Plan] = {}
        self.candidates: list[Candidate] = []
        self.warnings: list[str] = []

    def run(self, pass_: Pass) -> None:
        """Measure one pass of every candidate."""
        trials = {plan.name: Trial(plan, pass_) for plan in plans(self.spec, pass_)}
        # auto may mean another implementation in this pass, so a module is kept only where its plan is the same.
        kept = {name for name in self.modules if name in trials and trials[name].plan == self.built[name]}
        self.modules = {name: module for name, module in self.modules.items() if name in kept}
        self.reporter.begin(pass_, list(trials.values()))
        failures: dict[str, Exception] = {}
        with noting(failures, pass_):
            fed = Feed(operands(self.spec, pass_))
        if failures:
            for trial in trials.values():
                trial.fail(failures[pass_])
        else:
            self.check(trials, fed)
            if calls := self.calls(pass_, trials, fed):
                self.time(pass_, trials, calls)
            self.measure_memory(trials, fed)
        self.candidates += finished(list(trials.values()), self.spec)
        self.reporter.end(self.candidates)

    def check(self, trials: dict[str, Trial], fed: Feed) -> None:
        """Build what is not built yet and hold it against the oracle; what fails takes no further part."""
        for done, (name, trial) in enumerate(trials.items()):
            self.reporter.step("checking", done, len(trials), f"checking {name} against the oracle")
            failures: dict[str, Exception] = {}
            if trial.plan.unsupported:
                trial.outcome, trial.detail = "unsupported", trial.plan.unsupported
                continue
            with noting(failures, name):
                if name not in self.modules:
                    self.modules[name], self.built[name] = build(trial.plan, self.spec), trial.plan
                checked = check(self.modules[name], fed.of(trial.plan), seed=self.spec.seed)
                trial.correctness = checked.correctness
                if not checked.correctness.passed:
                    trial.outcome, trial.detail = "incorrect", checked.detail
            if failures:
                trial.fail(failures[name])

    def calls(self, pass_: Pass, trials: dict[str, Trial], fed: Feed) -> dict[str, Call]:
        """One closure per candidate that is alive; making it is never timed."""
        alive = {name: trial for name, trial in trials.items() if trial.alive}
        if pass_ != "decode":
            return {name: make_call(self.modules[name], fed.of(trial.plan)) for name, trial in alive.items()}
        cache = cache_bytes(torch.device(self.spec.device))
        calls: dict[str, Call] = {}
        for name, trial in alive.items():
            failures: dict[str, Exception] = {}
            with noting(failures, name):
                copies = copies_of(self.modules[name], cache)
                trial.weight_copies = len(copies)
                calls[name] = make_rotating_call(copies, fed.of(trial.plan))
            if failures:
                trial.fail(failures[name])
        return calls

    def time(self, pass_: Pass, trials: dict[str, Trial], calls: dict[str, Call]) -> None:
        """Warm up, then take rounds until there are enough or the budget of this pass is spent."""
        share = PRODUCTS[pass_] / sum(PRODUCTS[each] for each in self.spec.passes)
        budget_s = self.spec.max_seconds * share
        failures: dict[str, Exception] = {}
        disturbance = Disturbance()
        self.warm_up(trials, calls, failures, min(WARM_UP_MOST_S, WARM_UP_SHARE * budget_s))
        per_sample = {name: trial.calls_per_sample for name, trial in trials.items() if name in calls}
        rounds = shuffled_rounds(calls, per_sample, self.clock, failures, seed=self.spec.seed)
        start, taken = self.clock.seconds(), 0
        for taken, samples in enumerate(rounds, start=1):
            for name, sample in samples.items():
                trials[name].samples_ms.append(sample)
            for name, error in failures.items():
                trials[name].fail(error)
            spent_s = self.clock.seconds() - start
            done = max(taken / MAX_ROUNDS, min(spent_s / budget_s, taken / MIN_ROUNDS))
            self.reporter.step("timing", taken, MAX_ROUNDS, f"{pass_}: round {taken} of {MAX_ROUNDS}", share=done)
            next_end_s = spent_s * (taken + 1) / taken
            if not samples or taken == MAX_ROUNDS or (taken >= MIN_ROUNDS and next_end_s > budget_s):
                break
        if taken < MAX_ROUNDS and any(trial.alive for trial in trials.values()):
            self.warnings.append(
                f"{pass_}: {taken} of {MAX_ROUNDS} rounds fitted into the time budget "
                f"(max_seconds={self.spec.max_seconds:g}, {budget_s:.3g} s of it for this pass); intervals are wider"
            )
        if warning := disturbance.warning():
            self.warnings.append(f"{pass_}: {warning}")

    def warm_up(
        self, trials: dict[str, Trial], calls: dict[str, Call], failures: dict[str, Exception], limit_s: float
    ) -> None:
        """Warm up until stable; figures of this stage are shown and thrown away."""
        for number, state in enumerate(warm_up(calls, self.clock, failures, limit_s=limit_s)):
            for name, warming in state.items():
                trials[name].warm_up_ms = warming.samples_ms
                trials[name].calls_per_sample = warming.calls_per_sample
            stable = sum(warming.stable for warming in state.values())
            text = f"warming up: {stable} of {len(calls)} stable"
            self.reporter.step("warming_up", stable, len(calls), text, share=min(1.0, number / 10))
        for name, warming in state.items():
            if not warming.stable:
                trials[name].warnings.append(f"the warm-up did not settle within {limit_s:.3g} s")

    def measure_memory(self, trials: dict[str, Trial], fed: Feed) -> None:
        """Measure the memory of whatever has a speed, untimed."""
        alive = {name: trial for name, trial in trials.items() if trial.alive}
        for done, (name, trial) in enumerate(alive.items()):
            self.reporter.step("memory", done, len(alive), f"measuring memory of {name}")
            failures: dict[str, Exception] = {}
            with noting(failures, name):
                trial.memory = measure_memory(self.modules[name], fed.of(trial.plan))
            if failures:
                trial.warnings.append(f"its memory could not be measured: {outcome_of(failures[name])[1]}")
