"""The Triton product as a differentiable function, and as the operator ``dyad::triton_linear``.

Eager calls go through an autograd function, because dispatching a custom operator costs tens of microseconds a call,
more than a product over few tokens. Tracers (torch.compile, torch.export, fake tensors) cannot look into a kernel
launch and get the operator. Both share forward, backward and batching rule.

The backward needs no kernel of its own (:mod:`dyad_core.ops.backward`): the input gradient is this same product.
Weight gradients are batched products whose inner dimension is the tokens: few tiles and long sums, which cuBLAS
splits over the processors. They are plain aten operations, so the backward can be differentiated again.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from dyad_core.errors import Problem, SpecError
from dyad_core.geometry import Variant
from dyad_core.ops.backward import gradients, learns, mapped
from dyad_core.ops.layout import is_direct, is_forward_mode
from dyad_core.ops.plain import linear_plain

__all__ = ["FUSED_ACTIVATIONS", "linear_triton", "triton_linear"]

FUSED_ACTIVATIONS = ("none", "relu", "gelu", "silu")
ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {"relu": F.relu, "gelu": F.gelu, "silu": F.silu}


class TritonLinear(torch.autograd.Function):
    """The product with its backward; see the module's docstring."""

    @staticmethod
    def forward(*operands: Any) -> Tensor:
        """Launch the kernel; operands as in :func:`triton_linear`."""
        from dyad_core.ops._triton.launch import product  # imports triton, which import dyad_core must not

        return product(*operands)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        """Save input and weights, and for relu the output: what the dense twin saves."""
        input_, weight_blockdiag, weight_blocktrans, _, ctx.variant, ctx.grain, ctx.activation = inputs
        active = output if ctx.activation == "relu" else None
        ctx.save_for_backward(input_, weight_blockdiag, weight_blocktrans, active)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        """Gradients of input, both weights and bias."""
        (grad,) = grads  # (T, out_features)
        *operands, active = ctx.saved_tensors
        if ctx.activation == "relu":
            grad = torch.ops.aten.threshold_backward(grad, active, 0)
        elif ctx.activation != "none":
            msg = f"{ctx.activation} was fused into a product that was not to be differentiated; call linear_triton"
            raise RuntimeError(msg)
        found = gradients(linear_triton, grad, operands, ctx.variant, ctx.grain, ctx.needs_input_grad)
        return (*found, None, None, None)

    @staticmethod
    def vmap(info: Any, in_dims: tuple[int | None, ...], *operands: Any) -> tuple[Tensor, int]:
        """Map over a batch: more rows where only the input has one, one launch for each weight otherwise."""
        return mapped(linear_triton, info, in_dims, operands)


class DirectTritonLinear(torch.autograd.Function):
    """The same without function transforms: a function with ``setup_context`` costs 100 µs a call (torch 2.13)."""

    @staticmethod
    def forward(ctx: Any, *operands: Any) -> Tensor:
        """Launch the kernel; operands as in :class:`TritonLinear`."""
        output = TritonLinear.forward(*operands)
        ctx.variant, ctx.grain, ctx.activation = operands[4:]
        ctx.save_for_backward(*operands[:3], output if ctx.activation == "relu" else None)
        return output

    backward = TritonLinear.backward


@torch.library.custom_op(
    "dyad::triton_linear",
    mutates_args=(),
    schema="(Tensor input, Tensor weight_blockdiag, Tensor? weight_blocktrans, Tensor? bias, "
    "str variant, int grain, str activation) -> Tensor",
)
def triton_linear(
    input: Tensor,
    weight_blockdiag: Tensor,
    weight_blocktrans: Tensor | None,
    bias: Tensor | None,
    variant: Variant,
    grain: int,
    activation: str,
) -> Tensor:
    """The operator that tracers see; (T, in_features) → (T, out_features)."""
    return TritonLinear.forward(input, weight_blockdiag, weight_blocktrans, bias, variant, grain, activation)


@triton_linear.register_fake
def _(
    input: Tensor,
    weight_blockdiag: Tensor,
    weight_blocktrans: Tensor | None,  # noqa: ARG001 - the operator's signature
    bias: Tensor | None,  # noqa: ARG001
    variant: Variant,  # noqa: ARG001
    grain: int,  # noqa: ARG001
    activation: str,  # noqa: ARG001
) -> Tensor:
    return input.new_empty(input.shape[0], weight_blockdiag.shape[0] * weight_blockdiag.shape[1])


triton_linear.register_autograd(TritonLinear.backward, setup_context=TritonLinear.setup_context)
triton_linear.register_vmap(TritonLinear.vmap)


def linear_triton(
    input: Tensor,
    weight_blockdiag: Tensor,
    weight_blocktrans: Tensor | None,
    bias: Tensor | None,
    variant: Variant,
    grain: int,
    activation: str = "none",
) -> Tensor:
    """Compute ``activation(x @ W.T + bias)``; (T, in_features) → (T, out_features), differentiable twice.

    relu is always part of the kernel. gelu and silu are where no gradient is wanted: their backward needs the value
    before the activation, which the dense twin stores as well.

    Raises:
        SpecError: unknown activation.
    """
    if activation not in FUSED_ACTIVATIONS:
        raise SpecError([Problem("activation", f"must be one of {', '.join(FUSED_ACTIVATIONS)}", activation)])
    operands = (input, weight_blockdiag, weight_blocktrans, bias)
    if is_forward_mode():  # a kernel has no rule for it
        plain = linear_plain(*operands, variant, grain)
        return plain if activation == "none" else ACTIVATIONS[activation](plain)
    differentiated = torch.is_grad_enabled() and learns(*operands)
    apply: Any = DirectTritonLinear.apply if differentiated else TritonLinear.forward
    if torch.compiler.is_compiling() or _is_watched(operands):
        apply = triton_linear
    elif not is_direct():
        apply, differentiated = TritonLinear.apply, True  # a transform's operands need not say that they are
    later = None
    if differentiated and activation in ("gelu", "silu"):
        later, activation = ACTIVATIONS[activation], "none"
    output: Tensor = apply(*operands, variant, grain, activation)
    return output if later is None else later(output)


def _is_watched(tensors: tuple[Tensor | None, ...]) -> bool:
    """Whether a tracer or a counter sees each operation: a dispatch mode, or a tensor that dispatches by itself."""
    plain = Tensor.__torch_dispatch__
    return torch._C._len_torch_dispatch_stack() > 0 or any(
        tensor is not None and type(tensor).__torch_dispatch__ is not plain for tensor in tensors
    )
