"""Is it the right answer? Asked of every candidate before any timing; one that fails gets no speed.

The oracle is float64 and dense, straight from the structure's definition. It takes the weight a few rows at
a time, so that the check of a large layer needs no float64 copy of it. Each candidate runs its real pass at
its real size; up to 128 tokens of it, drawn with the seed, are compared. For ``train_step`` the output gradient
is zero elsewhere, so the weight gradients depend on those tokens alone and the oracle stays cheap.

The tolerance comes from the machine, not from a table: four times the error that the dense product of the
*same* weight makes in the same dtype, plus a floor for lucky small cases.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from dyad_core.bench.oracle import FactoredLayer, Layer, Trace, dense_pass, linear_layers, read_layer
from dyad_core.bench.passes import Operands, reset_gradients, run_pass
from dyad_core.bench.results import Correctness
from dyad_core.ops.agreement import rounding_floor

__all__ = ["CHECKED_TOKENS", "Checked", "check"]

CHECKED_TOKENS = 128
TOLERANCE_FACTOR = 4.0


@dataclass(frozen=True)
class Checked:
    """Result of the check and, when it failed, a sentence that says what was wrong."""

    correctness: Correctness
    detail: str = ""


@dataclass
class Quantity:
    """Largest differences from the oracle of one quantity, gathered chunk by chunk."""

    largest: float = 0.0
    candidate: float = 0.0
    dense: float = 0.0

    def add(self, oracle: Tensor, candidate: Tensor | None = None, dense: Tensor | None = None) -> None:
        """Take one more chunk; shapes equal ``oracle``'s. A NaN stays."""
        self.largest = _larger(self.largest, oracle)
        if candidate is not None:
            self.candidate = _larger(self.candidate, candidate.double() - oracle)
        if dense is not None:
            self.dense = _larger(self.dense, dense.double() - oracle)

    def relative(self, difference: float) -> float:
        """A difference as a share of the largest value of the oracle."""
        return difference / self.largest if self.largest else difference


def _larger(known: float, values: Tensor) -> float:
    found = float(values.abs().max()) if values.numel() else 0.0
    return math.nan if math.isnan(found) or math.isnan(known) else max(known, found)


def check(module: nn.Module, fed: Operands, *, seed: int) -> Checked:
    """Run one pass of ``module`` and hold outputs and, for a step, all gradients against the oracle.

    The gradients of ``module`` and input are None afterwards, its parameters as they were.

    Args:
        module: a candidate or the dense twin.
        fed: the operands it will be timed with.
        seed: draws the compared tokens and the output gradient's place.
    """
    rows = drawn_rows(fed.input.shape[0], seed).to(fed.input.device)
    if fed.grad_output is None:
        return _compare(module, fed, rows)
    masked = torch.zeros_like(fed.grad_output)
    masked[rows] = fed.grad_output[rows]
    with decided_activations(module, fed.input.detach()[rows], seed):
        try:
            return _compare(module, Operands(fed.input, masked), rows)
        finally:
            reset_gradients(module, fed)


def drawn_rows(tokens: int, seed: int) -> Tensor:
    """Indices of the compared tokens, ascending: at most 128, all of them when there are fewer."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randperm(tokens, generator=generator)[:CHECKED_TOKENS].sort().values


@contextmanager
def decided_activations(module: nn.Module, inputs: Tensor, seed: int) -> Iterator[None]:
    """Give each hidden unit of a feed-forward a bias that puts it clearly on or off, and take it back afterwards.

    ReLU's gradient jumps at zero: one hidden value that rounds to the other side changes a gradient by far more
    than rounding does, in a correct candidate too. With |bias| above every product no value comes near.
    """
    first = getattr(module, "fc1", None)
    if first is None:
        yield
        return
    layer = read_layer(first)
    kept = layer.bias.clone()
    with torch.no_grad():
        products = layer.forward(inputs.double()) - kept.double()
        generator = torch.Generator().manual_seed(seed)
        signs = torch.randint(0, 2, kept.shape, generator=generator).to(kept.device) * 2 - 1
        layer.bias.copy_(signs * 1.5 * products.abs().max())
    try:
        yield
    finally:
        with torch.no_grad():
            layer.bias.copy_(kept)


def _compare(module: nn.Module, fed: Operands, rows: Tensor) -> Checked:
    output = run_pass(module, fed)
    inputs = fed.input.detach()[rows]
    grad_output = None if fed.grad_output is None else fed.grad_output[rows]
    layers = [read_layer(layer) for layer in linear_layers(module)]
    expected_shape = (fed.input.shape[0], layers[-1].out_features)
    if tuple(output.shape) != expected_shape:
        wrong = Correctness(passed=False, error=None, tolerance=0.0, dense_error=0.0)
        return Checked(wrong, f"the output has shape {tuple(output.shape)} instead of {expected_shape}")
    oracle = dense_pass(layers, inputs.double(), None if grad_output is None else grad_output.double())
    same_dtype = dense_pass(layers, inputs, grad_output)

    found = {"output": Quantity()}
    found["output"].add(oracle.output, output[rows], same_dtype.output)
    if oracle.grad_input is not None:
        got = _or_nan(fed.input.grad, fed.input)[rows]
        found["input gradient"] = Quantity()
        found["input gradient"].add(oracle.grad_input, got, same_dtype.grad_input)
    for number, layer in enumerate(layers if oracle.deltas else []):
        compare = factor_gradients if isinstance(layer, FactoredLayer) else weight_gradients
        found |= compare(layer, number, oracle, same_dtype)
    summed = max(len(rows), *(max(layer.in_features, layer.out_features) for layer in layers))
    return judge(found, rounding_floor(output.dtype, summed))


def weight_gradients(layer: Layer, number: int, oracle: Trace, same_dtype: Trace) -> dict[str, Quantity]:
    """Compare the gradients of weight and bias of one layer with ``deltaᵀ · inputs``, a few rows at a time."""
    weight = Quantity()
    for index in layer.chunks():
        dense = oracle.deltas[number][:, index].T @ oracle.inputs[number]  # (rows, in)
        weight.add(dense, dense=same_dtype.deltas[number][:, index].T @ same_dtype.inputs[number])
        for part in layer.components:
            expected = dense.gather(1, part.columns[part.block[index]])  # (rows, block_in)
            weight.add(expected, _or_nan(part.gradient, part.weight)[part.block[index], part.position[index]])
    return {f"weight gradient of layer {number + 1}": weight, **bias_gradient(layer, number, oracle, same_dtype)}


def factor_gradients(layer: Layer, number: int, oracle: Trace, same_dtype: Trace) -> dict[str, Quantity]:
    """Compare the gradients of the factors of a peer, and of its bias."""
    if not isinstance(layer, FactoredLayer):
        msg = "only a peer has factors"
        raise TypeError(msg)
    found = bias_gradient(layer, number, oracle, same_dtype)
    exact = layer.factor_gradients(oracle.deltas[number], oracle.inputs[number])
    rounded = layer.factor_gradients(same_dtype.deltas[number], same_dtype.inputs[number])
    for place, (factor, expected, dense) in enumerate(zip(layer.factors, exact, rounded, strict=True), start=1):
        quantity = found[f"gradient of factor {place} of layer {number + 1}"] = Quantity()
        quantity.add(expected, _or_nan(factor.grad, factor), dense)
    return found


def bias_gradient(layer: Layer, number: int, oracle: Trace, same_dtype: Trace) -> dict[str, Quantity]:
    """Compare the gradient of the bias of one layer."""
    bias = Quantity()
    got = _or_nan(layer.bias_gradient, layer.bias)
    bias.add(oracle.deltas[number].sum(0), got, same_dtype.deltas[number].sum(0))
    return {f"bias gradient of layer {number + 1}": bias}


def _or_nan(gradient: Tensor | None, like: Tensor) -> Tensor:
    """A gradient that never came is not a number, so it fails the check."""
    return torch.full_like(like, math.nan, requires_grad=False) if gradient is None else gradient


def judge(found: dict[str, Quantity], floor: float) -> Checked:
    """Pass or fail: every quantity within its own tolerance. The record shows the one nearest to, or most beyond, it."""
    worst, worst_ratio, detail, passed = None, -1.0, "", True
    for name, quantity in found.items():
        error, dense = quantity.relative(quantity.candidate), quantity.relative(quantity.dense)
        tolerance = TOLERANCE_FACTOR * dense + floor
        passed = passed and error <= tolerance  # a NaN is never within
        ratio = error / tolerance if math.isfinite(error) else math.inf
        if ratio > worst_ratio:
            worst_ratio, worst = ratio, (error if math.isfinite(error) else None, tolerance, dense)
            amount = "not a finite number" if worst[0] is None else f"off by {error:.2g} of its largest value"
            detail = f"the {name} is {amount}; {tolerance:.2g} is allowed"
    if worst is None:
        msg = "nothing was compared"
        raise ValueError(msg)
    return Checked(Correctness(passed, *worst), "" if passed else detail)
