"""The feed-forward pair as one function: fc1, activation, fc2 with a hidden activation that lies feature-major.

Two layers in a row would each gather or scatter the wide hidden side. Here it is written once, in the layout in which
the second layer and both weight gradients read it (:mod:`dyad_core.ops.feature_major`).

Saved for the backward: input, hidden activation (for gelu and silu what went into it too), as the dense twin does,
and one gathered copy of the narrow input where fc1 interleaves it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from dyad_core.geometry import Variant
from dyad_core.ops.feature_major import from_hidden, narrow_groups, to_hidden, weight_gradient
from dyad_core.ops.layout import TRANSPOSED, neighbours
from dyad_core.ops.plain import linear_plain

__all__ = ["ACTIVATIONS", "PLANNED_TOKENS", "Activation", "feed_forward"]

Layer = tuple[Tensor, Tensor | None, Tensor | None]
"""BLOCKDIAG, BLOCKTRANS (None for ``bd``) and bias (or None)."""

Activation = Literal["relu", "gelu", "silu"]
ACTIVATIONS: Mapping[str, Callable[[Tensor], Tensor]] = {"relu": F.relu, "gelu": F.gelu, "silu": F.silu}

PLANNED_TOKENS = 32
"""With fewer tokens two layers are level or faster: weights on the left, no autograd function to set up."""

# Tokens are taken in parts whose hidden activation is near the processor's cache. Tried for the training step with
# 2048 tokens (Zen 4, float32, one thread, process time): 8 and 16 MiB are level, and 0.02 to 0.06 of the limit
# better than all at once; 4 MiB is worse.
HIDDEN_BYTES = 12 << 20


def feed_forward(
    input: Tensor,
    first: Layer,
    second: Layer,
    variants: tuple[Variant, Variant],
    grain: int,
    activation: Activation,
) -> Tensor:
    """Compute fc2(activation(fc1(x))), (T, features) → (T, features), differentiable twice.

    Args:
        input: (T, features).
        first: BLOCKDIAG, BLOCKTRANS (None for ``bd``) and bias (or None) of fc1.
        second: the same of fc2.
        variants: of fc1 and fc2.
        grain: of both.
        activation: ``"relu"``, ``"gelu"`` or ``"silu"``.
    """
    parameters = (*first, *second)
    if torch.is_grad_enabled() and any(t is not None and t.requires_grad for t in (input, *parameters)):
        parts = [
            FeedForward.apply(part, *parameters, variants, grain, activation)  # type: ignore[no-untyped-call] # torch types Function.apply so
            for part in torch.split(input, tokens_at_once(input, first[0]))
        ]
        return parts[0] if len(parts) == 1 else torch.cat(parts)
    output = input.new_empty(input.shape[0], second[0].shape[0] * second[0].shape[1])
    step = tokens_at_once(input, first[0])
    for part, target in zip(torch.split(input, step), torch.split(output, step), strict=True):
        hidden = part.new_empty(first[0].shape[0] * first[0].shape[1], part.shape[0])
        to_hidden(hidden, part, _groups(part, first, variants[0], grain), first[:2], first[2], variants[0], grain)
        from_hidden(target, activate_(hidden, activation), second[:2], second[2], variants[1], grain)
    return output


def tokens_at_once(input: Tensor, weight: Tensor) -> int:
    """Tokens of one part; a GPU takes all, for each part would be more launches."""
    tokens = max(1, input.shape[0])
    if input.device.type != "cpu":
        return tokens
    hidden_bytes = tokens * weight.shape[0] * weight.shape[1] * input.element_size()
    return math.ceil(tokens / math.ceil(hidden_bytes / HIDDEN_BYTES))


def layered(
    input: Tensor,
    first: Layer,
    second: Layer,
    variants: tuple[Variant, Variant],
    grain: int,
    activation: Activation,
) -> Tensor:
    """Compute the same by two layers out of place; what derivatives of higher order go through."""
    hidden = ACTIVATIONS[activation](linear_plain(input, *first, variants[0], grain))
    return linear_plain(hidden, *second, variants[1], grain)


def activate_(hidden: Tensor, activation: Activation) -> Tensor:
    """Apply the activation, in place where torch can."""
    if activation == "relu":
        return hidden.relu_()
    return F.silu(hidden, inplace=True) if activation == "silu" else F.gelu(hidden)


def activation_gradient(grad: Tensor, before: Tensor, after: Tensor, activation: Activation) -> Tensor:
    """Gradient of the activation's input, (hidden, T); relu needs only its own output."""
    found: Tensor
    if activation == "relu":
        found = torch.ops.aten.threshold_backward(grad, after, 0)
    elif activation == "silu":
        found = torch.ops.aten.silu_backward(grad, before)
    else:
        found = torch.ops.aten.gelu_backward(grad, before)
    return found


def _groups(input: Tensor, first: Layer, variant: Variant, grain: int) -> Tensor | None:
    if first[1] is None:
        return None
    return narrow_groups(input, first[0], grain, is_interleaved=variant in ("it", "dt"))


class FeedForward(torch.autograd.Function):
    """The pair with its backward; see the module's docstring."""

    @staticmethod
    def forward(ctx: Any, *operands: Any) -> Tensor:
        """Compute the pair; operands as in :func:`feed_forward`, flattened."""
        input, first, second, variants, grain, activation = _unpacked(operands)
        groups = _groups(input, first, variants[0], grain)
        before = input.new_empty(first[0].shape[0] * first[0].shape[1], input.shape[0])
        to_hidden(before, input, groups, first[:2], first[2], variants[0], grain)
        after = before.relu_() if activation == "relu" else ACTIVATIONS[activation](before)
        output: Tensor = input.new_empty(input.shape[0], second[0].shape[0] * second[0].shape[1])
        from_hidden(output, after, second[:2], second[2], variants[1], grain)
        gathered = groups if variants[0] in ("it", "dt") else None
        ctx.save_for_backward(*operands[:7], gathered, None if activation == "relu" else before, after)
        ctx.settings = variants, grain, activation
        return output

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        """Gradients of input, weights and biases; under ``create_graph`` through the out-of-place form."""
        (grad,) = grads  # (T, features)
        *operands, groups, before, after = ctx.saved_tensors
        if torch.is_grad_enabled():
            return (*_differentiable(ctx, operands, grad), None, None, None)
        input, first, second, variants, grain, activation = _unpacked((*operands, *ctx.settings))
        needs = ctx.needs_input_grad
        grad = grad.contiguous()
        n = first[0].shape[0]
        found: list[Tensor | None] = [None] * 7
        outer = grain if variants[1] in ("ot", "dt") else None
        inner = grain if variants[1] in ("it", "dt") else None
        grad_groups = None if second[1] is None else narrow_groups(grad, second[0], grain, is_interleaved=bool(outer))
        if needs[4]:
            found[4] = weight_gradient(after, neighbours(grad, n), None, hidden_first=False)
        if needs[5] and grad_groups is not None:
            found[5] = weight_gradient(after, grad_groups, inner, hidden_first=False)
        if needs[6]:
            found[6] = grad.sum(0)
        if not any(needs[:4]):
            return (*found, None, None, None)
        grad_after = torch.empty_like(after)
        to_hidden(grad_after, grad, grad_groups, _transposed(second), None, TRANSPOSED[variants[1]], grain)
        grad_before = activation_gradient(grad_after, before, after, activation)
        del grad_after
        if needs[0]:
            found[0] = grad_input = torch.empty_like(input, memory_format=torch.contiguous_format)
            from_hidden(grad_input, grad_before, _transposed(first), None, TRANSPOSED[variants[0]], grain)
        if needs[1]:
            found[1] = weight_gradient(grad_before, neighbours(input, n), None, hidden_first=True)
        if needs[2]:
            groups = neighbours(input, n) if groups is None else groups
            rows = grain if variants[0] in ("ot", "dt") else None
            found[2] = weight_gradient(grad_before, groups, rows, hidden_first=True)
        if needs[3]:
            found[3] = grad_before.sum(1)
        return (*found, None, None, None)


def _unpacked(operands: Any) -> Any:
    input, *parameters = operands[:7]
    return input, tuple(parameters[:3]), tuple(parameters[3:]), *operands[7:]


def _transposed(weights: Layer) -> tuple[Tensor, Tensor | None]:
    return weights[0].mT, None if weights[1] is None else weights[1].mT


def _differentiable(ctx: Any, operands: list[Tensor | None], grad: Tensor) -> list[Tensor | None]:
    with torch.enable_grad():
        leaves = [None if tensor is None else tensor.view_as(tensor) for tensor in operands]
        output = layered(*_unpacked((*leaves, *ctx.settings)))
    wanted = [leaf for leaf, needed in zip(leaves, ctx.needs_input_grad, strict=False) if needed and leaf is not None]
    gradients = iter(torch.autograd.grad(output, wanted, grad, create_graph=True))
    return [next(gradients) if needed else None for needed in ctx.needs_input_grad[:7]]
