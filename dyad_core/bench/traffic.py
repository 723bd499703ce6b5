"""How many bytes a pass has to move, and how many more it moves in copies, from its sizes alone.

What it has to move is every operand of every layer read once and every result written once: the least that any way to
compute it needs whose layers follow one another. Caches can make less of it, copies and temporaries make more.
"""

from __future__ import annotations

from dyad_core.bench.candidates import DENSE, DTYPES, JOINED, Plan, layer_sizes
from dyad_core.bench.spec import BenchmarkSpec, Pass
from dyad_core.geometry import Variant
from dyad_core.ops import registry
from dyad_core.ops.feed_forward import PLANNED_TOKENS

__all__ = ["OWN_KERNELS", "compulsory_bytes", "copied_bytes", "interleaved_sides", "is_planned"]

OWN_KERNELS = ("compiled", "triton")
"""Implementations whose kernels torch does not dispatch, so that neither their launches nor their copies are known."""

# Times that a step passes over the parameters. AdamW reads parameter, gradient and both moments and writes all but the
# gradient; plain SGD reads two and writes one.
OPTIMIZER_PASSES = {"none": 0, "sgd": 3, "adamw": 7}


def compulsory_bytes(plan: Plan, spec: BenchmarkSpec, pass_: Pass) -> int:
    """Bytes that one call reads and writes if each operand and each result of each layer is touched once.

    ``forward`` and ``decode``: input, parameters, output. The gradient of an input: output gradient, weights, result;
    that of the parameters: output gradient, input, result. ``train_step``: all of them and the optimizer's step.
    """
    sizes = layer_sizes(spec)
    tokens, weights = spec.tokens, plan.parameters(spec)
    biases = sum(out for _, out in sizes)
    ends = sum(tokens * (size_in + size_out) for size_in, size_out in sizes)
    forward = backward_input = backward_weight = ends + weights
    forward += biases
    backward_weight += biases
    if pass_ in ("forward", "decode"):
        moved = forward
    elif pass_ == "backward_input":
        moved = backward_input
    elif pass_ == "backward_weight":
        # The layers behind the first hand their input's gradient on.
        moved = backward_weight + (backward_input // 2 if len(sizes) == 2 else 0)
    else:
        moved = forward + backward_input + backward_weight + OPTIMIZER_PASSES[spec.optimizer] * (weights + biases)
    return moved * DTYPES[spec.dtype].itemsize


def copied_bytes(plan: Plan, spec: BenchmarkSpec, pass_: Pass) -> int | None:
    """Bytes read and written by gathering, scattering and otherwise re-laying out; None where that is not known.

    ``eager`` copies each interleaved side once per product, and inside a planned feed-forward the narrow side alone,
    forward and backward. Other implementations copy what they declare in the registry besides.
    """
    if plan.implementation == DENSE or plan.peer == "dense_again":
        return 0
    names = plan.implementation.split(JOINED)
    # A run that was made elsewhere may name one that is not here.
    if plan.geometry is None or plan.unsupported or set(names) & set(OWN_KERNELS) or set(names) - set(registry.names()):
        return None
    item, tokens = DTYPES[spec.dtype].itemsize, spec.tokens
    products = {"forward": 1, "decode": 1, "backward_input": 1, "backward_weight": 1, "train_step": 3}[pass_]
    inner, outer = interleaved_sides(plan.geometry.variant)
    if is_planned(plan, spec):
        # Only the ends are copied: input of the first layer and output of the second, both the narrow in_features. What
        # forward gathers serves the weight gradient, and the groups of the output gradient serve both gradients.
        return 2 * item * tokens * spec.in_features * (inner + outer) * min(2, products)
    copies = max(each.activation_copies for each in plan.registered)
    dense = max(each.dense_copies for each in plan.registered)
    values = 0
    for size_in, size_out in layer_sizes(spec):
        values += tokens * (inner * size_in + outer * size_out + copies * (size_in + size_out))
        values += dense * size_in * size_out
    return 2 * item * values * products


def is_planned(plan: Plan, spec: BenchmarkSpec) -> bool:
    """Whether both layers of a feed-forward are one function (:mod:`dyad_core.ops.feed_forward`)."""
    return (
        spec.module == "feed_forward"
        and plan.geometry is not None
        and plan.implementation == "eager"
        and spec.tokens >= PLANNED_TOKENS
    )


def interleaved_sides(variant: Variant) -> tuple[int, int]:
    """Whether input and output of the second component are interleaved, as 0 and 1."""
    return int(variant in ("it", "dt")), int(variant in ("ot", "dt"))
