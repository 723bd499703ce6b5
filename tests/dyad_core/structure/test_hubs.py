"""Hubs and what they share, against the materialised matrix."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given

from dyad_core import DyadGeometry, SpecError
from dyad_core.structure import connectivity

from .oracle import blocks_of, groups_of, layers, masks


@given(layers())
def test_hubs_connect_exactly_the_positions_of_the_weight(geometry: DyadGeometry):
    answer = connectivity(geometry)
    assert len(answer.hubs) == geometry.components * geometry.n_blocks
    assert [hub.index for hub in answer.hubs] == list(range(len(answer.hubs)))
    for mask, component in zip(masks(geometry), ("blockdiag", "blocktrans"), strict=True):
        hubs = [hub for hub in answer.hubs if hub.component == component]
        assert sum(hub.inputs.count * hub.outputs.count for hub in hubs) == mask.sum()
        for hub in hubs:
            inputs = np.flatnonzero(mask[hub.outputs.first[0]])
            outputs = np.flatnonzero(mask[:, hub.inputs.first[0]])
            for shown, members in ((hub.inputs, inputs), (hub.outputs, outputs)):
                assert shown.count == len(members)
                assert list(shown.first) == members[:8].tolist()


@given(layers())
def test_partners_of_a_feature_equal_the_materialised_matrix(geometry: DyadGeometry):
    answer = connectivity(geometry)
    weight = np.logical_or(*masks(geometry))
    for spread, counts in ((answer.reads_per_output, weight.sum(axis=1)), (answer.feeds_per_input, weight.sum(axis=0))):
        assert (spread.min, spread.max) == (counts.min(), counts.max())
        assert spread.mean == pytest.approx(counts.mean())


@given(layers(variants=("it", "ot", "dt")))
def test_shared_features_of_hubs_are_counted(geometry: DyadGeometry):
    answer, n, grain = connectivity(geometry), geometry.n_blocks, geometry.grain
    for shared, features, where in (
        (answer.input_hub_shared, geometry.in_features, ("it", "dt")),
        (answer.output_hub_shared, geometry.out_features, ("ot", "dt")),
    ):
        blocks = blocks_of(features, n)
        groups = groups_of(features, n, grain, interleaved=geometry.variant in where)
        expected = [[np.sum((blocks == block) & (groups == group)) for group in range(n)] for block in range(n)]
        np.testing.assert_array_equal(shared, expected)


def test_json_has_the_agreed_shape():
    answer = json.loads(json.dumps(connectivity(DyadGeometry(768, 3072, 4, "it")).to_dict()))
    assert set(answer) == {
        "geometry", "hubs", "input_hub_shared", "output_hub_shared", "reads_per_output", "feeds_per_input", "formula",
    }  # fmt: skip
    assert answer["hubs"][5] == {
        "index": 5,
        "component": "blocktrans",
        "block": 1,
        "inputs": {"description": "every 4th from 1", "first": [1, 5, 9, 13, 17, 21, 25, 29], "count": 192},
        "outputs": {"description": "768–1535", "first": list(range(768, 776)), "count": 768},
    }
    assert answer["input_hub_shared"] == [[48] * 4] * 4
    assert answer["output_hub_shared"] == [[768 if row == column else 0 for column in range(4)] for row in range(4)]
    assert answer["reads_per_output"] == {"min": 336, "max": 336, "mean": 336.0}
    assert answer["feeds_per_input"] == {"min": 768, "max": 1536, "mean": 1344.0}


def test_bd_has_n_hubs_and_shares_nothing():
    answer = connectivity(DyadGeometry(12, 24, 3, "bd")).to_dict()
    assert len(answer["hubs"]) == 3
    assert answer["input_hub_shared"] is answer["output_hub_shared"] is None
    assert answer["reads_per_output"] == {"min": 4, "max": 4, "mean": 4.0}


def test_more_blocks_than_the_limit_are_refused():
    with pytest.raises(SpecError, match="at most 256") as caught:
        connectivity(DyadGeometry(1024, 1024, 512))
    assert [problem.field for problem in caught.value.problems] == ["n_blocks"]
