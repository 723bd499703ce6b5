"""From a request to candidates: what is compared, built alike on both sides.

The dense twin is one of them (variant and implementation ``dense``) and the only baseline. All candidates of
a run are alive together, because they are timed in interleaved rounds. What they are fed and how a pass is called
is in :mod:`dyad_core.bench.passes`.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

import torch
from torch import nn

from dyad_core.bench.spec import BenchmarkSpec, Pass
from dyad_core.errors import ImplementationError, SpecError
from dyad_core.geometry import DyadGeometry
from dyad_core.layers import DyadFeedForward, DyadLinear
from dyad_core.ops import registry
from dyad_core.ops.registry import Layout

__all__ = ["DENSE", "DTYPES", "PRODUCTS", "Plan", "build", "layers_of", "plans"]

DENSE = "dense"

DTYPES: dict[str, torch.dtype] = {
    "float32": torch.float32,
    "float64": torch.float64,
    "bfloat16": torch.bfloat16,
    "float16": torch.float16,
}

# Forward is one product per weight, backward two more: gradient of the input and gradient of the weight.
PRODUCTS: dict[Pass, int] = {"forward": 1, "train_step": 3}


@dataclass(frozen=True)
class Plan:
    """One candidate before it is built.

    Attributes:
        name: unique inside a run.
        geometry: structure of the layer (``feed_forward``: of its first layer); None for the dense twin.
        implementation: resolved name, never ``"auto"``; ``"dense"`` for the dense twin.
        unsupported: why it cannot run here; empty when it can.
    """

    name: str
    geometry: DyadGeometry | None
    implementation: str
    unsupported: str = ""

    def parameters(self, spec: BenchmarkSpec) -> int:
        """Weights without bias, over all layers of the module."""
        one = spec.in_features * spec.out_features if self.geometry is None else self.geometry.parameters
        return one * layers_of(spec)

    def flops(self, spec: BenchmarkSpec, pass_: Pass) -> int:
        """Floating-point operations of the products of one pass, a multiply-add counted as two."""
        return 2 * spec.tokens * self.parameters(spec) * PRODUCTS[pass_]

    @property
    def layout(self) -> Layout:
        """Memory layout in which it takes its input and gives its output."""
        if self.geometry is None or self.unsupported:
            return "token_major"
        return registry.get(self.implementation).layout

    @property
    def limit(self) -> float:
        """The ideal speed-up over dense; 1 for the dense twin itself."""
        return 1.0 if self.geometry is None else self.geometry.limit


def layers_of(spec: BenchmarkSpec) -> int:
    """Number of linear layers in the module: 1, or 2 for ``feed_forward``."""
    return 2 if spec.module == "feed_forward" else 1


def plans(spec: BenchmarkSpec) -> list[Plan]:
    """Every candidate of the request, the dense twin first, implementations resolved and each pair once."""
    device, dtype = torch.device(spec.device), DTYPES[spec.dtype]
    resolved: dict[str, str] = {}
    for name in spec.implementations:
        try:
            resolved.setdefault(registry.choose(name, device, dtype).name, "")
        except (ImplementationError, SpecError) as error:
            resolved.setdefault(name, str(error))
    found = [Plan(DENSE, None, DENSE)]
    for geometry in spec.geometries():
        for implementation, reason in resolved.items():
            name = f"{geometry.variant} n={geometry.n_blocks} g={geometry.grain} {implementation}"
            found.append(Plan(name, geometry, implementation, reason))
    return found


def build(plan: Plan, spec: BenchmarkSpec) -> nn.Module:
    """Build a candidate with the seed of the request, in its dtype and on its device.

    The global random state of torch is left as it was.
    """
    device, dtype = torch.device(spec.device), DTYPES[spec.dtype]
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(spec.seed)
        if plan.geometry is None:
            return dense_twin(spec, device, dtype)
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
            implementation=plan.implementation,
        )


def dense_twin(spec: BenchmarkSpec, device: torch.device, dtype: torch.dtype) -> nn.Module:
    """The dense module of the same sizes: ``nn.Linear``, or Linear-ReLU-Linear with the names of DyadFeedForward."""
    first = nn.Linear(spec.in_features, spec.out_features, device=device, dtype=dtype)
    if spec.module == "linear":
        return first
    second = nn.Linear(spec.out_features, spec.in_features, device=device, dtype=dtype)
    return nn.Sequential(OrderedDict(fc1=first, activation=nn.ReLU(), fc2=second))
