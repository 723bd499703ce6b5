"""``compiled``: the layer through ``torch.compile``, forward and backward each one compiled function.

The compiler fuses the gather, the sum of both components, the scatter and the bias; the products stay calls of the
BLAS. Every form is checked before it is offered, see :mod:`dyad_core.ops.compiled_forms`. The first call with new
sizes, dtype or device takes seconds; other token counts take none. While something around the layer is being
compiled or exported, this implementation is plain operations for that compiler to see.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import is_in_torch_dispatch_mode

from dyad_core.geometry import Variant
from dyad_core.ops.compiled_forms import backward_form, forward_form, unavailable
from dyad_core.ops.layout import is_direct
from dyad_core.ops.plain import gradients, linear_plain
from dyad_core.ops.registry import Implementation, register

__all__ = ["linear_compiled"]


class CompiledLinear(torch.autograd.Function):
    """The compiled product with its compiled backward; both fall back to plain operations to be differentiated."""

    @staticmethod
    def forward(
        input: Tensor,
        weight_blockdiag: Tensor,
        weight_blocktrans: Tensor | None,
        bias: Tensor | None,
        variant: Variant,
        grain: int,
    ) -> Tensor:
        """Compute the layer; (T, in_features) → (T, out_features)."""
        form = forward_form(input, weight_blockdiag, bias, variant, grain)
        return form(input, weight_blockdiag, weight_blocktrans, bias)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:  # noqa: ARG004 - torch's signature
        """Save the input and the weights: no activation beyond what the dense twin saves."""
        input_, weight_blockdiag, weight_blocktrans, _, ctx.variant, ctx.grain = inputs
        ctx.save_for_backward(input_, weight_blockdiag, weight_blocktrans)
        ctx.save_for_forward(input_, weight_blockdiag, weight_blocktrans)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        """Gradients of input, both weights and bias."""
        (grad,) = grads  # (T, out_features)
        input_, weight_blockdiag, weight_blocktrans = ctx.saved_tensors
        wanted = tuple(ctx.needs_input_grad[:4])
        if torch.is_grad_enabled() or not compiles(grad, input_, weight_blockdiag, weight_blocktrans):
            # Asked for a graph of the gradients (double backward): compiled code has none.
            found = gradients(grad, input_, weight_blockdiag, weight_blocktrans, ctx.variant, ctx.grain, wanted)
        else:
            form = backward_form(input_, weight_blockdiag, wanted, ctx.variant, ctx.grain)
            found = form(grad, input_, weight_blockdiag, weight_blocktrans)
        return (*found, None, None)

    @staticmethod
    def jvp(ctx: Any, *tangents: Tensor | None) -> Tensor:
        """Forward-mode derivative, by the product rule of the two factors."""
        input_, weight_blockdiag, weight_blocktrans = ctx.saved_tensors
        in_, blockdiag, blocktrans, bias = tangents[:4]
        settings = (ctx.variant, ctx.grain)
        zeros = torch.zeros_like
        moved = zeros(input_) if in_ is None else in_
        turned = zeros(weight_blockdiag) if blockdiag is None else blockdiag
        turned_trans = blocktrans
        if blocktrans is None and weight_blocktrans is not None:
            turned_trans = zeros(weight_blocktrans)
        first = linear_plain(moved, weight_blockdiag, weight_blocktrans, bias, *settings)
        return first + linear_plain(input_, turned, turned_trans, None, *settings)

    @staticmethod
    def vmap(info: Any, in_dims: tuple[int | None, ...], *operands: Any) -> tuple[Tensor, int]:  # noqa: ARG004 - torch's signature
        """Map over a batch: more rows when only the input has one, plain operations otherwise."""
        input_, weight_blockdiag, weight_blocktrans, bias, variant, grain = operands
        dims = in_dims[:4]
        if dims[0] is not None and dims[1:] == (None, None, None):
            batched = input_.movedim(dims[0], 0)  # (B, T, in_features)
            rows = batched.flatten(0, 1)
            output = linear_compiled(rows, weight_blockdiag, weight_blocktrans, bias, variant, grain)
            return torch.unflatten(output, 0, batched.shape[:2]), 0
        mapped = torch.vmap(functools.partial(linear_plain, variant=variant, grain=grain), in_dims=dims)
        return mapped(input_, weight_blockdiag, weight_blocktrans, bias), 0


class DirectCompiledLinear(torch.autograd.Function):
    """The same without function transforms: a function with ``setup_context`` costs 100 µs a call (torch 2.13)."""

    @staticmethod
    def forward(ctx: Any, *operands: Any) -> Tensor:
        """Compute the layer; operands as in :func:`linear_compiled`."""
        CompiledLinear.setup_context(ctx, operands, operands[0])
        return CompiledLinear.forward(*operands)

    backward = CompiledLinear.backward


def linear_compiled(
    input: Tensor,
    weight_blockdiag: Tensor,
    weight_blocktrans: Tensor | None,
    bias: Tensor | None,
    variant: Variant,
    grain: int,
) -> Tensor:
    """Compute the layer by compiled code; (T, in_features) → (T, out_features), differentiable twice.

    Raises:
        ImplementationError: the compiler failed, or what it made is wrong; the message says which, with figures.
    """
    if not compiles(input, weight_blockdiag, weight_blocktrans, bias):
        return linear_plain(input, weight_blockdiag, weight_blocktrans, bias, variant, grain)
    operands = (input, weight_blockdiag, weight_blocktrans, bias)
    apply: Callable[..., Tensor] = CompiledLinear.forward
    if not is_direct():
        apply = CompiledLinear.apply
    elif torch.is_grad_enabled() and any(tensor is not None and tensor.requires_grad for tensor in operands):
        apply = DirectCompiledLinear.apply
    return apply(*operands, variant, grain)


def compiles(input: Tensor, *operands: Tensor | None) -> bool:
    """Whether there is anything to compile for: numbers in memory, and no compiler or counter that wants to see them."""
    if (
        torch.compiler.is_compiling()
        or input.shape[0] == 0
        or input.device.type == "meta"
        or is_in_torch_dispatch_mode()
    ):
        return False
    return all(type(tensor) in (Tensor, torch.nn.Parameter) for tensor in (input, *operands) if tensor is not None)


register(
    Implementation(
        name="compiled",
        summary="torch.compile of forward and backward, each form checked before it is used; compiles for seconds",
        apply=linear_compiled,
        unavailable=unavailable,
        activation_copies=2,
    )
)
