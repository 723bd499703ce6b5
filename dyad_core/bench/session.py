"""One run while it is being measured: modules that are built once, and pass after pass what was found.

A pass goes through its candidates in stages: build and check, warm up, rounds, memory. What fails in one takes no part
in the next, and its failure is its result.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterator

from torch import nn

from dyad_core.bench.calling import Caller, Feed
from dyad_core.bench.candidates import DENSE, PRODUCTS, Plan, build, plans, reseed
from dyad_core.bench.correctness import check
from dyad_core.bench.disturbance import Disturbance
from dyad_core.bench.energy import energy_counter, energy_per_call_j
from dyad_core.bench.flush import FlushedClock
from dyad_core.bench.launches import count_operations, is_countable
from dyad_core.bench.looks import MAX_ROUNDS
from dyad_core.bench.memory import measure_memory
from dyad_core.bench.memory_prediction import predict_memory
from dyad_core.bench.noise import NoiseWatch
from dyad_core.bench.reporter import Reporter
from dyad_core.bench.results import Candidate, PassSampling
from dyad_core.bench.sampling import Sampler
from dyad_core.bench.spec import BenchmarkSpec, Pass
from dyad_core.bench.timer import Call, Clock, noting, shuffled_rounds, warm_up
from dyad_core.bench.traffic import compulsory_bytes
from dyad_core.bench.trial import Trial, finished, outcome_of

__all__ = ["Session"]

WARM_UP_SHARE = 0.2
WARM_UP_MOST_S = 5.0


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
        self.sampling: list[PassSampling] = []
        self.noise = NoiseWatch(spec.device)
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
            caller = Caller(self.spec, pass_, Feed(self.spec, pass_), self.modules)
        if failures:
            for trial in trials.values():
                trial.fail(failures[pass_])
        else:
            self.check(trials, caller)
            self.prepare(trials, caller)
            if caller.calls:
                self.time(pass_, trials, caller)
                self.count(trials, caller)
            caller.calls.clear()  # a backward holds on to the activations of its forward
            self.measure_memory(trials, caller)
        self.candidates += finished(list(trials.values()), self.spec)
        self.reporter.end(self.candidates)

    def check(self, trials: dict[str, Trial], caller: Caller) -> None:
        """Build what is not built yet and hold it against the oracle; what fails takes no further part."""
        for done, (name, trial) in enumerate(trials.items()):
            self.reporter.step("checking", done, len(trials), f"checking {name} against the oracle")
            failures: dict[str, Exception] = {}
            if trial.plan.unsupported:
                trial.outcome, trial.detail = "unsupported", trial.plan.unsupported
                continue
            with noting(failures, name):
                if name not in self.modules:
                    self.modules[name], self.built[name] = self.build(trial.plan), trial.plan
                self.hold_against_oracle(trial, caller.feed, self.spec.seed)
            if failures:
                trial.fail(failures[name])
        self.check_further_seeds(trials, caller.feed)

    def check_further_seeds(self, trials: dict[str, Trial], feed: Feed) -> None:
        """Hold the weights and operands of every further seed against the oracle too, then draw the first again."""
        last = self.spec.n_seeds - 1
        for offset in [*range(1, last + 1), 0] if last else []:
            feed.redraw(self.spec.seed + offset)
            for name, trial in trials.items():
                failures: dict[str, Exception] = {}
                if trial.alive:
                    with noting(failures, name):
                        reseed(self.modules[name], self.spec.seed + offset)
                        self.hold_against_oracle(trial, feed, self.spec.seed + offset)
                if failures:
                    trial.fail(failures[name])

    def hold_against_oracle(self, trial: Trial, feed: Feed, seed: int) -> None:
        """Run the pass of one candidate and note how far it is from the oracle."""
        checked = check(self.modules[trial.plan.name], feed.of(trial.plan), seed=seed)
        trial.correctness = checked.correctness
        if not checked.correctness.passed:
            trial.outcome, trial.detail = "incorrect", checked.detail

    def build(self, plan: Plan) -> nn.Module:
        """Build a candidate; compiled where the request asks for it, so that the check sees what will be timed."""
        module = build(plan, self.spec)
        if self.spec.compile:
            module.compile(dynamic=False)
        return module

    def prepare(self, trials: dict[str, Trial], caller: Caller) -> None:
        """One closure per candidate that is alive; making it is never timed."""
        for name, trial in trials.items():
            if not trial.alive:
                continue
            failures: dict[str, Exception] = {}
            with noting(failures, name):
                caller.add(trial.plan)
                trial.weight_copies = caller.copies[name]
            if failures:
                trial.fail(failures[name])
                caller.calls.pop(name, None)

    def time(self, pass_: Pass, trials: dict[str, Trial], caller: Caller) -> None:
        """Warm up, then take rounds until the intervals are narrow enough or the budget of this pass is spent."""
        share = PRODUCTS[pass_] / sum(PRODUCTS[each] for each in self.spec.passes)
        budget_s = self.spec.max_seconds * share
        failures: dict[str, Exception] = {}
        disturbance = Disturbance()
        self.warm_up(trials, caller.calls, failures, min(WARM_UP_MOST_S, WARM_UP_SHARE * budget_s))
        sampler = Sampler(self.clock, budget_s=budget_s, target_interval=self.spec.target_interval, baseline=DENSE)

        def on_round(taken: int, done: float) -> None:
            for name, samples in sampler.samples.items():
                trials[name].samples_ms = samples
            for name, error in failures.items():
                trials[name].fail(error)
            width = "" if sampler.widest is None else f", widest interval ±{_percent(sampler.widest)}"
            self.noise.tick()
            self.reporter.step("timing", taken, MAX_ROUNDS, f"{pass_}: round {taken}{width}", share=done)

        stopped = sampler.run(self.rounds(trials, caller, failures), on_round)
        sampling = sampler.ended(pass_, stopped)
        self.sampling.append(sampling)
        if stopped == "budget" and sampling.widest_interval is not None:
            self.warnings.append(
                f"{pass_}: the time budget was spent after {sampling.rounds} rounds (max_seconds={self.spec.max_seconds:g}, "
                f"{budget_s:.3g} s of it for this pass); the widest interval is ±{_percent(sampling.widest_interval)} "
                f"where ±{self.spec.target_interval:.1%} was asked for"
            )
        if warning := disturbance.warning():
            self.warnings.append(f"{pass_}: {warning}")

    def rounds(
        self, trials: dict[str, Trial], caller: Caller, failures: dict[str, Exception]
    ) -> Iterator[dict[str, float]]:
        """Rounds without end; with several seeds each draws weights and operands anew, in turn."""
        per_sample = {name: trial.calls_per_sample for name, trial in trials.items() if name in caller.calls}
        rounds = shuffled_rounds(caller.calls, per_sample, self.clock, failures, seed=self.spec.seed)
        for number, sample in enumerate(rounds, start=1):
            yield sample
            if self.spec.n_seeds > 1:
                caller.redraw(self.spec.seed + number % self.spec.n_seeds)

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

    def count(self, trials: dict[str, Trial], caller: Caller) -> None:
        """Count the operations of one call, and its joules where the device counts them; untimed."""
        counter = energy_counter(self.spec.device)
        clock = self.clock.clock if isinstance(self.clock, FlushedClock) else self.clock
        for name, trial in trials.items():
            if not trial.alive or not trial.samples_ms:
                continue
            failures: dict[str, Exception] = {}
            with noting(failures, name):
                if is_countable(trial.plan, self.spec):
                    trial.operations = count_operations(caller.calls[name])
                call_ms = statistics.median(trial.samples_ms)
                trial.energy_j = energy_per_call_j(caller.calls[name], clock, counter, call_ms=call_ms)
            if failures:
                trial.warnings.append(f"its operations could not be counted: {outcome_of(failures[name])[1]}")

    def measure_memory(self, trials: dict[str, Trial], caller: Caller) -> None:
        """Measure the memory of whatever has a speed, untimed."""
        alive = {name: trial for name, trial in trials.items() if trial.alive}
        for done, (name, trial) in enumerate(alive.items()):
            self.reporter.step("memory", done, len(alive), f"measuring memory of {name}")
            failures: dict[str, Exception] = {}
            plan = trial.plan
            trial.bytes_moved = compulsory_bytes(plan, self.spec, trial.pass_)
            with noting(failures, name):
                trial.memory_predicted = predict_memory(plan, self.spec, trial.pass_)
                trial.memory = measure_memory(
                    self.modules[name],
                    caller.feed.of(plan),
                    run=caller.untimed(plan),
                    optimizer=caller.optimizers.get(name),
                )
            if failures:
                trial.warnings.append(f"its memory could not be measured: {outcome_of(failures[name])[1]}")


def _percent(share: float) -> str:
    return f"{share:.1%}" if share < 1 else "100 % and more"
