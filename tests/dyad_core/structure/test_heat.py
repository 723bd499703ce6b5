"""Heat maps against whole matrices: hops by breadth-first search, paths by integer matrix products."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import assume, given, settings

from dyad_core import DyadGeometry, SpecError
from dyad_core.structure import HeatMaps, decode_array, groups, heatmaps, stack
from dyad_core.structure.counting import input_groupings, output_groupings

from .oracle import chains, layers, paths_by_depth, reached_by_depth
from .test_wording import features_in


def members(description: str, features: int) -> list[int]:
    """The features that the words of a group name."""
    span, _, runs = description.partition(": ")
    return sorted(set(features_in(span, features)) & set(features_in(runs or span, features)))


def first_depths(chain: list[DyadGeometry]) -> np.ndarray:
    """Smallest compared depth that joins each pair, (inputs, outputs); a breadth-first search, level by level."""
    width = chain[-1].out_features
    found = np.zeros((chain[0].in_features, width), dtype=np.int64)
    for depth, reached in enumerate(reached_by_depth(chain), start=1):
        if len(reached) == width:
            found[(found == 0) & reached.T] = depth
    return found


def check(chain: list[DyadGeometry], found: HeatMaps) -> None:
    rows = [members(group.description, chain[0].in_features) for group in found.input_groups]
    columns = [members(group.description, chain[-1].out_features) for group in found.output_groups]
    for shown, listed, size in (
        (found.input_groups, rows, chain[0].in_features),
        (found.output_groups, columns, chain[-1].out_features),
    ):
        assert sorted(feature for group in listed for feature in group) == list(range(size))
        assert [group.count for group in shown] == [len(group) for group in listed]
        assert [list(group.first) for group in shown] == [group[:8] for group in listed]
    counts, reached = paths_by_depth(chain)[-1].T.astype(np.float64), reached_by_depth(chain)
    for row, inputs in enumerate(rows):
        for column, outputs in enumerate(columns):
            pairs = np.ix_(inputs, outputs)
            joined = [depth for depth in found.compared_depths if reached[depth - 1].T[pairs].all()]
            assert found.hops[row, column] == (joined[0] if joined else 0)
            mean = counts[pairs].mean()
            assert found.paths_log10[row, column] == (-np.inf if mean == 0 else pytest.approx(np.log10(mean)))
            if not found.merged:
                assert np.ptp(counts[pairs]) == 0


@settings(max_examples=60)
@given(chains(max_layers=4))
def test_every_class_of_its_own(chain: list[DyadGeometry]):
    check(chain, heatmaps(chain))


@settings(max_examples=60)
@given(chains(max_layers=4))
def test_classes_taken_together(chain: list[DyadGeometry]):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(groups, "MAX_GROUPS", 9)
        patch.setattr(groups, "SMALLEST_PARTS", 2)
        found = heatmaps(chain)
    assert max(found.hops.shape) <= 9
    check(chain, found)


@pytest.mark.parametrize("variant", ["it", "dt", "bd"])
def test_deep_chains_are_logarithms(variant: str):
    check(chain := [DyadGeometry(24, 24, 4, variant)] * 40, heatmaps(chain))


@given(chains(max_layers=3))
def test_hops_of_single_classes_are_those_of_their_features(chain: list[DyadGeometry]):
    found = heatmaps(chain)
    assume(not found.merged and len({output_groupings(chain[depth - 1]) for depth in found.compared_depths}) == 1)
    by_feature = first_depths(chain)
    for row, inputs in enumerate(found.input_groups):
        for column, outputs in enumerate(found.output_groups):
            assert found.hops[row, column] == by_feature[inputs.first[0], outputs.first[0]]


@given(layers())
def test_groups_hold_as_many_features_of_a_hub_as_they_say(layer: DyadGeometry):
    for groupings in (input_groupings(layer), output_groupings(layer)):
        found = groups.display_groups(groupings)
        for row, group in enumerate(found.groups):
            listed = np.array(members(group.description, groupings[0].features))
            for index, side in enumerate(groupings):
                expected = np.bincount(side.group(listed), minlength=side.n_blocks)
                here = found.in_hub[row, index * side.n_blocks : (index + 1) * side.n_blocks]
                np.testing.assert_array_equal(here, expected)


@pytest.mark.parametrize(("n", "parts"), [(4, 16), (11, 121), (12, 121), (16, 64), (64, 64)])
def test_n_blocks_make_at_most_128_groups(n: int, parts: int):
    width = n * n * 16
    found = heatmaps([DyadGeometry(width, width, n, "dt")])
    assert found.hops.shape == (parts, parts)
    assert found.merged == (n > 11)  # 11² is the most below 128


def test_json_has_the_agreed_shape():
    found = heatmaps(stack(DyadGeometry(768, 3072, 4), 2))
    answer = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert set(answer) == {
        "input_groups", "output_groups", "merged", "compared_depths", "rows", "columns", "hops", "paths_log10",
    }  # fmt: skip
    assert answer["input_groups"][5] == {
        "description": "192–383: every 4th from 1", "first": [193, 197, 201, 205, 209, 213, 217, 221], "count": 48,
    }  # fmt: skip
    assert [group["description"] for group in answer["output_groups"]] == ["0–191", "192–383", "384–575", "576–767"]
    assert (answer["rows"], answer["columns"], answer["compared_depths"], answer["merged"]) == (16, 4, [2], False)
    for name, values, dtype in (("hops", found.hops, "uint8"), ("paths_log10", found.paths_log10, "float64")):
        assert dtype in answer[name]["encoding"]
        decoded = decode_array(answer[name]["values"], 16, 4, answer[name]["dtype"])
        np.testing.assert_array_equal(decoded, values)
    assert (found.hops == 2).all()


def test_depth_of_other_widths_is_not_compared():
    back = DyadGeometry(96, 48)
    assert heatmaps([DyadGeometry(48, 48), DyadGeometry(48, 96), back]).compared_depths == (1, 3)


def test_more_blocks_than_the_limit_are_refused():
    with pytest.raises(SpecError, match="at most 64"):
        heatmaps([DyadGeometry(1024, 1024, 128)])
