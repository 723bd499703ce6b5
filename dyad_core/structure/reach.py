"""Which features reach which through a chain of layers, by products of small hub matrices.

``reach[h, h']`` says whether a path leads from input hub h of the first layer to output hub h' of the last.
In one layer a hub feeds only itself; from layer to layer it goes on wherever an output hub and an input hub
share a feature. Pairs of features are then counted by class: all features in the same two blocks (one of
each component) reach the same hubs, so at most n² classes on either side stand for every feature. The cost
depends on n, not on the width.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from dyad_core.geometry import DyadGeometry, IntArray, Side
from dyad_core.structure.counting import hub_overlap, input_groupings, joint_groups, output_groupings
from dyad_core.structure.products import tiled_product
from dyad_core.structure.sizes import Chain

__all__ = ["BoolArray", "extend", "link", "reach_of", "reach_when_repeated", "reached_pairs", "start"]

BoolArray = npt.NDArray[np.bool_]
CHUNK = 8192
"""Input classes weighed at once: bounds the memory of :func:`reached_pairs` without costing speed."""


def start(layer: DyadGeometry) -> BoolArray:
    """Reach through one layer: each hub itself. Shape (hubs, hubs)."""
    return np.eye(layer.components * layer.n_blocks, dtype=np.bool_)


# The caches hold matrices of at most 512 × 512; a dashboard asks for the same layers again and again.
@lru_cache(maxsize=64)
def link(before: DyadGeometry, after: DyadGeometry) -> BoolArray:
    """Whether an output hub of ``before`` (row) shares a feature with an input hub of ``after`` (column)."""
    shared: BoolArray = hub_overlap(before, after) > 0
    shared.flags.writeable = False
    return shared


@lru_cache(maxsize=64)
def _classes(groupings: tuple[Side, ...]) -> IntArray:
    """Features by BLOCKDIAG block and BLOCKTRANS block, shape (n, n); ``bd`` counts its one block for both."""
    counts = joint_groups(groupings[0], groupings[-1])
    counts.flags.writeable = False
    return counts


def extend(reach: BoolArray, following: BoolArray) -> BoolArray:
    """Reach through what follows as well: the Boolean product, shapes (a, b) and (b, c) to (a, c)."""
    # float32 is exact here: an entry counts at most 512 hubs, and only zero or not matters.
    return tiled_product(reach.astype(np.float32), following.astype(np.float32)) > 0


def reach_of(chain: Chain) -> BoolArray:
    """Reach through a whole chain, shape (input hubs of the first layer, output hubs of the last)."""
    reach = start(chain[0])
    for before, after in pairwise(chain):
        reach = extend(reach, link(before, after))
    return reach


def reach_when_repeated(chain: Chain) -> tuple[BoolArray, int]:
    """Reach through a chain that follows itself so often that no further repetition can complete it.

    Boolean powers of an N × N matrix repeat after at most (N - 1)² + 1 of them (Wielandt), and a full reach
    stays full; so what is missing after that many repetitions is missing for ever.

    Returns:
        the reach and the number of layers it was taken through.
    """
    once = reach_of(chain)
    power = extend(once, link(chain[-1], chain[0]))
    repetitions = 1
    while repetitions < (len(power) - 1) ** 2 + 1:
        power = extend(power, power)
        repetitions *= 2
    return extend(power, once), (repetitions + 1) * len(chain)


def reached_pairs(reach: BoolArray, first: DyadGeometry, last: DyadGeometry) -> int:
    """Pairs (input of ``first``, output of ``last``) that a path joins, exactly.

    A pair is missed when none of its four hub pairs is reached: the hubs of its input's two blocks with the
    hubs of its output's two blocks. Missed pairs are counted, by classes.
    """
    inputs, outputs = _classes(input_groupings(first)), _classes(output_groupings(last))
    total = first.in_features * last.out_features
    if reach.all():
        return total
    missing = ~reach
    if np.count_nonzero(outputs) < np.count_nonzero(inputs):
        missing, inputs, outputs = missing.T, outputs, inputs
    return total - _missed_pairs(missing, inputs, outputs)


def _missed_pairs(missing: BoolArray, inputs: IntArray, outputs: IntArray) -> int:
    """Sum of ``inputs[a, a'] * outputs[b, b']`` over the classes whose four hub pairs are all missing."""
    diagonal, transposed = missing[: len(inputs)], missing[-len(inputs) :]
    blocks, groups = np.nonzero(inputs)
    weights = outputs.astype(np.float64)
    missed = 0
    for begin in range(0, len(blocks), CHUNK):
        block, group = blocks[begin : begin + CHUNK], groups[begin : begin + CHUNK]
        # (classes, output hubs): the output hubs that neither block of an input reaches
        unreached = diagonal[block] & transposed[group]
        some = unreached.any(axis=1)
        unreached = unreached[some]
        left, right = unreached[:, : len(outputs)], unreached[:, -len(outputs) :]
        # Sums of counts below 2**40 (see sizes.py), so float64 is exact.
        outputs_missed = (tiled_product(left.astype(np.float64), weights) * right).sum(axis=1).astype(np.int64)
        missed += int(outputs_missed @ inputs[block[some], group[some]])
    return missed
