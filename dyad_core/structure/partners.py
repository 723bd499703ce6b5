"""What one feature of a layer feeds, or what feeds it, through which component."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from dyad_core.errors import Problem, SpecError
from dyad_core.geometry import DyadGeometry
from dyad_core.structure.classes import hubs_of
from dyad_core.structure.counting import input_groupings, joint_groups, output_groupings
from dyad_core.structure.entries import COMPONENTS, Component
from dyad_core.structure.hubs import FeatureGroup, feature_group
from dyad_core.structure.sizes import MAX_HUB_BLOCKS, check_size, feature_problem, geometry_dict

__all__ = ["Neighbours", "Partners", "neighbours"]


@dataclass(frozen=True)
class Partners:
    """The features that one component joins to the chosen one, through one hub."""

    component: Component
    block: int
    hub: int
    features: FeatureGroup

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready values."""
        return {"component": self.component, "block": self.block, "hub": self.hub, **self.features.to_dict()}


@dataclass(frozen=True)
class Neighbours:
    """What the chosen feature is joined to.

    Attributes:
        geometry: the layer.
        side: ``input``: the outputs that the chosen input feeds; ``output``: the inputs that the chosen output reads.
        feature: the chosen one.
        components: the features on the other side by component.
        count: distinct features on the other side; less than the sum where both components join the same.
    """

    geometry: DyadGeometry
    side: Literal["input", "output"]
    feature: int
    components: tuple[Partners, ...]
    count: int

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready values."""
        return {
            "geometry": geometry_dict(self.geometry),
            "side": self.side,
            "feature": self.feature,
            "components": [partners.to_dict() for partners in self.components],
            "count": self.count,
        }


def neighbours(geometry: DyadGeometry, *, input: int | None = None, output: int | None = None) -> Neighbours:
    """Say what one input feeds, or what one output reads.

    Args:
        geometry: the layer, at most 2**20 features on a side and 256 blocks.
        input: an input, or
        output: an output; exactly one of the two.

    Raises:
        SpecError: when not exactly one is given, it lies outside the layer, or the layer is too large.
    """
    problems = check_size(geometry, MAX_HUB_BLOCKS)
    if (input is None) == (output is None):
        problems.append(Problem("input", "give either input or output, and not both", input))
        raise SpecError(problems)
    side: Literal["input", "output"] = "output" if input is None else "input"
    feature = output if input is None else input
    size = geometry.out_features if input is None else geometry.in_features
    if problems := [*problems, *feature_problem(side, feature, size)]:
        raise SpecError(problems)
    near, far = input_groupings(geometry), output_groupings(geometry)
    if side == "output":
        near, far = far, near
    chosen = int(feature or 0)
    hubs = hubs_of(near, np.array([chosen]))[0].tolist()
    partners = tuple(
        Partners(
            component, hub - index * geometry.n_blocks, hub, feature_group(far[index], hub - index * geometry.n_blocks)
        )
        for index, (component, hub) in enumerate(zip(COMPONENTS, hubs, strict=False))
    )
    shared = int(joint_groups(*far)[partners[0].block, partners[1].block]) if len(partners) == 2 else 0
    return Neighbours(geometry, side, chosen, partners, sum(one.features.count for one in partners) - shared)
