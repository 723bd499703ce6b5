"""One pair of features: after how many layers it is joined, by how many paths, and one of them step by step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from dyad_core.errors import SpecError
from dyad_core.geometry import DyadGeometry, Side
from dyad_core.structure.classes import hubs_of
from dyad_core.structure.counting import common_feature, input_groupings, output_groupings
from dyad_core.structure.counts import exact_counts, log10, to_integers
from dyad_core.structure.entries import COMPONENTS, Component
from dyad_core.structure.products import EXACT_FLOAT64
from dyad_core.structure.reach import BoolArray
from dyad_core.structure.sizes import Chain, check_chain, feature_problem, geometry_dict

__all__ = ["Step", "Trace", "trace"]


@dataclass(frozen=True)
class Step:
    """One step of a path: through one hub of one layer.

    Attributes:
        layer: from 1, the depth after this step.
        input: feature of that layer's input.
        hub: as :func:`.hubs.connectivity` numbers them.
        component: of the hub.
        block: of the component.
        output: feature of that layer's output.
    """

    layer: int
    input: int
    hub: int
    component: Component
    block: int
    output: int


@dataclass(frozen=True)
class Trace:
    """How one input of a chain reaches one output.

    Attributes:
        layers: the chain.
        input: input of the first layer.
        output: output of every layer that gives as many features as the last one.
        compared_depths: the depths of those layers.
        hops: smallest of these depths after which the output depends on the input; None when none is.
        paths_at_hops: number of paths through the first ``hops`` layers, exactly; 0 without hops.
        paths: number of paths through the whole chain, exactly.
        path: one path of ``hops`` steps; empty without hops.
    """

    layers: Chain
    input: int
    output: int
    compared_depths: tuple[int, ...]
    hops: int | None
    paths_at_hops: int
    paths: int
    path: tuple[Step, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready values."""
        return {
            "layers": [geometry_dict(layer) for layer in self.layers],
            "input": self.input,
            "output": self.output,
            "compared_depths": list(self.compared_depths),
            "hops": self.hops,
            "paths_at_hops": _number(self.paths_at_hops),
            "paths": _number(self.paths),
            "path": [asdict(step) for step in self.path],
        }


def trace(layers: Sequence[DyadGeometry], input: int, output: int) -> Trace:
    """Follow one input to one output.

    Args:
        layers: 1 to 48 layers that fit each other, at most 2**20 features and 256 blocks.
        input: an input of the first layer.
        output: an output of the last layer.

    Raises:
        SpecError: as :func:`.paths.reachability`, and when a feature lies outside its layer.
    """
    chain = check_chain(layers)
    width = chain[-1].out_features
    problems = feature_problem("input", input, chain[0].in_features) + feature_problem("output", output, width)
    if problems:
        raise SpecError(problems)
    reached: list[BoolArray] = []
    compared: dict[int, int] = {}  # paths by compared depth
    start = hubs_of(input_groupings(chain[0]), np.array([input]))[0]
    for depth, (layer, limbs) in enumerate(zip(chain, exact_counts(chain, start), strict=True), start=1):
        reached.append(limbs.max(axis=0) > 0)
        if layer.out_features == width:
            hubs = hubs_of(output_groupings(layer), np.array([output]))[0]
            compared[depth] = sum(to_integers(limbs[:, hubs]))
    hops = next((depth for depth, paths in compared.items() if paths), None)
    path = () if hops is None else _path(chain[:hops], reached, int(input), int(output))
    at_hops = 0 if hops is None else compared[hops]
    return Trace(chain, int(input), int(output), tuple(compared), hops, at_hops, compared[len(chain)], path)


def _path(chain: Chain, reached: list[BoolArray], input: int, output: int) -> tuple[Step, ...]:
    """One path, found backwards: at each level a hub that the input reaches and that holds the feature."""
    feature, steps = output, []
    hub = next(
        int(hub) for hub in hubs_of(output_groupings(chain[-1]), np.array([output]))[0] if reached[len(chain) - 1][hub]
    )
    for depth in range(len(chain), 1, -1):
        before, after = chain[depth - 2], chain[depth - 1]
        there = _group(input_groupings(after), hub)
        earlier, met = next(
            (before_hub, feature_met)
            for before_hub in np.flatnonzero(reached[depth - 2]).tolist()
            if (feature_met := common_feature(*_group(output_groupings(before), before_hub), *there)) is not None
        )
        steps.append(_step(depth, after, met, hub, feature))
        feature, hub = met, earlier
    steps.append(_step(1, chain[0], input, hub, feature))
    return tuple(reversed(steps))


def _group(groupings: tuple[Side, ...], hub: int) -> tuple[Side, int]:
    index, block = divmod(hub, groupings[0].n_blocks)
    return groupings[index], block


def _step(depth: int, layer: DyadGeometry, input: int, hub: int, output: int) -> Step:
    index, block = divmod(hub, layer.n_blocks)
    return Step(depth, input, hub, COMPONENTS[index], block, output)


def _number(paths: int) -> dict[str, Any]:
    """A number of any size for JSON: as text always, as a number where readers keep it exactly, and its logarithm."""
    return {
        "text": str(paths),
        "count": paths if paths < EXACT_FLOAT64 else None,
        "log10": log10(Fraction(paths)),
    }
