"""The oracle: any candidate read as a dense matrix, evaluated a few rows at a time.

Straight from the structure's definition (which output belongs to which block, at which position), independent
of how the layers compute. The dense weight is never whole: a 16384 → 65536 layer would be 8 GiB in float64.
Only the tests' reference implementation builds it whole, and a test holds the two against each other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dyad_core.bench.peers import FactoredLinear
from dyad_core.layers import DyadLinear

__all__ = [
    "CHUNK_ELEMENTS",
    "Component",
    "FactoredLayer",
    "Layer",
    "Trace",
    "dense_pass",
    "linear_layers",
    "read_layer",
]

CHUNK_ELEMENTS = 2**22
"""Weight entries held at a time: 32 MiB in float64."""


@dataclass(frozen=True)
class Component:
    """A weight parameter as rows of a dense matrix: row o holds ``weight[block[o], position[o]]`` at ``columns[block[o]]``."""

    weight: Tensor  # (blocks, block_out, block_in)
    gradient: Tensor | None
    block: Tensor  # (out,)
    position: Tensor  # (out,)
    columns: Tensor  # (blocks, block_in)


@dataclass(frozen=True)
class Layer:
    """One linear layer (dense or DYAD), read row by row."""

    in_features: int
    out_features: int
    bias: Tensor
    bias_gradient: Tensor | None
    components: tuple[Component, ...]

    def chunks(self) -> Iterator[Tensor]:
        """Output indices, a bounded number at a time."""
        step = max(1, CHUNK_ELEMENTS // self.in_features)
        for start in range(0, self.out_features, step):
            yield torch.arange(start, min(start + step, self.out_features), device=self.bias.device)

    def rows(self, index: Tensor, dtype: torch.dtype) -> Tensor:
        """Rows of the dense weight, (len(index), in_features), summed in float64 and then cast."""
        dense = torch.zeros(len(index), self.in_features, dtype=torch.float64, device=index.device)
        for part in self.components:
            values = part.weight[part.block[index], part.position[index]].double()  # (rows, block_in)
            dense.scatter_add_(1, part.columns[part.block[index]], values)
        return dense.to(dtype)

    def forward(self, inputs: Tensor) -> Tensor:
        """(t, in) → (t, out) in the dtype of ``inputs``."""
        bias = self.bias.to(inputs.dtype)
        parts = [F.linear(inputs, self.rows(index, inputs.dtype), bias[index]) for index in self.chunks()]
        return torch.cat(parts, dim=1)

    def backward(self, delta: Tensor) -> Tensor:
        """Gradient of the input, (t, out) → (t, in); products in the dtype of ``delta``, summed over chunks in float64."""
        total = torch.zeros(delta.shape[0], self.in_features, dtype=torch.float64, device=delta.device)
        for index in self.chunks():
            total += (delta[:, index] @ self.rows(index, delta.dtype)).double()
        return total.to(delta.dtype)


@dataclass(frozen=True)
class FactoredLayer(Layer):
    """A peer: its dense rows are products of factors, and its gradients arrive at the factors."""

    factors: tuple[nn.Parameter, ...]
    dense_rows: Callable[[Tensor, Sequence[Tensor]], Tensor]

    def rows(self, index: Tensor, dtype: torch.dtype) -> Tensor:
        """Rows of the dense weight, multiplied in float64 and then cast."""
        return self.dense_rows(index, [factor.detach().double() for factor in self.factors]).to(dtype)

    def factor_gradients(self, delta: Tensor, inputs: Tensor) -> list[Tensor]:
        """Gradients of the factors, float64: ``deltaᵀ · inputs`` in the dtype of ``delta``, then the product rule."""
        factors = [factor.detach().double().requires_grad_() for factor in self.factors]
        totals = [torch.zeros_like(factor) for factor in factors]
        for index in self.chunks():
            dense = (delta[:, index].T @ inputs).double()  # (rows, in)
            with torch.enable_grad():
                rows = self.dense_rows(index, factors)
            for total, part in zip(totals, torch.autograd.grad(rows, factors, dense), strict=True):
                total += part
        return totals


@dataclass
class Trace:
    """One dense evaluation: inputs of each layer, output, and for a step the gradients arriving at each layer."""

    inputs: list[Tensor] = field(default_factory=list)
    output: Tensor = field(default_factory=lambda: torch.empty(0))
    deltas: list[Tensor] = field(default_factory=list)
    grad_input: Tensor | None = None


@torch.no_grad()
def dense_pass(layers: list[Layer], inputs: Tensor, grad_output: Tensor | None) -> Trace:
    """Evaluate the module densely in the dtype of ``inputs``: layers with ReLU between them, and their backward."""
    trace = Trace(inputs=[inputs])
    for number, layer in enumerate(layers):
        trace.output = layer.forward(trace.inputs[number])
        if number < len(layers) - 1:
            trace.inputs.append(trace.output.relu())
    if grad_output is None:
        return trace
    delta = grad_output
    for number in reversed(range(len(layers))):
        trace.deltas.insert(0, delta)
        delta = layers[number].backward(delta)
        if number > 0:
            delta = delta * (trace.inputs[number] > 0)
    trace.grad_input = delta
    return trace


def linear_layers(module: nn.Module) -> list[nn.Module]:
    """The linear layers of a candidate, in order."""
    if isinstance(module, nn.Linear | DyadLinear | FactoredLinear):
        return [module]
    return [module.get_submodule("fc1"), module.get_submodule("fc2")]


def read_layer(layer: nn.Module) -> Layer:
    """Read a linear layer as rows of a dense matrix, gradients included where there are any."""
    if isinstance(layer, nn.Linear):
        device = layer.weight.device
        outputs = torch.arange(layer.out_features, device=device)
        columns = torch.arange(layer.in_features, device=device)[None]
        parts = [_component(layer.weight, torch.zeros_like(outputs), outputs, columns)]
        return _layer(layer, parts)
    if isinstance(layer, FactoredLinear):
        gradient = None if layer.bias.grad is None else layer.bias.grad.detach()
        sizes = layer.in_features, layer.out_features
        return FactoredLayer(*sizes, layer.bias.detach(), gradient, (), layer.factors(), layer.dense_rows)
    if not isinstance(layer, DyadLinear):
        msg = f"expected nn.Linear, DyadLinear or a peer, received {type(layer).__name__}"
        raise TypeError(msg)
    geometry, device = layer.geometry, layer.weight_blockdiag.device
    outputs = torch.arange(geometry.out_features, device=device)
    columns = torch.arange(geometry.in_features, device=device).view(geometry.n_blocks, -1)
    parts = [_component(layer.weight_blockdiag, outputs // geometry.block_out, outputs % geometry.block_out, columns)]
    if layer.weight_blocktrans is not None:
        index = outputs.cpu().numpy()
        block = torch.from_numpy(geometry.output_side.group(index)).to(device)
        position = torch.from_numpy(geometry.output_side.position(index)).to(device)
        columns = torch.from_numpy(geometry.input_side.members()).to(device)
        parts.append(_component(layer.weight_blocktrans, block, position, columns))
    return _layer(layer, parts)


def _component(parameter: Tensor, block: Tensor, position: Tensor, columns: Tensor) -> Component:
    shaped = (len(columns), -1, columns.shape[1])
    gradient = None if parameter.grad is None else parameter.grad.detach().reshape(shaped)
    return Component(parameter.detach().reshape(shaped), gradient, block, position, columns)


def _layer(layer: nn.Linear | DyadLinear, parts: list[Component]) -> Layer:
    if layer.bias is None:
        msg = "candidates are built with a bias"
        raise TypeError(msg)
    gradient = None if layer.bias.grad is None else layer.bias.grad.detach()
    return Layer(layer.in_features, layer.out_features, layer.bias.detach(), gradient, tuple(parts))
