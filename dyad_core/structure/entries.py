"""Which stored parameter stands behind one entry of the dense weight.

Each component gives every output and every input a block and a position in it. An entry belongs to a
component when its output and its input are in the same block; its parameter is then
``weight_<component>[block, output position, input position]``. So a picture of single entries needs
only four numbers per row and per column to name all of its entries.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

from dyad_core.errors import SpecError
from dyad_core.geometry import DyadGeometry
from dyad_core.structure.counting import input_groupings, output_groupings
from dyad_core.structure.sizes import feature_problem

__all__ = ["COMPONENTS", "Component", "Entry", "Parameter", "describe_axis", "describe_entry"]

Component = Literal["blockdiag", "blocktrans"]
COMPONENTS: tuple[Component, Component] = ("blockdiag", "blocktrans")


@dataclass(frozen=True)
class Parameter:
    """One stored weight: ``weight_<component>[block, output_position, input_position]``."""

    component: Component
    block: int
    output_position: int
    input_position: int

    def __str__(self) -> str:
        """The parameter as Python would index it."""
        return f"weight_{self.component}[{self.block}, {self.output_position}, {self.input_position}]"


@dataclass(frozen=True)
class Entry:
    """One entry of the dense weight and the stored parameters that add up to it: none, one or two."""

    output: int
    input: int
    parameters: tuple[Parameter, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready values."""
        return {**asdict(self), "parameters": [asdict(parameter) for parameter in self.parameters]}


def describe_entry(geometry: DyadGeometry, output: int, input: int) -> Entry:
    """Name the parameters at row ``output`` and column ``input`` of the dense weight.

    Raises:
        SpecError: when the entry lies outside the matrix.
    """
    problems = feature_problem("output", output, geometry.out_features)
    problems += feature_problem("input", input, geometry.in_features)
    if problems:
        raise SpecError(problems)
    parameters = []
    sides = zip(COMPONENTS, output_groupings(geometry), input_groupings(geometry), strict=False)
    for component, output_side, input_side in sides:
        row, column = np.array([output], dtype=np.int64), np.array([input], dtype=np.int64)
        block = int(output_side.group(row)[0])
        if block == int(input_side.group(column)[0]):
            positions = int(output_side.position(row)[0]), int(input_side.position(column)[0])
            parameters.append(Parameter(component, block, *positions))
    return Entry(int(output), int(input), tuple(parameters))


def describe_axis(
    geometry: DyadGeometry, axis: Literal["output", "input"], start: int, stop: int
) -> dict[str, list[int] | None]:
    """Block and position in each component of the features ``start`` to ``stop - 1`` on one side.

    Keys: ``blockdiag_block``, ``blockdiag_position``, ``blocktrans_block``, ``blocktrans_position``; the last
    two are None for ``bd``.
    """
    features = np.arange(start, stop, dtype=np.int64)
    sides = output_groupings(geometry) if axis == "output" else input_groupings(geometry)
    described: dict[str, list[int] | None] = {}
    for component, side in zip(COMPONENTS, [*sides, None][:2], strict=True):
        described[f"{component}_block"] = None if side is None else side.group(features).tolist()
        described[f"{component}_position"] = None if side is None else side.position(features).tolist()
    return described
