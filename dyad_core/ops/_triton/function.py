"""The Triton product as a differentiable function, and as the operator ``dyad::triton_linear``.

Eager calls go through an autograd function, because dispatching a custom operator costs tens of microseconds a call,
more than a product over few tokens. Tracers (torch.compile, torch.export, fake tensors) cannot look into a kernel
launch and get the operator. Both share forward, backward and batching rule.

The backward needs no kernel of its own. The transpose of an ``ot`` weight has the pattern of ``it``, so the input
gradient is this same product with the variant transposed. Weight gradients are batched products whose inner dimension
is the tokens: few tiles and long sums, which cuBLAS splits over the processors. They are plain aten operations, so the
backward can be differentiated again.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from dyad_core.errors import Problem, SpecError
from dyad_core.geometry import Variant
from dyad_core.ops.eager import TRANSPOSED, neighbours, trans_blocks

__all__ = ["FUSED_ACTIVATIONS", "linear_triton", "triton_linear"]

FUSED_ACTIVATIONS = ("none", "relu", "gelu", "silu")


class TritonLinear(torch.autograd.Function):
    """The product with its backward; see the module's docstring."""

    @staticmethod
    def forward(
        input: Tensor,
        weight_blockdiag: Tensor,
        weight_blocktrans: Tensor | None,
        bias: Tensor | None,
        variant: Variant,
        grain: int,
        activation: str,
    ) -> Tensor:
        """Launch the kernel."""
        from dyad_core.ops._triton.launch import product  # imports triton, which import dyad_core must not

        return product(input, weight_blockdiag, weight_blocktrans, bias, variant, grain, activation)

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
        input_, weight_blockdiag, weight_blocktrans, active = ctx.saved_tensors
        variant, grain, n = ctx.variant, ctx.grain, weight_blockdiag.shape[0]
        if ctx.activation == "relu":
            grad = torch.ops.aten.threshold_backward(grad, active, 0)
        elif ctx.activation != "none":
            msg = f"{ctx.activation} was fused into a product that was not to be differentiated; call linear_triton"
            raise RuntimeError(msg)
        grad_input = grad_blockdiag = grad_blocktrans = grad_bias = None
        if ctx.needs_input_grad[0]:
            trans = None if weight_blocktrans is None else weight_blocktrans.mT
            grad_input = linear_triton(grad, weight_blockdiag.mT, trans, None, TRANSPOSED[variant], grain)
        if ctx.needs_input_grad[1]:
            grad_blockdiag = torch.bmm(neighbours(grad, n).mT, neighbours(input_, n))
        if ctx.needs_input_grad[2]:
            grad_groups = trans_blocks(grad, n, grain, is_interleaved=variant in ("ot", "dt"))  # (n, T, block_out)
            groups = trans_blocks(input_, n, grain, is_interleaved=variant in ("it", "dt"))  # (n, T, block_in)
            grad_blocktrans = torch.bmm(grad_groups.mT, groups)
        if ctx.needs_input_grad[3]:
            grad_bias = grad.sum(0)
        return grad_input, grad_blockdiag, grad_blocktrans, grad_bias, None, None, None

    @staticmethod
    def vmap(info: Any, in_dims: tuple[int | None, ...], *operands: Any) -> tuple[Tensor, int]:
        """Map over a batch: more rows where only the input has one, one launch for each weight otherwise."""
        tensors, settings = operands[:4], operands[4:]
        if in_dims[0] is not None and in_dims[1:4] == (None, None, None):
            batched = tensors[0].movedim(in_dims[0], 0)  # (B, T, in_features)
            output = linear_triton(batched.flatten(0, 1), *tensors[1:], *settings)
            return torch.unflatten(output, 0, batched.shape[:2]), 0
        sliced = [
            [tensor] * info.batch_size if dim is None else tensor.unbind(dim)
            for tensor, dim in zip(tensors, in_dims[:4], strict=True)
        ]
        return torch.stack([linear_triton(*one, *settings) for one in zip(*sliced, strict=True)]), 0


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
    present = [operand for operand in operands if operand is not None]
    later = None
    learns = torch.is_grad_enabled() and any(operand.requires_grad for operand in present)
    if learns and activation in ("gelu", "silu"):
        later, activation = (F.gelu if activation == "gelu" else F.silu), "none"
    traced = torch.compiler.is_compiling() or _is_watched(present)
    apply: Any = triton_linear if traced else TritonLinear.apply
    output: Tensor = apply(*operands, variant, grain, activation)
    return output if later is None else later(output)


def _is_watched(tensors: list[Tensor]) -> bool:
    """Whether a tracer or a counter sees each operation: a dispatch mode, or a tensor that dispatches by itself."""
    plain = Tensor.__torch_dispatch__
    return torch._C._len_torch_dispatch_stack() > 0 or any(type(t).__torch_dispatch__ is not plain for t in tensors)
