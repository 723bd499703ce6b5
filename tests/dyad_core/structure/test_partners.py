"""What a feature feeds and reads, against the materialised matrix."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dyad_core import DyadGeometry, SpecError
from dyad_core.structure import connectivity, neighbours

from .oracle import layers, masks


@given(layers(), st.data())
def test_partners_equal_the_materialised_matrix(geometry: DyadGeometry, data: st.DataObject):
    side = data.draw(st.sampled_from(["input", "output"]))
    size = geometry.in_features if side == "input" else geometry.out_features
    feature = data.draw(st.integers(0, size - 1))
    found = neighbours(geometry, **{side: feature})
    both = [mask[:, feature] if side == "input" else mask[feature] for mask in masks(geometry)]
    assert found.count == np.logical_or(*both).sum()
    assert [partners.component for partners in found.components] == ["blockdiag", "blocktrans"][: geometry.components]
    hubs = connectivity(geometry).hubs
    for partners, expected in zip(found.components, both, strict=False):
        members = np.flatnonzero(expected).tolist()
        assert (list(partners.features.first), partners.features.count) == (members[:8], len(members))
        hub = hubs[partners.hub]
        assert (hub.component, hub.block) == (partners.component, partners.block)
        assert partners.features == (hub.outputs if side == "input" else hub.inputs)


def test_json_has_the_agreed_shape():
    answer = json.loads(json.dumps(neighbours(DyadGeometry(768, 3072), output=800).to_dict()))
    assert (answer["side"], answer["feature"], answer["count"]) == ("output", 800, 336)
    assert answer["components"][1] == {
        "component": "blocktrans", "block": 1, "hub": 5,
        "description": "every 4th from 1", "first": [1, 5, 9, 13, 17, 21, 25, 29], "count": 192,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        ({}, "input"),
        ({"input": 1, "output": 1}, "input"),
        ({"input": 8}, "input"),
        ({"output": -1}, "output"),
        ({"output": 1.5}, "output"),
    ],
)
def test_wrong_features_are_named(arguments: dict, field: str):
    with pytest.raises(SpecError) as caught:
        neighbours(DyadGeometry(8, 8), **arguments)
    assert [problem.field for problem in caught.value.problems] == [field]
