"""Joint counts by closed form against counting every feature."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dyad_core.geometry import DyadGeometry, Side, divisors
from dyad_core.structure.counting import (
    common_feature,
    hub_overlap,
    input_groupings,
    interval_counts,
    joint_groups,
    neighbourhood,
)

from .oracle import WIDTHS, chains


@st.composite
def sides(draw: st.DrawFn, features: int) -> Side:
    n = draw(st.sampled_from(divisors(features)))
    grain = draw(st.sampled_from(divisors(features // n)))
    return Side(features, n, grain, interleaved=True)


@st.composite
def side_pairs(draw: st.DrawFn) -> tuple[Side, Side]:
    features = draw(st.sampled_from((*WIDTHS, 210, 360)))
    return draw(sides(features)), draw(sides(features))


def counted(first: Side, second: Side) -> np.ndarray:
    counts = np.zeros((first.n_blocks, second.n_blocks), dtype=np.int64)
    for feature in range(first.features):
        counts[(feature // first.run) % first.n_blocks, (feature // second.run) % second.n_blocks] += 1
    return counts


@given(side_pairs())
def test_joint_groups_counts_every_feature(pair: tuple[Side, Side]):
    np.testing.assert_array_equal(joint_groups(*pair), counted(*pair))


def test_joint_groups_of_two_grains_and_coprime_n():
    first, second = Side(7 * 9 * 4, 7, 4, interleaved=True), Side(7 * 9 * 4, 9, 2, interleaved=True)
    np.testing.assert_array_equal(joint_groups(first, second), counted(first, second))


def test_joint_groups_refuses_different_widths():
    with pytest.raises(ValueError, match="8 and of 12"):
        joint_groups(neighbourhood(8, 2), neighbourhood(12, 2))


@given(st.data(), st.sampled_from(WIDTHS))
def test_interval_counts_counts_every_feature(data: st.DataObject, features: int):
    side = data.draw(sides(features))
    edges = np.array(sorted(data.draw(st.lists(st.integers(0, features), min_size=2, max_size=6))))
    expected = np.zeros((len(edges) - 1, side.n_blocks), dtype=np.int64)
    for row, (begin, end) in enumerate(zip(edges[:-1], edges[1:], strict=True)):
        for feature in range(begin, end):
            expected[row, (feature // side.run) % side.n_blocks] += 1
    np.testing.assert_array_equal(interval_counts(side, edges), expected)


@given(chains(max_layers=2))
def test_hub_overlap_counts_every_feature(chain: list[DyadGeometry]):
    before, after = chain[0], chain[-1]
    if before.out_features != after.in_features:
        return  # a chain of one rectangular layer has no interface
    counts = hub_overlap(before, after)
    assert counts.shape == (before.components * before.n_blocks, after.components * after.n_blocks)
    rows = [
        (f // before.block_out, (f // before.output_side.run) % before.n_blocks) for f in range(before.out_features)
    ]
    columns = [(f // after.block_in, (f // after.input_side.run) % after.n_blocks) for f in range(after.in_features)]
    expected = np.zeros_like(counts)
    for row, column in zip(rows, columns, strict=True):
        for component in range(before.components):
            for other in range(after.components):
                expected[row[component] + component * before.n_blocks, column[other] + other * after.n_blocks] += 1
    np.testing.assert_array_equal(counts, expected)


@pytest.mark.parametrize("features", [2**10, 2**20, 2**40])
def test_joint_groups_of_any_width_hold_every_feature_once(features: int):
    geometry = DyadGeometry(features, features, 64, "dt")
    counts = joint_groups(*input_groupings(geometry))
    assert counts.sum() == features
    assert (counts.sum(axis=0) == features // 64).all()
    assert (counts.sum(axis=1) == features // 64).all()


@given(side_pairs())
def test_common_feature_is_the_smallest_in_both_groups(pair: tuple[Side, Side]):
    first, second = pair
    members, others = first.members(), second.members()
    for group in range(min(first.n_blocks, 6)):
        for other in range(min(second.n_blocks, 6)):
            shared = set(members[group].tolist()) & set(others[other].tolist())
            assert common_feature(first, group, second, other) == (min(shared) if shared else None)
