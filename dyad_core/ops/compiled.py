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
from dyad_core.ops.backward import gradients, learns, mapped, save_operands
from dyad_core.ops.compiled_forms import backward_form, forward_form, unavailable
from dyad_core.ops.layout import is_direct, is_forward_mode
from dyad_core.ops.plain import linear_plain, linear_traced
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

    setup_context = staticmethod(save_operands)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        """Gradients of input, both weights and bias."""
        (grad,), saved = grads, ctx.saved_tensors  # (T, out_features); input, both weights
        wanted = tuple(ctx.needs_input_grad[:4])
        if torch.is_grad_enabled() or not compiles(grad, *saved):
            # Asked for a graph of the gradients (double backward): compiled code has none.
            found = gradients(linear_plain, grad, saved, ctx.variant, ctx.grain, wanted)
        else:
            found = backward_form(saved[0], saved[1], wanted, ctx.variant, ctx.grain)(grad, *saved)
        return (*found, None, None)

    @staticmethod
    def vmap(info: Any, in_dims: tuple[int | None, ...], *operands: Any) -> tuple[Tensor, int]:
        """Map over a batch: more rows when only the input has one, plain operations otherwise."""
        if in_dims[1:4] == (None, None, None):
            return mapped(linear_compiled, info, in_dims, operands)
        plain = functools.partial(linear_plain, variant=operands[4], grain=operands[5])
        return torch.vmap(plain, in_dims=in_dims[:4])(*operands[:4]), 0


class DirectCompiledLinear(torch.autograd.Function):
    """The same without function transforms: a function with ``setup_context`` costs 100 µs a call (torch 2.13)."""

    @staticmethod
    def forward(ctx: Any, *operands: Any) -> Tensor:
        """Compute the layer; operands as in :func:`linear_compiled`."""
        ctx.save_for_backward(*operands[:3])
        ctx.variant, ctx.grain = operands[4:]
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
    operands = (input, weight_blockdiag, weight_blocktrans, bias)
    if not compiles(*operands):
        show = linear_traced if torch.compiler.is_compiling() else linear_plain
        return show(*operands, variant, grain)
    apply: Callable[..., Tensor] = CompiledLinear.forward
    if not is_direct():
        apply = linear_plain if is_forward_mode() else CompiledLinear.apply
    elif torch.is_grad_enabled() and learns(*operands):
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
