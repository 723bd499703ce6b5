"""What one layer connects: its hubs, the features in them, and how much they share.

A layer is ``inputs → 2n input hubs → 2n output hubs → outputs``: hub h takes the inputs of one block of one
component and feeds the outputs of the same block, and nothing else. Everything about mixing follows from
which features two hubs share.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from dyad_core.errors import SpecError
from dyad_core.geometry import DyadGeometry, IntArray, Side
from dyad_core.structure.counting import input_groupings, joint_groups, output_groupings
from dyad_core.structure.entries import COMPONENTS, Component
from dyad_core.structure.sizes import MAX_HUB_BLOCKS, check_size, geometry_dict
from dyad_core.structure.wording import describe_group, formula

__all__ = ["SHOWN", "Connectivity", "FeatureGroup", "Hub", "Spread", "connectivity", "feature_group"]

SHOWN = 8
"""Features listed of each group; the description names the rest."""


@dataclass(frozen=True)
class FeatureGroup:
    """The features on one side of a hub: in words, the first few, and how many."""

    description: str
    first: tuple[int, ...]
    count: int

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready values."""
        return {"description": self.description, "first": list(self.first), "count": self.count}


@dataclass(frozen=True)
class Hub:
    """One block of one component: every one of its inputs feeds every one of its outputs."""

    index: int
    component: Component
    block: int
    inputs: FeatureGroup
    outputs: FeatureGroup

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready values."""
        return {
            "index": self.index,
            "component": self.component,
            "block": self.block,
            "inputs": self.inputs.to_dict(),
            "outputs": self.outputs.to_dict(),
        }


@dataclass(frozen=True)
class Spread:
    """Smallest, largest and mean of a count over features; all equal when blocks and groups fit evenly."""

    min: int
    max: int
    mean: float


@dataclass(frozen=True, eq=False)
class Connectivity:
    """The hubs of one layer and what they share.

    Attributes:
        geometry: the layer.
        hubs: BLOCKDIAG blocks, then BLOCKTRANS blocks: 2n, or n for ``bd``.
        input_hub_shared: inputs by BLOCKDIAG block (row) and BLOCKTRANS block (column); shape (n, n), None for ``bd``.
        output_hub_shared: the same for outputs.
        reads_per_output: distinct inputs that one output reads.
        feeds_per_input: distinct outputs that one input feeds.
    """

    geometry: DyadGeometry
    hubs: tuple[Hub, ...]
    input_hub_shared: IntArray | None
    output_hub_shared: IntArray | None
    reads_per_output: Spread
    feeds_per_input: Spread

    @property
    def formula(self) -> str:
        """When an output and an input are connected, with the numbers of this layer."""
        return formula(self.geometry)

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready values."""
        return {
            "geometry": geometry_dict(self.geometry),
            "hubs": [hub.to_dict() for hub in self.hubs],
            "input_hub_shared": None if self.input_hub_shared is None else self.input_hub_shared.tolist(),
            "output_hub_shared": None if self.output_hub_shared is None else self.output_hub_shared.tolist(),
            "reads_per_output": asdict(self.reads_per_output),
            "feeds_per_input": asdict(self.feeds_per_input),
            "formula": self.formula,
        }


def connectivity(geometry: DyadGeometry) -> Connectivity:
    """Describe the hubs of a layer.

    Args:
        geometry: the layer, at most 2**20 features on a side and 256 blocks.

    Raises:
        SpecError: when a size is above its limit.
    """
    if problems := check_size(geometry, MAX_HUB_BLOCKS):
        raise SpecError(problems)
    sides = zip(COMPONENTS, input_groupings(geometry), output_groupings(geometry), strict=False)
    hubs = [
        (component, block, feature_group(inputs, block), feature_group(outputs, block))
        for component, inputs, outputs in sides
        for block in range(geometry.n_blocks)
    ]
    shared_in = shared_out = None
    if geometry.variant != "bd":
        shared_in = joint_groups(*input_groupings(geometry))
        shared_out = joint_groups(*output_groupings(geometry))
    return Connectivity(
        geometry,
        tuple(Hub(index, *hub) for index, hub in enumerate(hubs)),
        shared_in,
        shared_out,
        reads_per_output=_partners(geometry.block_in, shared_in, shared_out, geometry.positions, geometry.out_features),
        feeds_per_input=_partners(geometry.block_out, shared_out, shared_in, geometry.positions, geometry.in_features),
    )


def feature_group(side: Side, group: int) -> FeatureGroup:
    """The features of one group of one side."""
    start, cycle = group * side.run, side.run * side.n_blocks
    first = tuple(p // side.run * cycle + start + p % side.run for p in range(min(SHOWN, side.block)))
    return FeatureGroup(describe_group(side, group), first, side.block)


def _partners(block: int, far: IntArray | None, near: IntArray | None, positions: int, features: int) -> Spread:
    """Distinct partners on the far side of one feature on the near side, whose blocks have ``block`` features there.

    A feature in BLOCKDIAG block b and BLOCKTRANS block b' has both blocks as partners, less what they share.
    """
    if far is None or near is None:
        return Spread(block, block, float(block))
    counts = 2 * block - far[near > 0]
    return Spread(int(counts.min()), int(counts.max()), positions / features)
