"""One run while it is being measured: models that are built once, and pass after pass what was found.

A pass goes through its models in stages: check, warm up, rounds, memory. What fails in one takes no part in the next, and
its failure is its result. The parts of the step are timed in the same rounds as the whole.
"""

from __future__ import annotations

import dataclasses
import gc
from collections.abc import Callable, Sequence

import torch
from torch import nn

from dyad_core.bench.disturbance import Disturbance
from dyad_core.bench.looks import MAX_ROUNDS, METHOD, critical_value
from dyad_core.bench.noise import NoiseWatch
from dyad_core.bench.passes import make_optimizer
from dyad_core.bench.sampling import Sampler
from dyad_core.bench.timer import Call, Clock, noting, shuffled_rounds, warm_up
from dyad_core.bench.trial import outcome_of
from dyad_core.models.cost.prediction import predict
from dyad_core.models.measuring.memory import measure_model_memory, predicted_memory
from dyad_core.models.measuring.parity import check_model
from dyad_core.models.measuring.part_times import Built, Part, make_parts, part_times
from dyad_core.models.measuring.passes import Decode, Feed, Prefill, TrainStep, make_pass, mode_for
from dyad_core.models.measuring.reporter import SHARES, ModelReporter
from dyad_core.models.measuring.trial import DENSE, ModelPlan, ModelTrial, finished, plans
from dyad_core.models.measuring.workshop import Workshop, pass_flops
from dyad_core.models.records import ModelCandidate, ModelSampling, PartTime
from dyad_core.models.spec import ModelPass, ModelSpec

__all__ = ["ModelSession"]

WARM_UP_SHARE = 0.2
WARM_UP_MOST_S = 20.0

ModelCall = TrainStep | Prefill | Decode


class ModelSession:
    """One run: the models, built once, and what was found so far."""

    def __init__(self, spec: ModelSpec, reporter: ModelReporter, clock: Clock, workshop: Workshop) -> None:
        """Begin; builds nothing yet."""
        self.spec, self.reporter, self.clock, self.workshop = spec, reporter, clock, workshop
        self.built: dict[str, Built] = {}
        self.failures: dict[str, Exception] = {}
        self.candidates: list[ModelCandidate] = []
        self.parts: list[PartTime] = []
        self.sampling: list[ModelSampling] = []
        self.noise = NoiseWatch(spec.device)
        self.warnings: list[str] = []
        self.feed = Feed.draw(spec, workshop.vocab_size)

    def build(self) -> None:
        """Build every model; what cannot be built is a result too."""
        planned = plans(self.spec)
        for done, plan in enumerate(planned):
            self.reporter.step("building", done, len(planned), f"building {plan.name}")
            if reason := self.workshop.unsupported(plan):
                self.failures[plan.name] = NotImplementedError(reason)
                continue
            with noting(self.failures, plan.name):
                found = self.workshop.build(plan)
                if self.spec.compile:
                    found.model.compile(dynamic=False)
                self.built[plan.name] = found

    def run(self, pass_: ModelPass) -> None:
        """Measure one pass of every model."""
        trials = {plan.name: self.trial(plan, pass_) for plan in plans(self.spec)}
        self.reporter.begin(pass_, list(trials.values()))
        for name, error in self.failures.items():
            trials[name].fail(error)
        for built in self.built.values():
            mode_for(pass_, built.model, checkpointing=self.spec.checkpointing)
        self.check(trials)
        calls: dict[str, ModelCall] = {}
        optimizers: dict[str, torch.optim.Optimizer] = {}
        self.each(trials, lambda trial: self.prepare(trial, calls, optimizers))
        parts: list[Part] = []
        if calls:
            parts = self.take_apart(pass_, trials, calls, optimizers)
            self.time(pass_, trials, calls, parts)
        self.measure_memory(trials, calls, optimizers)
        self.candidates += self.foretold(finished(list(trials.values())), pass_)
        calls.clear()
        parts.clear()
        gc.collect()
        self.reporter.end(self.candidates)

    def trial(self, plan: ModelPlan, pass_: ModelPass) -> ModelTrial:
        """A fresh trial with what is known by arithmetic."""
        tokens = self.spec.batch if pass_ == "decode" else self.spec.tokens
        trial = ModelTrial(plan, pass_, tokens)
        cost = self.workshop.cost(plan)
        if cost is not None:
            trial.parameters, trial.flops = cost.parameters, pass_flops(cost, self.spec, pass_)
            trial.memory_predicted = predicted_memory(cost, self.spec, pass_)
        return trial

    def each(self, trials: dict[str, ModelTrial], work: Callable[[ModelTrial], None]) -> None:
        """Do something with every trial that is alive; an exception becomes its outcome."""
        for name, trial in trials.items():
            failures: dict[str, Exception] = {}
            if trial.alive:
                with noting(failures, name):
                    work(trial)
            if failures:
                trial.fail(failures[name])

    def check(self, trials: dict[str, ModelTrial]) -> None:
        """Hold every swapped model against the oracle; the dense one too where a compiler made it."""
        alive = [trial for trial in trials.values() if trial.alive]

        def hold(trial: ModelTrial) -> None:
            done, name = alive.index(trial), trial.plan.name
            self.reporter.step("checking", done, len(alive), f"{trial.pass_}: checking {name} against the oracle")
            if trial.plan.variant is None and not self.spec.compile:
                return
            checked = check_model(self.built[name].model, self.feed, trial.pass_)
            trial.correctness = checked.correctness
            if not checked.correctness.passed:
                trial.outcome, trial.detail = "incorrect", checked.detail

        self.each(trials, hold)

    def prepare(
        self, trial: ModelTrial, calls: dict[str, ModelCall], optimizers: dict[str, torch.optim.Optimizer]
    ) -> None:
        """The closure of one model and its optimizer, which makes its first step so that its state is there."""
        name = trial.plan.name
        model = self.built[name].model
        optimizer = make_optimizer(model, self.spec.optimizer) if trial.pass_ == "train_step" else None
        call = make_pass(trial.pass_, model, self.feed, optimizer)
        if optimizer is not None:
            call()
            optimizers[name] = optimizer
        calls[name] = call

    def take_apart(
        self,
        pass_: ModelPass,
        trials: dict[str, ModelTrial],
        calls: dict[str, ModelCall],
        optimizers: dict[str, torch.optim.Optimizer],
    ) -> list[Part]:
        """The parts of the step, unless the request does without, or there is nothing to compare them with."""
        alive = [self.built[name] for name in calls if trials[name].alive]
        if not self.spec.parts or DENSE not in calls or len(alive) < 2:
            return []
        if self.spec.compile:
            self.warn("parts are not timed under torch.compile, which joins what would be timed apart")
            return []
        failures: dict[str, Exception] = {}
        with noting(failures, pass_):
            return make_parts(self.spec, pass_, self.feed, alive, calls, optimizers)
        self.warn(
            f"{pass_}: the step could not be taken apart, so nothing is predicted: {outcome_of(failures[pass_])[1]}"
        )
        return []

    def time(
        self, pass_: ModelPass, trials: dict[str, ModelTrial], whole: dict[str, ModelCall], parts: Sequence[Part]
    ) -> None:
        """Warm up, then take rounds until the intervals are narrow enough or the budget of this pass is spent."""
        budget_s = self.spec.max_seconds * SHARES[pass_] / sum(SHARES[each] for each in self.spec.passes)
        calls: dict[str, Call] = {**whole, **{part.name: part.call for part in parts}}
        failures: dict[str, Exception] = {}
        disturbance = Disturbance()
        per_sample = self.warm_up(trials, calls, failures, min(WARM_UP_MOST_S, WARM_UP_SHARE * budget_s))
        sampler = Sampler(
            self.clock,
            budget_s=budget_s,
            target_interval=self.spec.target_interval,
            baseline=DENSE,
            companions=frozenset(part.name for part in parts),
        )

        def on_round(taken: int, done: float) -> None:
            for name, samples in sampler.samples.items():
                if name in trials:
                    trials[name].samples_ms = samples
            for name, error in failures.items():
                if name in trials:
                    trials[name].fail(error)
            width = "" if sampler.widest is None else f", widest interval ±{sampler.widest:.1%}"
            self.noise.tick()
            self.reporter.step("timing", taken, MAX_ROUNDS, f"{pass_}: round {taken}{width}", share=done)

        rounds = shuffled_rounds(calls, per_sample, self.clock, failures, seed=self.spec.seed)
        stopped = sampler.run(rounds, on_round)
        whole_parts = [part for part in parts if part.name not in failures]
        self.parts += part_times(whole_parts, pass_, sampler.samples)
        for part in parts:
            if part.name in failures:
                self.warn(f"{pass_}: {part.name} could not be timed: {outcome_of(failures[part.name])[1]}")
        taken = max((len(samples) for samples in sampler.samples.values()), default=0)
        self.sampling.append(
            ModelSampling(
                pass_, taken, sampler.looks, stopped, sampler.target_interval, sampler.widest, critical_value(), METHOD
            )
        )
        if stopped == "budget" and sampler.widest is not None:
            self.warn(
                f"{pass_}: the time budget was spent after {taken} rounds (max_seconds={self.spec.max_seconds:g}, "
                f"{budget_s:.3g} s of it for this pass); the widest interval is ±{sampler.widest:.1%} where "
                f"±{self.spec.target_interval:.1%} was asked for"
            )
        if warning := disturbance.warning():
            self.warn(f"{pass_}: {warning}")

    def warm_up(
        self, trials: dict[str, ModelTrial], calls: dict[str, Call], failures: dict[str, Exception], limit_s: float
    ) -> dict[str, int]:
        """Warm up until stable; figures of this stage are shown and thrown away. Returns the calls of one sample."""
        per_sample: dict[str, int] = {}
        for number, state in enumerate(warm_up(calls, self.clock, failures, limit_s=limit_s)):
            for name, warming in state.items():
                per_sample[name] = warming.calls_per_sample
                if name in trials:
                    trials[name].warm_up_ms = warming.samples_ms
                    trials[name].calls_per_sample = warming.calls_per_sample
            stable = sum(warming.stable for warming in state.values())
            text = f"warming up: {stable} of {len(calls)} stable"
            self.reporter.step("warming_up", stable, len(calls), text, share=min(1.0, number / 10))
        return per_sample

    def measure_memory(
        self,
        trials: dict[str, ModelTrial],
        calls: dict[str, ModelCall],
        optimizers: dict[str, torch.optim.Optimizer],
    ) -> None:
        """Measure the memory of whatever has a speed, untimed."""
        alive = [trial for trial in trials.values() if trial.alive and trial.samples_ms]
        for done, trial in enumerate(alive):
            name = trial.plan.name
            self.reporter.step("memory", done, len(alive), f"{trial.pass_}: measuring memory of {name}")
            failures: dict[str, Exception] = {}
            with noting(failures, name):
                model: nn.Module = self.built[name].model
                trial.memory = measure_model_memory(model, self.feed, calls[name], optimizers.get(name))
            if failures:
                trial.warnings.append(f"its memory could not be measured: {outcome_of(failures[name])[1]}")

    def foretold(self, found: list[ModelCandidate], pass_: ModelPass) -> list[ModelCandidate]:
        """The same records with what the parts foretell of each, beside what was measured of the whole."""
        return [self._foretold(each, pass_) for each in found]

    def _foretold(self, found: ModelCandidate, pass_: ModelPass) -> ModelCandidate:
        here = [part for part in self.parts if part.pass_ == pass_]
        if found.median_ms is None or not here:
            return found
        if found.variant == DENSE:
            sum_ms = sum(part.count * part.median_ms for part in here if part.variant in (None, DENSE))
            return dataclasses.replace(found, deviation=sum_ms / found.median_ms - 1)
        own = (found.variant, found.n_blocks, found.mode)
        if found.variant == "dense" or not any((part.variant, part.n_blocks, part.mode) == own for part in here):
            return found
        prediction = predict(here, pass_, found.variant, found.n_blocks or 1, found.mode or "layers")  # type: ignore[arg-type]
        deviation = prediction.predicted_ms / found.median_ms - 1
        return dataclasses.replace(found, prediction=prediction, deviation=deviation)

    def warn(self, sentence: str) -> None:
        """Say something once."""
        if sentence not in self.warnings:
            self.warnings.append(sentence)
