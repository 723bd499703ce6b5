"""Does a function compute the layer? Values and gradients held against the index definition in float64.

For implementations whose code is made on the user's machine: a compiler is not trusted. (``max-autotune`` with
freezing, torch 2.13, once gave outputs that were off by five standard deviations.) The operands are drawn at the
real sizes; up to 128 tokens are compared, so that the check of a large layer needs no float64 copy of its
activations. The output gradient is zero elsewhere, so the gradients of the weights depend on those tokens alone.

The tolerance is the benchmark's: four times the error that the same sums make in the same dtype, plus a floor.
The sums run over the pattern only; the zeros that a dense weight has elsewhere would add no rounding.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from dyad_core.geometry import DyadGeometry
from dyad_core.ops.reference import component_index

__all__ = ["Backward", "Forward", "backward_disagreement", "by_index", "forward_disagreement", "rounding_floor"]

CHECKED_TOKENS = 128
TOLERANCE_FACTOR = 4.0

Forward = Callable[[Tensor, Tensor, Tensor | None, Tensor | None], Tensor]
"""(input, weight_blockdiag, weight_blocktrans, bias) → output."""

Backward = Callable[[Tensor, Tensor, Tensor, Tensor | None], "list[Tensor | None]"]
"""(output gradient, input, weight_blockdiag, weight_blocktrans) → gradients of input, both weights and bias."""


@dataclass(frozen=True)
class Drawn:
    """Operands of one check, and the rows that are compared."""

    input: Tensor  # (T, in_features)
    weight_blockdiag: Tensor
    weight_blocktrans: Tensor | None
    bias: Tensor | None
    grad: Tensor  # (T, out_features), zero outside of rows
    rows: Tensor

    def exact(self) -> tuple[list[Tensor | None], Tensor]:
        """Compared operands in float64 on the CPU, leaves of a graph, and the output gradient."""
        tensors = (self.input[self.rows], self.weight_blockdiag, self.weight_blocktrans, self.bias)
        leaves = [None if tensor is None else tensor.cpu().double().requires_grad_() for tensor in tensors]
        return leaves, self.grad[self.rows].cpu().double()


def by_index(
    input: Tensor,
    weight_blockdiag: Tensor,
    weight_blocktrans: Tensor | None,
    bias: Tensor | None,
    geometry: DyadGeometry,
) -> Tensor:
    """The layer straight from the indices of :mod:`dyad_core.geometry`, without the dense matrix."""
    output = input.new_zeros(input.shape[0], geometry.out_features)
    for component, weight in (("blockdiag", weight_blockdiag), ("blocktrans", weight_blocktrans)):
        if weight is not None:
            outputs, inputs = component_index(geometry, component, input.device)
            gathered = input[:, inputs.squeeze(1)].transpose(0, 1)  # (n, T, block_in)
            parts = torch.bmm(gathered, weight.mT).transpose(0, 1).flatten(1)  # (T, out_features), by groups
            output = output.index_add(1, outputs.flatten(), parts)
    return output if bias is None else output + bias


def forward_disagreement(
    forward: Forward, geometry: DyadGeometry, tokens: int, dtype: torch.dtype, device: torch.device, *, bias: bool
) -> str | None:
    """Say how ``forward`` is wrong, with figures, or return None when it is right."""
    drawn = _draw(geometry, tokens, dtype, device, bias=bias)
    got = forward(drawn.input, drawn.weight_blockdiag, drawn.weight_blocktrans, drawn.bias)
    if got.shape != (tokens, geometry.out_features) or got.dtype != dtype:
        return f"the output is {tuple(got.shape)} {got.dtype} instead of {(tokens, geometry.out_features)} {dtype}"
    leaves, _ = drawn.exact()
    same = by_index(drawn.input[drawn.rows], drawn.weight_blockdiag, drawn.weight_blocktrans, drawn.bias, geometry)
    return _difference("output", got[drawn.rows], _apply(leaves, geometry), same, geometry)


def backward_disagreement(
    backward: Backward,
    geometry: DyadGeometry,
    tokens: int,
    dtype: torch.dtype,
    device: torch.device,
    wanted: tuple[bool, ...],
) -> str | None:
    """Say how a gradient of ``backward`` is wrong, with figures, or return None when all ``wanted`` ones are right."""
    drawn = _draw(geometry, tokens, dtype, device, bias=True)
    got = backward(drawn.grad, drawn.input, drawn.weight_blockdiag, drawn.weight_blocktrans)
    leaves, grad = drawn.exact()
    exact = _gradients(leaves, grad, geometry)
    tensors = (drawn.input[drawn.rows], drawn.weight_blockdiag, drawn.weight_blocktrans, drawn.bias)
    same = _gradients(
        [None if tensor is None else tensor.clone().requires_grad_() for tensor in tensors],
        drawn.grad[drawn.rows],
        geometry,
    )
    names = ("input gradient", "gradient of weight_blockdiag", "gradient of weight_blocktrans", "bias gradient")
    for place, name in enumerate(names):
        oracle, received = exact[place], got[place]
        if oracle is None or not wanted[place]:
            continue
        if received is None:
            return f"the {name} is missing"
        compared = received[drawn.rows] if place == 0 else received
        wrong = _difference(name, compared, oracle, same[place], geometry)
        if wrong is not None:
            return wrong
    return None


def rounding_floor(dtype: torch.dtype, summed: int) -> float:
    """Relative difference that two correct sums of ``summed`` products in ``dtype`` may always have.

    Two roundings of the result, and √summed roundings of the type the products are summed in (float32 for the
    16-bit types).
    """
    summing = torch.float64 if dtype == torch.float64 else torch.float32
    return 2 * torch.finfo(dtype).eps + math.sqrt(summed) * torch.finfo(summing).eps


def _draw(geometry: DyadGeometry, tokens: int, dtype: torch.dtype, device: torch.device, *, bias: bool) -> Drawn:
    generator = torch.Generator().manual_seed(0)

    def normal(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator, device="cpu", dtype=torch.float32).to(device, dtype)

    rows = torch.randperm(tokens, generator=generator, device="cpu")[:CHECKED_TOKENS].sort().values.to(device)
    grad = torch.zeros(tokens, geometry.out_features, dtype=dtype, device=device)
    grad[rows] = normal(len(rows), geometry.out_features)
    return Drawn(
        normal(tokens, geometry.in_features),
        normal(*geometry.weight_shape) / math.sqrt(geometry.block_in),
        None if geometry.variant == "bd" else normal(*geometry.weight_shape) / math.sqrt(geometry.block_in),
        normal(geometry.out_features) if bias else None,
        grad,
        rows,
    )


def _apply(leaves: list[Tensor | None], geometry: DyadGeometry) -> Tensor:
    input_, blockdiag, blocktrans, bias = leaves
    if input_ is None or blockdiag is None:
        msg = "a check needs an input and a weight"
        raise ValueError(msg)
    return by_index(input_, blockdiag, blocktrans, bias, geometry)


def _gradients(leaves: list[Tensor | None], grad: Tensor, geometry: DyadGeometry) -> list[Tensor | None]:
    with torch.enable_grad():
        output = _apply(leaves, geometry)
    present = [leaf for leaf in leaves if leaf is not None]
    found = iter(torch.autograd.grad(output, present, grad))
    return [None if leaf is None else next(found) for leaf in leaves]


def _difference(
    name: str, got: Tensor, oracle: Tensor, same_dtype: Tensor | None, geometry: DyadGeometry
) -> str | None:
    oracle = oracle.detach()
    largest = float(oracle.abs().max()) or 1.0

    def error(tensor: Tensor) -> float:
        return float((tensor.detach().cpu().double() - oracle).abs().max()) / largest

    usual = 0.0 if same_dtype is None else error(same_dtype)
    summed = max(CHECKED_TOKENS, geometry.in_features, geometry.out_features)
    tolerance = TOLERANCE_FACTOR * usual + rounding_floor(got.dtype, summed)
    found = error(got)
    if found <= tolerance:  # a NaN is never within
        return None
    return f"the {name} is off by {found:.2g} of its largest value; {tolerance:.2g} is allowed, for {got.dtype} itself makes {usual:.2g}"
