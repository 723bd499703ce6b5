"""Each candidate of a pass as something to call: compiled, captured, rotated and drawn anew as the request asks.

Nothing here is timed; whatever can be prepared is.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from dyad_core.bench.candidates import Plan, reseed
from dyad_core.bench.cuda_graph import captured
from dyad_core.bench.passes import (
    Operands,
    laid_out,
    make_call,
    make_optimizer,
    operands,
    reset_gradients,
    run_pass,
    wanting,
)
from dyad_core.bench.rotation import cache_bytes, copies_of, make_rotating_call
from dyad_core.bench.spec import BenchmarkSpec, Pass
from dyad_core.bench.timer import Call
from dyad_core.ops.registry import Layout

__all__ = ["Caller", "Feed"]


class Feed:
    """The operands of one pass, in each memory layout that a candidate asks for."""

    def __init__(self, spec: BenchmarkSpec, pass_: Pass) -> None:
        """Draw them, token-major."""
        self.spec, self.pass_ = spec, pass_
        self.layouts: dict[Layout, Operands] = {"token_major": operands(spec, pass_)}

    def of(self, plan: Plan) -> Operands:
        """What this candidate is fed."""
        if plan.layout not in self.layouts:
            self.layouts[plan.layout] = laid_out(self.layouts["token_major"], plan.layout)
        return self.layouts[plan.layout]

    def redraw(self, seed: int) -> None:
        """Other numbers in the same places."""
        drawn = operands(self.spec, self.pass_, seed)
        with torch.no_grad():
            for fed in self.layouts.values():
                fed.input.copy_(drawn.input)
                if fed.grad_output is not None and drawn.grad_output is not None:
                    fed.grad_output.copy_(drawn.grad_output)


class Caller:
    """Makes the calls of one pass.

    Attributes:
        calls: by candidate; shared with the rounds, so that a call can be replaced between two of them.
        optimizers: of a training step, each after one step, so that its state is there.
        copies: how many copies of its weights a candidate rotates through; 1 but in ``decode``.
    """

    def __init__(self, spec: BenchmarkSpec, pass_: Pass, feed: Feed, modules: dict[str, nn.Module]) -> None:
        """Call ``modules`` on what ``feed`` holds."""
        self.spec, self.pass_, self.feed, self.modules = spec, pass_, feed, modules
        self.plans: dict[str, Plan] = {}
        self.calls: dict[str, Call] = {}
        self.optimizers: dict[str, torch.optim.Optimizer] = {}
        self.copies: dict[str, int] = {}

    def add(self, plan: Plan) -> None:
        """Make the call of one candidate, whose module is built."""
        name, module, fed = plan.name, self.modules[plan.name], self.feed.of(plan)
        self.plans[name] = plan
        if self.pass_ == "train_step" and name not in self.optimizers:
            optimizer = make_optimizer(module, self.spec.optimizer, capturable=self.spec.cuda_graph)
            if optimizer is not None:
                self.optimizers[name] = optimizer
                make_call(module, fed, self.pass_, optimizer)()
        self.calls[name] = self._call(name, module, fed)

    def _call(self, name: str, module: nn.Module, fed: Operands) -> Call:
        device = torch.device(self.spec.device)
        self.copies[name] = 1
        if self.pass_ == "decode":
            rotated = copies_of(module, cache_bytes(device))
            self.copies[name] = len(rotated)
            return make_rotating_call(rotated, fed)
        call = make_call(module, fed, self.pass_, self.optimizers.get(name))
        return captured(call, device) if self.spec.cuda_graph else call

    def redraw(self, seed: int) -> None:
        """Draw weights and operands anew, in place, and remake the calls that hold on to the old ones."""
        self.feed.redraw(seed)
        for name in self.calls:
            reseed(self.modules[name], seed)
        if self.pass_ in ("backward_input", "backward_weight"):
            for name, plan in self.plans.items():
                self.calls[name] = self._call(name, self.modules[name], self.feed.of(plan))

    def untimed(self, plan: Plan) -> Callable[[], Tensor]:
        """The pass for counting memory and operations: forward included, gradients left in place."""
        module, fed = self.modules[plan.name], self.feed.of(plan)
        if self.pass_ in ("backward_input", "backward_weight"):
            wanted: list[Tensor] = [fed.input] if self.pass_ == "backward_input" else list(module.parameters())

            def backward() -> Tensor:
                with wanting(wanted, [fed.input, *module.parameters()]):
                    return run_pass(module, fed)

            return backward
        optimizer = self.optimizers.get(plan.name)

        def run() -> Tensor:
            output = run_pass(module, fed)
            if optimizer is not None:
                optimizer.step()
            return output

        return run

    def forget_gradients(self, plan: Plan) -> None:
        """Drop what :meth:`untimed` left."""
        reset_gradients(self.modules[plan.name], self.feed.of(plan))
