"""Connected parts against union-find over every feature, and the known splits."""

from __future__ import annotations

import pytest
from hypothesis import given, settings

from dyad_core import DyadGeometry
from dyad_core.structure import reachability

from .oracle import chains, parts_by_depth


def parts(*chain: DyadGeometry) -> list[int]:
    return [depth.connected_parts for depth in reachability(chain).depths]


@settings(max_examples=80)
@given(chains(max_layers=4))
def test_parts_equal_union_find_over_all_features(chain: list[DyadGeometry]):
    assert parts(*chain) == parts_by_depth(chain)


@pytest.mark.parametrize(("width", "n", "expected"), [(256, 32, 4), (64, 16, 4), (1024, 64, 4), (768, 48, 3)])
def test_square_dt_stays_in_parts_for_ever(width: int, n: int, expected: int):
    assert parts(*[DyadGeometry(width, width, n, "dt")] * 48)[-1] == expected


def test_block_diagonal_alone_has_a_part_for_each_block_until_another_layer_ties_them():
    blocks = DyadGeometry(2**20, 2**20, 64, "bd")
    assert parts(blocks, blocks, DyadGeometry(2**20, 2**20, 64, "it"), blocks) == [64, 64, 1, 1]


def test_one_part_is_not_full_reach():
    (depth,) = reachability([DyadGeometry(768, 3072)]).depths
    assert (depth.connected_parts, depth.full) == (1, False)
