"""Into how many parts a chain falls that no path connects.

The *connected parts* of the first k layers are the connected components of the layered graph whose vertices
are the features at every level (the inputs, the outputs of layer 1, …, the outputs of layer k) and whose
edges are the non-zero positions of the weights, taken without direction. One part does not mean that every
pair is reached; more than one means that pairs in different parts are never reached, at this depth.

Features are never listed: hubs that share a feature are in one part, and every part has output hubs of the
last layer, because every feature feeds something. So the parts are labels on at most 2n hubs, carried on
from layer to layer.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from dyad_core.geometry import DyadGeometry, IntArray, Side
from dyad_core.structure.counting import input_groupings, joint_groups, output_groupings
from dyad_core.structure.reach import BoolArray, link
from dyad_core.structure.sizes import Chain

__all__ = ["connected_parts"]


def connected_parts(chain: Chain) -> tuple[int, ...]:
    """Number of connected parts of the first 1, 2, … layers of ``chain``."""
    first = chain[0]
    labels = _merged(np.vstack([_ties(input_groupings(first)), _ties(output_groupings(first))]))
    parts = [_number(labels)]
    for before, after in pairwise(chain):
        if parts[-1] > 1:  # what is one part stays one: every new feature is tied to an old one
            labels = _carried(labels, before, after)
        parts.append(_number(labels) if parts[-1] > 1 else 1)
    return tuple(parts)


def _carried(labels: IntArray, before: DyadGeometry, after: DyadGeometry) -> IntArray:
    """Labels of the hubs of ``after``, given those of ``before``."""
    members = np.arange(_number(labels))[:, None] == labels[None, :]
    order = np.argsort(labels, kind="stable")
    begins = np.concatenate([[0], np.cumsum(members.sum(axis=1))[:-1]])
    touched = np.logical_or.reduceat(link(before, after)[order], begins, axis=0)
    return _merged(np.vstack([touched, _ties(output_groupings(after))]))


def _ties(groupings: tuple[Side, ...]) -> BoolArray:
    """Hubs that share a feature on one side of a layer: one row for each BLOCKDIAG block, shape (n, hubs)."""
    own = np.eye(groupings[0].n_blocks, dtype=np.bool_)
    return own if len(groupings) == 1 else np.hstack([own, joint_groups(*groupings) > 0])


def _merged(ties: BoolArray) -> IntArray:
    """Label from 0 for each column, equal for columns that some chain of rows ties together. Shape (columns,)."""
    columns = ties.shape[1]
    labels = np.arange(columns)
    while True:
        smallest = np.where(ties, labels, columns).min(axis=1)
        lowered = np.minimum(labels, np.where(ties, smallest[:, None], columns).min(axis=0))
        if np.array_equal(lowered, labels):
            merged: IntArray = np.unique(labels, return_inverse=True)[1]
            return merged
        labels = lowered


def _number(labels: IntArray) -> int:
    return int(labels.max()) + 1
