"""How much memory one call will need and what for, from its sizes alone: what :mod:`.memory` measures, before it is.

Parameters, gradients and the optimizer's state are 2/n of the dense twin's. Saved for backward is what the dense twin
saves, the hidden activation, and one gathered copy of the narrow side where the first layer interleaves its input. The
peak follows from going through a pass step by step and adding up what is alive: for ``eager`` and the dense twin the
very sequence of their operations, exact up to parts of tokens; for others what their entry in the registry declares, good to a
factor of three. Sizes are counted in values and become bytes at the end.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

from dyad_core.bench.candidates import DTYPES, JOINED, Plan, layer_sizes
from dyad_core.bench.peers import equal_rank, monarch_blocks
from dyad_core.bench.results import MemoryUse
from dyad_core.bench.spec import BenchmarkSpec, Pass
from dyad_core.bench.traffic import interleaved_sides, is_planned
from dyad_core.ops import registry
from dyad_core.ops.eager import COPIED_BYTES
from dyad_core.ops.feed_forward import HIDDEN_BYTES

__all__ = ["METHOD", "predict_memory"]

METHOD = "predicted from sizes"

STEP_COUNTER_BYTES = 4
"""AdamW counts steps in one float32 for each parameter tensor, whatever the dtype of the parameter."""

TRAINS: tuple[Pass, ...] = ("backward_input", "backward_weight", "train_step")


@dataclass(frozen=True)
class Sizes:
    """What the arithmetic needs, in values.

    Attributes:
        tokens: rows.
        ends: features before and after each layer: two or three numbers.
        weights: of each parameter tensor, layer by layer.
        middle: per layer, values per token between the two factors of a peer; 0 otherwise.
        inner: whether the input side of the second component is interleaved, as 0 or 1.
        outer: the same for its output side.
        copies: results of components that it makes out of place before it joins them.
        dense_copies: temporaries as large as the dense weight of a layer.
        item: bytes of one value.
        in_parts: whether the CPU takes tokens in parts that fit its cache.
    """

    tokens: int
    ends: tuple[int, ...]
    weights: tuple[tuple[int, ...], ...]
    middle: tuple[int, ...]
    inner: int
    outer: int
    copies: int
    dense_copies: int
    item: int
    in_parts: bool

    @property
    def output(self) -> int:
        return self.tokens * self.ends[-1]

    @property
    def hidden(self) -> int:
        """The activation between two layers; 0 for one."""
        return self.tokens * self.ends[1] if len(self.ends) == 3 else 0

    def parameters(self, layer: int | None = None) -> int:
        """Of one layer, or of all."""
        chosen = self.weights if layer is None else self.weights[layer : layer + 1]
        return sum(sum(tensors) for tensors in chosen)

    def copied(self, layer: int, *, all_tokens: bool, backward: bool) -> int:
        """Temporaries of one product of a layer; the weight gradient copies all tokens at once."""
        size_in, size_out = self.ends[layer], self.ends[layer + 1]
        sides = self.tokens * (self.inner * size_in + self.outer * size_out)
        if self.in_parts and not all_tokens:
            sides = math.ceil(sides / max(1, math.ceil(sides * self.item / COPIED_BYTES)))
        middle = self.tokens * self.middle[layer]
        # Out of place each component makes a result of its own: in forward of the output, in backward of the input.
        results = min(self.copies, len(self.weights[layer]) - 1) * self.tokens * (size_in if backward else size_out)
        return sides + middle + results + self.dense_copies * size_in * size_out


def predict_memory(plan: Plan, spec: BenchmarkSpec, pass_: Pass) -> MemoryUse:
    """Predict what :func:`dyad_core.bench.memory.measure_memory` will find. Allocates nothing, whatever the sizes."""
    sizes = sizes_of(plan, spec)
    item, trains = sizes.item, pass_ in TRAINS
    inputs = sizes.tokens * sizes.ends[0] + (sizes.output if trains else 0)
    planned = is_planned(plan, spec)
    saved = saved_values(sizes, pass_, planned=planned) if trains else 0
    wanted = gradients(sizes, pass_)
    if planned:
        peak = planned_peak(sizes, pass_, saved) if trains else planned_forward(sizes)
    else:
        peak = layered_peak(sizes, pass_, saved) if trains else layered_forward(sizes, 0)
    optimizer_bytes = 0
    if pass_ == "train_step" and spec.optimizer != "none":
        peak = max(peak, sizes.output + wanted + optimizer_temporaries(sizes, spec))
        if spec.optimizer == "adamw":
            tensors = sum(len(each) for each in sizes.weights)
            optimizer_bytes = 2 * sizes.parameters() * item + STEP_COUNTER_BYTES * tensors
    return MemoryUse(
        parameters_bytes=sizes.parameters() * item,
        inputs_bytes=inputs * item,
        gradients_bytes=wanted * item,
        allocated_peak_bytes=peak * item,
        peak_bytes=(sizes.parameters() + inputs + peak) * item + optimizer_bytes,
        method=METHOD,
        outputs_bytes=sizes.output * item,
        saved_activations_bytes=saved * item,
        optimizer_state_bytes=optimizer_bytes,
        temporaries_bytes=max(0, peak - sizes.output - saved - wanted) * item,
    )


def sizes_of(plan: Plan, spec: BenchmarkSpec) -> Sizes:
    """Collect the sizes of a plan."""
    layers = layer_sizes(spec)
    variant = plan.geometry.variant if plan.geometry else "bd"
    inner, outer = interleaved_sides(variant)
    names = set(plan.implementation.split(JOINED)) & set(registry.names()) if plan.geometry else set()
    used = [registry.get(name) for name in names]
    return Sizes(
        tokens=spec.tokens,
        ends=(layers[0][0], *(size_out for _, size_out in layers)),
        weights=tuple(parameter_tensors(plan, *each) for each in layers),
        middle=tuple(_middle(plan, *each) for each in layers),
        inner=inner,
        outer=outer,
        copies=max((each.activation_copies for each in used), default=0),
        dense_copies=max((each.dense_copies for each in used), default=0),
        item=DTYPES[spec.dtype].itemsize,
        in_parts=spec.device == "cpu" and names == {"eager"},
    )


def parameter_tensors(plan: Plan, size_in: int, size_out: int) -> tuple[int, ...]:
    """Values of each parameter tensor of one layer, its bias last."""
    if plan.geometry is not None:
        component = size_in * size_out // plan.geometry.n_blocks
        return (*[component] * plan.geometry.components, size_out)
    if plan.peer == "low_rank" and plan.equal_n is not None:
        rank = equal_rank(size_in, size_out, plan.equal_n)
        return rank * size_in, rank * size_out, size_out
    if plan.peer == "monarch" and plan.equal_n is not None:
        blocks = monarch_blocks(size_in, size_out, plan.equal_n)
        return size_in * size_in // blocks, size_in * size_out // blocks, size_out
    return size_in * size_out, size_out


def _middle(plan: Plan, size_in: int, size_out: int) -> int:
    if plan.peer == "low_rank" and plan.equal_n is not None:
        return equal_rank(size_in, size_out, plan.equal_n)
    return size_in if plan.peer == "monarch" else 0


def gradients(sizes: Sizes, pass_: Pass) -> int:
    """Gradients that a pass leaves behind."""
    of_input, of_parameters = sizes.tokens * sizes.ends[0], sizes.parameters()
    found = {"backward_input": of_input, "backward_weight": of_parameters, "train_step": of_input + of_parameters}
    return found.get(pass_, 0)


def saved_values(sizes: Sizes, pass_: Pass, *, planned: bool) -> int:
    """What forward keeps: the hidden activation, and what the layers gather or make on the way."""
    saved = sizes.hidden
    if pass_ != "backward_input":
        saved += sizes.tokens * sum(sizes.middle)
    if planned:
        return saved + sizes.inner * sizes.tokens * sizes.ends[0]
    if sizes.copies and pass_ != "backward_input":  # plain autograd keeps what it gathered
        saved += sizes.inner * sizes.tokens * sum(sizes.ends[:-1])
    if sizes.dense_copies:
        saved += sum(a * b for a, b in zip(sizes.ends, sizes.ends[1:], strict=False))
    return saved


def layered_forward(sizes: Sizes, saved: int) -> int:
    """Layer after layer: the first, the activation between, which is not in place, and the last."""
    last = len(sizes.weights) - 1
    kept = saved or sizes.hidden
    steps = [kept + sizes.output + sizes.copied(last, all_tokens=False, backward=False)]
    if last:
        steps += [sizes.hidden + sizes.copied(0, all_tokens=False, backward=False), 2 * sizes.hidden]
    return max(steps)


def layered_peak(sizes: Sizes, pass_: Pass, saved: int) -> int:
    """Forward and backward, layer after layer; what a layer saved is freed when its backward is done."""
    last, of_weights = len(sizes.weights) - 1, pass_ != "backward_input"
    wanted, hidden = gradients(sizes, pass_), sizes.hidden
    first = sizes.copied(0, all_tokens=of_weights, backward=True)
    steps = [layered_forward(sizes, saved), sizes.output + saved - hidden + hidden * bool(last) + wanted + first]
    if last:
        behind = sizes.parameters(last) if of_weights else 0
        open_ = sizes.output + saved + hidden + behind
        steps += [open_ + sizes.copied(last, all_tokens=of_weights, backward=True), open_ + hidden]
    return max(steps)


def parts_of(sizes: Sizes) -> int:
    """In how many parts a planned feed-forward takes its tokens."""
    return max(1, math.ceil(sizes.hidden * sizes.item / HIDDEN_BYTES)) if sizes.in_parts else 1


def planned_forward(sizes: Sizes) -> int:
    """A part's hidden activation beside the one before, the gathered input, then the scattered output."""
    parts = parts_of(sizes)
    narrow = sizes.tokens * sizes.ends[0]
    return sizes.output + math.ceil((min(2, parts) * sizes.hidden + max(sizes.inner, sizes.outer) * narrow) / parts)


def planned_peak(sizes: Sizes, pass_: Pass, saved: int) -> int:
    """Forward and backward of both layers as one function, part by part; see :mod:`dyad_core.ops.feed_forward`."""
    parts, narrow = parts_of(sizes), sizes.tokens * sizes.ends[0]
    of_weights, of_input = pass_ != "backward_input", pass_ != "backward_weight"
    hidden = sizes.hidden / parts
    component = sizes.weights[0][0] if of_weights else 0
    first, second = (sizes.parameters(layer) if of_weights else 0 for layer in (0, 1))
    grad_groups = sizes.outer * narrow / parts
    base = sizes.output + saved + grad_groups
    # The gradient of one component is written beside the product that it is copied from.
    steps = [
        saved + sizes.output * min(2, parts),
        base + second - sizes.ends[2] * of_weights + component,
        base + second + 2 * hidden,
    ]
    freed = saved * (1 - 1 / parts) if parts > 1 else saved
    sums = first + second if parts > 1 and of_weights else 0  # of the parts before
    late = sizes.output + freed + grad_groups + second + hidden + sums + narrow * of_input
    steps += [late + sizes.inner * narrow / parts * of_input, late + first - sizes.ends[1] * of_weights + component]
    steps += [late + first]
    if of_input:  # the gradients of the parts and what they are joined to
        steps.append(sizes.output + first + second + 2 * narrow)
    return math.ceil(max(steps))


def optimizer_temporaries(sizes: Sizes, spec: BenchmarkSpec) -> int:
    """AdamW divides by a root: on a GPU of all parameters at once, on a CPU one by one, the one before still there."""
    if spec.optimizer != "adamw":
        return 0
    if spec.device != "cpu":
        return sizes.parameters()
    tensors = [0, *itertools.chain(*sizes.weights)]
    return max(before + 2 * tensor for before, tensor in itertools.pairwise(tensors))
