"""From a request to candidates: what is compared, built alike on both sides.

The dense twin is one of them (variant and implementation ``dense``) and the only baseline. All candidates of
a run are alive together, because they are timed in interleaved rounds. What they are fed and how a pass is called
is in :mod:`dyad_core.bench.passes`.
"""

from __future__ import annotations

import dataclasses
import math
from collections import OrderedDict
from dataclasses import dataclass

import torch
from torch import nn

from dyad_core.bench.peers import FactoredLinear, build_peer, peer_parameters, unavailable
from dyad_core.bench.spec import BenchmarkSpec, Pass, Peer
from dyad_core.errors import ImplementationError, SpecError
from dyad_core.geometry import DyadGeometry
from dyad_core.layers import DyadFeedForward, DyadLinear
from dyad_core.ops import registry
from dyad_core.ops.auto import FALLBACK, Shape, standard
from dyad_core.ops.feed_forward import PLANNED_TOKENS
from dyad_core.ops.registry import Implementation, Layout

__all__ = [
    "CONTROL",
    "DENSE",
    "DTYPES",
    "PRODUCTS",
    "WITH_GRADIENTS",
    "Plan",
    "build",
    "layer_sizes",
    "plans",
    "reseed",
]

DENSE = "dense"

CONTROL: Peer = "dense_again"
"""A second dense twin: whatever the engine says of it beyond 1.0x is wrong."""

JOINED = "+"

DTYPES: dict[str, torch.dtype] = {
    "float32": torch.float32,
    "float64": torch.float64,
    "bfloat16": torch.bfloat16,
    "float16": torch.float16,
}

# Forward is one product per weight, backward two more: gradient of the input and gradient of the weight.
PRODUCTS: dict[Pass, int] = {"forward": 1, "backward_input": 1, "backward_weight": 1, "train_step": 3, "decode": 1}

WITH_GRADIENTS: tuple[Pass, ...] = ("backward_input", "backward_weight", "train_step")
"""Passes whose forward keeps what a backward needs."""


@dataclass(frozen=True)
class Plan:
    """One candidate before it is built.

    Attributes:
        name: unique inside a run.
        geometry: structure of the layer (``feed_forward``: of its first layer); None for the dense twin and peers.
        implementation: resolved name, never ``"auto"``; ``"dense"`` for the dense twin, a peer's own name.
        unsupported: why it cannot run here; empty when it can.
        peer: which peer this is, None for the dense twin and DYAD.
        equal_n: the n at which a peer has a DYAD's parameters; None for the A/A control, which has dense's.
        chosen_by_auto: whether ``"auto"`` was asked for and means this; then it is built so, lookup included.
    """

    name: str
    geometry: DyadGeometry | None
    implementation: str
    unsupported: str = ""
    peer: Peer | None = None
    equal_n: int | None = None
    chosen_by_auto: bool = False

    @property
    def variant(self) -> str:
        """What the record calls its kind: a DYAD variant, a peer's name, or ``dense``."""
        return self.geometry.variant if self.geometry else self.peer or DENSE

    @property
    def n_blocks(self) -> int | None:
        """Number of blocks, or the n at which a peer is equal; None for the dense twin."""
        return self.geometry.n_blocks if self.geometry else self.equal_n

    def parameters(self, spec: BenchmarkSpec) -> int:
        """Weights without bias, over all layers of the module."""
        if self.peer is not None and self.equal_n is not None:
            return sum(peer_parameters(self.peer, *sizes, self.equal_n) for sizes in layer_sizes(spec))
        if self.geometry is None:
            return sum(math.prod(sizes) for sizes in layer_sizes(spec))
        return self.geometry.parameters * len(layer_sizes(spec))

    def flops(self, spec: BenchmarkSpec, pass_: Pass) -> int:
        """Floating-point operations of the products of one pass, a multiply-add counted as two."""
        once = 2 * spec.tokens * self.parameters(spec)
        if spec.module == "feed_forward" and pass_ == "backward_weight":
            return once + once // 2  # the gradient has to come through the second layer to reach the first
        return once * PRODUCTS[pass_]

    @property
    def layout(self) -> Layout:
        """Memory layout in which it takes its input and gives its output."""
        if self.geometry is None or self.unsupported or self.chosen_by_auto:
            return "token_major"
        return registry.get(self.implementation).layout

    @property
    def registered(self) -> list[Implementation]:
        """The implementations that compute it; none for the dense twin, a peer, and what cannot run here."""
        if self.geometry is None or self.unsupported:
            return []
        return [registry.get(name) for name in self.implementation.split(JOINED)]

    def limit(self, spec: BenchmarkSpec) -> float:
        """The ideal speed-up over dense: the ratio of weights; 1 for the dense twin itself."""
        if self.geometry is not None:
            return self.geometry.limit
        return sum(math.prod(sizes) for sizes in layer_sizes(spec)) / self.parameters(spec)


def layer_sizes(spec: BenchmarkSpec) -> list[tuple[int, int]]:
    """Input and output size of each linear layer of the module: one, or two for ``feed_forward``."""
    first = (spec.in_features, spec.out_features)
    return [first] if spec.module == "linear" else [first, first[::-1]]


def plans(spec: BenchmarkSpec, pass_: Pass | None = None) -> list[Plan]:
    """Every candidate of one pass (the first one asked for, if none is given), the dense twin first, each once.

    Implementations are resolved: ``auto`` may be another one at each geometry and in each pass.
    """
    found = [Plan(DENSE, None, DENSE)]
    for geometry in spec.geometries():
        found += dyad_plans(spec, geometry, pass_ or spec.passes[0])
    if CONTROL in spec.peers:
        found.append(Plan(CONTROL, None, CONTROL, peer=CONTROL))
    for n in spec.n_blocks:
        for peer in (each for each in spec.peers if each != CONTROL):
            found.append(Plan(f"{peer} n={n}", None, peer, unavailable(peer), peer=peer, equal_n=n))
    return found


def dyad_plans(spec: BenchmarkSpec, geometry: DyadGeometry, pass_: Pass) -> list[Plan]:
    """The candidates of one geometry, one per implementation, in the order of the request."""
    found: dict[str, Plan] = {}
    for requested in spec.implementations:
        implementation, reason = resolved(requested, spec, geometry, pass_)
        is_auto = requested == registry.AUTO
        name = f"{geometry.variant} n={geometry.n_blocks} g={geometry.grain} {implementation}"
        if implementation not in found:
            found[implementation] = Plan(name, geometry, implementation, reason, chosen_by_auto=is_auto)
        elif is_auto:
            found[implementation] = dataclasses.replace(found[implementation], chosen_by_auto=True)
    return list(found.values())


def resolved(requested: str, spec: BenchmarkSpec, geometry: DyadGeometry, pass_: Pass) -> tuple[str, str]:
    """The implementation that a name means here, and why it cannot run (empty when it can).

    Where ``auto`` takes different ones for the layers of a feed-forward, their names are joined by a plus sign.
    """
    device, dtype, trains = torch.device(spec.device), DTYPES[spec.dtype], pass_ in WITH_GRADIENTS
    planned = spec.module == "feed_forward" and spec.tokens >= PLANNED_TOKENS and device.type == "cpu"
    if requested == registry.AUTO and planned and standard("cpu", dtype, spec.tokens, trains=trains) == FALLBACK:
        return FALLBACK, ""  # DyadFeedForward does not ask the table then
    names = []
    for in_features, out_features in layer_sizes(spec):
        shape = Shape(geometry.variant, geometry.n_blocks, in_features, out_features, spec.tokens, trains)
        try:
            names.append(registry.choose(requested, device, dtype, shape=shape).name)
        except (ImplementationError, SpecError) as error:
            return requested, str(error)
    return JOINED.join(dict.fromkeys(names)), ""


def build(plan: Plan, spec: BenchmarkSpec) -> nn.Module:
    """Build a candidate with the seed of the request, in its dtype and on its device.

    The global random state of torch is left as it was.
    """
    device, dtype = torch.device(spec.device), DTYPES[spec.dtype]
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(spec.seed)
        if plan.geometry is None:
            return plain_module(plan, spec, device, dtype)
        geometry = plan.geometry
        kind = DyadFeedForward if spec.module == "feed_forward" else DyadLinear
        return kind(
            spec.in_features,
            spec.out_features,
            device=device,
            dtype=dtype,
            n_blocks=geometry.n_blocks,
            variant=geometry.variant,
            grain=geometry.grain,
            implementation=registry.AUTO if plan.chosen_by_auto else plan.implementation,
        )


def reseed(module: nn.Module, seed: int) -> None:
    """Draw the parameters of a built candidate anew, in place; the global random state of torch is left as it was."""
    device = next(module.parameters()).device
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        for part in module.modules():
            if isinstance(part, DyadLinear | FactoredLinear | nn.Linear):
                part.reset_parameters()


def plain_module(plan: Plan, spec: BenchmarkSpec, device: torch.device, dtype: torch.dtype) -> nn.Module:
    """The dense twin or a peer: one layer, or two with ReLU between and the names of DyadFeedForward."""

    def layer(in_features: int, out_features: int) -> nn.Module:
        if plan.peer is not None and plan.equal_n is not None:
            return build_peer(plan.peer, in_features, out_features, plan.equal_n, device, dtype)
        return nn.Linear(in_features, out_features, device=device, dtype=dtype)

    layers = [layer(*sizes) for sizes in layer_sizes(spec)]
    if len(layers) == 1:
        return layers[0]
    return nn.Sequential(OrderedDict(fc1=layers[0], activation=nn.ReLU(), fc2=layers[1]))
