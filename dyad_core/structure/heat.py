"""Heat maps of a chain between groups of inputs and groups of outputs: hops and numbers of paths.

*Hops* of two groups are the smallest number of layers after which every input of one reaches every output of
the other. Depths count where the layer gives as many features as the last one: an output is then the same
place in the residual stream. *Paths* are those through the whole chain, the mean over the pairs of the two
groups; where a group is one class all of its pairs have equally many.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from dyad_core.geometry import DyadGeometry, IntArray
from dyad_core.structure.classes import Classes, FloatArray, classes, hubs_of, representatives
from dyad_core.structure.counting import input_groupings, output_groupings
from dyad_core.structure.counts import count_matrices
from dyad_core.structure.encoding import encode_array, encoding_name
from dyad_core.structure.groups import Groups, display_groups
from dyad_core.structure.hubs import FeatureGroup
from dyad_core.structure.products import tiled_product
from dyad_core.structure.reach import BoolArray, extend, link, start
from dyad_core.structure.sizes import MAX_PATH_BLOCKS, Chain, check_chain

__all__ = ["HeatMaps", "heatmaps"]


@dataclass(frozen=True, eq=False)
class HeatMaps:
    """Hops and paths between groups; rows are groups of inputs, columns groups of outputs.

    Attributes:
        input_groups: at most 128, in words.
        output_groups: the same for the outputs of the last layer.
        merged: whether a group holds several classes of features, so that paths are means of unequal numbers.
        compared_depths: the depths whose outputs are as many as those of the last layer.
        hops: smallest compared depth that joins every pair of the two groups, 0 where none does; uint8.
        paths_log10: decimal logarithm of the mean number of paths through the whole chain, minus infinity for none.
    """

    input_groups: tuple[FeatureGroup, ...]
    output_groups: tuple[FeatureGroup, ...]
    merged: bool
    compared_depths: tuple[int, ...]
    hops: np.ndarray[tuple[int, int], np.dtype[np.uint8]]
    paths_log10: FloatArray

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready values; :func:`.encoding.decode_array` reads the two maps back."""
        return {
            "input_groups": [group.to_dict() for group in self.input_groups],
            "output_groups": [group.to_dict() for group in self.output_groups],
            "merged": self.merged,
            "compared_depths": list(self.compared_depths),
            "rows": len(self.input_groups),
            "columns": len(self.output_groups),
            "hops": _encoded(self.hops),
            "paths_log10": _encoded(self.paths_log10),
        }


def heatmaps(layers: Sequence[DyadGeometry]) -> HeatMaps:
    """Draw hops and paths between groups of inputs and outputs.

    Args:
        layers: 1 to 48 layers that fit each other, at most 2**20 features and 64 blocks.

    Raises:
        SpecError: as :func:`.paths.reachability`.
    """
    chain = check_chain(layers, MAX_PATH_BLOCKS)
    inputs = display_groups(input_groupings(chain[0]))
    outputs = display_groups(output_groupings(chain[-1]))
    compared = [depth for depth, layer in enumerate(chain, start=1) if layer.out_features == chain[-1].out_features]
    *_, counts = count_matrices(chain)
    left, right = (side.in_hub / [[group.count] for group in side.groups] for side in (inputs, outputs))
    means = tiled_product(tiled_product(left, counts), np.ascontiguousarray(right.T))
    with np.errstate(divide="ignore"):  # the logarithm of no path is minus infinity, and said so
        logarithms = np.log10(means)
    return HeatMaps(
        inputs.groups,
        outputs.groups,
        inputs.merged or outputs.merged,
        tuple(compared),
        _hops(chain, set(compared), inputs, outputs),
        logarithms,
    )


def _hops(chain: Chain, compared: set[int], inputs: Groups, outputs: Groups) -> Any:
    hops = np.zeros((len(inputs.groups), len(outputs.groups)), dtype=np.uint8)
    members = classes(input_groupings(chain[0]))
    reach, seen = start(chain[0]), None
    for depth, layer in enumerate(chain, start=1):
        if depth > 1:
            reach = extend(reach, link(chain[depth - 2], layer))
        now = (output_groupings(layer), reach.tobytes())
        if depth not in compared or now == seen:  # an equal reach joins nothing new
            continue
        seen = now
        missed = _missed(reach, members, inputs, classes(output_groupings(layer)), layer.n_blocks)
        apart = tiled_product(missed.astype(np.float32), _holds(layer, chain[-1], outputs))
        hops[(hops == 0) & (apart == 0)] = depth
        if hops.all():
            break
    return hops


def _missed(reach: BoolArray, inputs: Classes, groups: Groups, outputs: Classes, n: int) -> BoolArray:
    """Whether an input of a group (row) misses an output class (column)."""
    order = np.argsort(groups.of_class, kind="stable")
    # (classes of inputs by group, output hubs): 1 where none of the hubs of an input reaches
    unreached = 1 - reach[inputs.hubs[order]].max(axis=1).astype(np.float32)
    ends = np.cumsum(np.bincount(groups.of_class))
    missed = np.zeros((len(ends), len(outputs.counts)), dtype=np.bool_)
    blocks, transposed = outputs.hubs[:, 0], outputs.hubs[:, -1] - (outputs.hubs.shape[1] - 1) * n
    for group, (begin, end) in enumerate(pairwise([0, *ends.tolist()])):
        # Inputs that miss both output hubs; an output is reached through either of its hubs.
        together = tiled_product(np.ascontiguousarray(unreached[begin:end, :n].T), unreached[begin:end, -n:])
        missed[group] = together[blocks, transposed] > 0
    return missed


def _holds(layer: DyadGeometry, last: DyadGeometry, outputs: Groups) -> Any:
    """Whether an output class of ``layer`` (row) has features in an output group of ``last`` (column); float32."""
    here, there = output_groupings(layer), output_groupings(last)
    features = representatives((*here, *there))
    holds = np.zeros((len(classes(here).counts), len(outputs.groups)), dtype=np.float32)
    holds[_class_of(here, features), outputs.of_class[_class_of(there, features)]] = 1
    return holds


def _class_of(groupings: Any, features: IntArray) -> IntArray:
    """The class of each feature, as :func:`.classes.classes` orders them."""
    n, found = groupings[0].n_blocks, classes(groupings)
    code = np.full(n * 2 * n, -1, dtype=np.int64)
    code[found.hubs[:, 0] * 2 * n + found.hubs[:, -1]] = np.arange(len(found.counts))
    hubs = hubs_of(groupings, features)
    known: IntArray = code[hubs[:, 0] * 2 * n + hubs[:, -1]]
    return known


def _encoded(values: Any) -> dict[str, Any]:
    return {"values": encode_array(values), "encoding": encoding_name(values.dtype), "dtype": values.dtype.name}
