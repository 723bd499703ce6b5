"""What candidates are fed, and each pass as a closure: alike for the dense twin and every candidate.

All candidates share the numbers of input and output gradient; each gets them in the memory layout that its
implementation declares. Making a closure does all set-up, so that only the call itself is ever timed.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from dyad_core.bench.candidates import DTYPES
from dyad_core.bench.spec import BenchmarkSpec, Pass
from dyad_core.bench.timer import Call
from dyad_core.ops.registry import Layout

__all__ = ["Operands", "laid_out", "make_call", "operands", "reset_gradients", "run_pass"]


@dataclass(frozen=True)
class Operands:
    """What every candidate of a pass is fed.

    Attributes:
        input: (tokens, in_features); a leaf that wants its gradient in ``train_step``.
        grad_output: (tokens, out) in ``train_step``, else None.
    """

    input: Tensor
    grad_output: Tensor | None


def operands(spec: BenchmarkSpec, pass_: Pass) -> Operands:
    """Draw the shared input, and for ``train_step`` a fixed output gradient, from the seed."""
    device, dtype = torch.device(spec.device), DTYPES[spec.dtype]
    generator = torch.Generator(device).manual_seed(spec.seed)

    def draw(features: int) -> Tensor:
        return torch.randn(spec.tokens, features, generator=generator, device=device, dtype=dtype)

    inputs = draw(spec.in_features)
    if pass_ != "train_step":
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
    """Run one pass and return the output; after a ``train_step`` the gradients are in place.

    ``forward`` runs without autograd. ``train_step`` is forward and backward from the given output gradient,
    for the gradients of every parameter and of the input; there is no optimizer in it.
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


def make_call(module: nn.Module, fed: Operands) -> Call:
    """Return one pass as a closure without arguments, alike for the dense twin and every candidate.

    Gradients are dropped at the end of a step, inside the timed call: every call begins without any and none
    stays allocated while others are measured.
    """
    if fed.grad_output is None:
        return lambda: run_pass(module, fed)

    def step() -> None:
        run_pass(module, fed)
        reset_gradients(module, fed)

    return step
