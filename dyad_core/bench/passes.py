"""What candidates are fed, and each pass as a closure: alike for the dense twin and every candidate.

All candidates share the numbers of input and output gradient; each gets them in the memory layout that its
implementation declares. Making a closure does all set-up, so that only the call itself is ever timed.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from dyad_core.bench.candidates import DTYPES, WITH_GRADIENTS
from dyad_core.bench.spec import BenchmarkSpec, OptimizerName, Pass
from dyad_core.bench.timer import Call
from dyad_core.ops.registry import Layout

__all__ = [
    "Operands",
    "backward_call",
    "laid_out",
    "make_call",
    "make_optimizer",
    "operands",
    "reset_gradients",
    "run_pass",
    "wanting",
]


@dataclass(frozen=True)
class Operands:
    """What every candidate of a pass is fed.

    Attributes:
        input: (tokens, in_features); a leaf that wants its gradient in every pass but ``forward`` and ``decode``.
        grad_output: (tokens, out) in those passes, else None.
    """

    input: Tensor
    grad_output: Tensor | None


def operands(spec: BenchmarkSpec, pass_: Pass, seed: int | None = None) -> Operands:
    """Draw the shared input, and where gradients are wanted a fixed output gradient, from the seed."""
    device, dtype = torch.device(spec.device), DTYPES[spec.dtype]
    generator = torch.Generator(device).manual_seed(spec.seed if seed is None else seed)

    def draw(features: int) -> Tensor:
        return torch.randn(spec.tokens, features, generator=generator, device=device, dtype=dtype)

    inputs = draw(spec.in_features)
    if pass_ not in WITH_GRADIENTS:
        return Operands(inputs, None)
    out_features = spec.out_features if spec.module == "linear" else spec.in_features
    return Operands(inputs.requires_grad_(), draw(out_features))


def laid_out(fed: Operands, layout: Layout) -> Operands:
    """The same numbers in another memory layout: as they are, or as views whose transpose is contiguous.

    The gradient of the input keeps that layout, as it would in a network that uses it throughout.
    """
    if layout == "token_major":
        return fed

    def turned(values: Tensor) -> Tensor:
        return values.detach().T.contiguous().T

    inputs = turned(fed.input).requires_grad_(fed.input.requires_grad)
    return Operands(inputs, None if fed.grad_output is None else turned(fed.grad_output))


def run_pass(module: nn.Module, fed: Operands) -> Tensor:
    """Run forward, and backward where there is an output gradient; return the output, gradients in place.

    Without an output gradient it runs without autograd.
    """
    if fed.grad_output is None:
        with torch.no_grad():
            output: Tensor = module(fed.input)
            return output
    output = module(fed.input)
    output.backward(fed.grad_output)  # type: ignore[no-untyped-call]
    return output.detach()


def reset_gradients(module: nn.Module, fed: Operands) -> None:
    """Drop the gradients of every parameter and of the input."""
    for parameter in module.parameters():
        parameter.grad = None
    fed.input.grad = None


def make_optimizer(module: nn.Module, name: OptimizerName, *, capturable: bool = False) -> torch.optim.Optimizer | None:
    """The optimizer of a training step, with torch's own defaults and a learning rate of 0.

    That leaves the weights as they were checked, and costs what any other rate costs. ``capturable``: for a CUDA graph.
    """
    if name == "none":
        return None
    if name == "sgd":
        return torch.optim.SGD(module.parameters(), lr=0.0)
    return torch.optim.AdamW(module.parameters(), lr=0.0, capturable=capturable)


def make_call(
    module: nn.Module, fed: Operands, pass_: Pass = "forward", optimizer: torch.optim.Optimizer | None = None
) -> Call:
    """Return one pass as a closure without arguments, alike for the dense twin and every candidate.

    Gradients are dropped at the end of a step, inside the timed call: every call begins without any and none
    stays allocated while others are measured.
    """
    if pass_ in ("backward_input", "backward_weight"):
        return backward_call(module, fed, pass_)
    if fed.grad_output is None:
        return lambda: run_pass(module, fed)

    def step() -> Tensor:
        output = run_pass(module, fed)
        if optimizer is not None:
            optimizer.step()
        reset_gradients(module, fed)
        return output

    return step


def backward_call(module: nn.Module, fed: Operands, pass_: Pass) -> Call:
    """Backward alone, again and again through the graph of one forward that is made here.

    The forward is told which gradients will be asked for, as in a network where the others are frozen. Its saved
    activations stay alive as long as the closure does.
    """
    wanted: list[Tensor] = [fed.input] if pass_ == "backward_input" else list(module.parameters())
    with wanting(wanted, [fed.input, *module.parameters()]):
        output = module(fed.input)

    def backward() -> tuple[Tensor, ...]:
        return torch.autograd.grad(output, wanted, fed.grad_output, retain_graph=True)

    return backward


@contextmanager
def wanting(wanted: list[Tensor], leaves: list[Tensor]) -> Iterator[None]:
    """Let only ``wanted`` of ``leaves`` require gradients for a while."""
    before = [leaf.requires_grad for leaf in leaves]
    chosen = {id(leaf) for leaf in wanted}
    for leaf in leaves:
        leaf.requires_grad_(id(leaf) in chosen)
    try:
        yield
    finally:
        for leaf, required in zip(leaves, before, strict=True):
            leaf.requires_grad_(required)
