"""Path counts by distance against whole integer matrices."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dyad_core import DyadGeometry, SpecError
from dyad_core.structure import Locality, locality, nearness, stack

from .oracle import chains, paths_by_depth


def check(found: Locality, counts: np.ndarray) -> None:
    outputs, inputs = counts.shape
    edges = [[cell * size // found.cells for cell in range(found.cells + 1)] for size in (inputs, outputs)]
    cell_in, cell_out = (
        np.searchsorted(np.array(edge), np.arange(size), side="right") - 1
        for edge, size in zip(edges, (inputs, outputs), strict=True)
    )
    distance = np.abs(cell_out[:, None] - cell_in[None, :])
    total = sum(counts.ravel().tolist())
    for at in range(found.cells):
        here = counts[distance == at].tolist()
        assert found.pairs[at] == len(here)
        expected = (min(here), sum(here) / len(here), max(here))
        shown = (found.min[at], found.mean[at], found.max[at])
        if found.logarithmic:
            logarithms = [None if number == 0 else pytest.approx(math.log10(number), abs=1e-9) for number in expected]
            assert list(shown) == logarithms
        else:
            assert (shown[0], shown[2]) == (expected[0], expected[2])
            assert shown[1] == pytest.approx(expected[1])
    near = counts[distance == 0].tolist()
    assert found.near_over_mean == pytest.approx(sum(near) / len(near) / (total / counts.size))


@settings(max_examples=60)
@given(chains(max_layers=4), st.sampled_from([3, 5, 16, 128]))
def test_counts_by_distance_equal_the_materialised_chain(chain: list[DyadGeometry], most: int):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(nearness, "MAX_CELLS", most)
        patch.setattr(nearness, "FEW_CELLS", min(most, 4))
        found = locality(chain)
    assert found.cells <= most
    assert sum(found.pairs) == chain[0].in_features * chain[-1].out_features
    check(found, paths_by_depth(chain)[-1])


@pytest.mark.parametrize("variant", ["it", "dt", "bd"])
def test_deep_chains_are_logarithms(variant: str):
    chain = [DyadGeometry(24, 24, 4, variant)] * 30
    found = locality(chain)
    assert found.logarithmic
    check(found, paths_by_depth(chain)[-1])


def test_one_cell_per_feature_is_the_index_distance():
    found = locality([DyadGeometry(64, 64, 4, "bd")])
    assert found.cells == 64
    assert found.pairs[:3] == (64, 126, 124)
    assert [count > 0 for count in found.max] == [True] * 16 + [False] * 48


def test_near_dimensions_are_favoured_at_any_width():
    found = locality(stack(DyadGeometry(2**20, 2**20, 64, "it"), 2))
    assert found.cells == 128
    assert found.mean[0] > found.mean[64]
    assert found.near_over_mean > 1


def test_json_is_strict():
    answer = locality(stack(DyadGeometry(48, 96, 4, "bd"), 40)).to_dict()
    answer = json.loads(json.dumps(answer, allow_nan=False))
    assert set(answer) == {
        "in_features", "out_features", "cells", "distance", "pairs", "min", "mean", "max", "logarithmic", "near_over_mean",
    }  # fmt: skip
    assert answer["logarithmic"] is True
    assert answer["min"][-1] is None
    assert len(answer["distance"]) == len(answer["mean"]) == answer["cells"] == 48


def test_more_blocks_than_the_limit_are_refused():
    with pytest.raises(SpecError, match="at most 64"):
        locality([DyadGeometry(1024, 1024, 128)])
