"""One pair of features against whole matrices: hops, exact numbers of paths, and a path that exists."""

from __future__ import annotations

import json
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dyad_core import DyadGeometry, SpecError
from dyad_core.structure import Trace, connectivity, stack, trace

from .oracle import chains, masks, paths_by_depth
from .test_heat import first_depths


def check_path(found: Trace) -> None:
    """Every step is a position that its component writes, and the steps hang together."""
    assert len(found.path) == (found.hops or 0)
    for index, step in enumerate(found.path):
        layer = found.layers[index]
        assert step.layer == index + 1
        mask = masks(layer)[("blockdiag", "blocktrans").index(step.component)]
        assert mask[step.output, step.input]
        hub = connectivity(layer).hubs[step.hub]
        assert (hub.component, hub.block) == (step.component, step.block)
    assert all(before.output == after.input for before, after in pairwise(found.path))
    if found.path:
        assert (found.path[0].input, found.path[-1].output) == (found.input, found.output)


@settings(max_examples=120)
@given(chains(), st.data())
def test_a_pair_equals_the_materialised_chain(chain: list[DyadGeometry], data: st.DataObject):
    input = data.draw(st.integers(0, chain[0].in_features - 1))
    output = data.draw(st.integers(0, chain[-1].out_features - 1))
    found = trace(chain, input, output)
    counts = paths_by_depth(chain)
    assert found.paths == counts[-1][output, input]
    assert (found.hops or 0) == first_depths(chain)[input, output]
    assert found.paths_at_hops == (counts[found.hops - 1][output, input] if found.hops else 0)
    check_path(found)


def test_the_widest_deepest_pair_is_exact():
    found = trace([DyadGeometry(2**20, 2**20, 1)] * 48, 7, 2**20 - 1)
    assert found.paths == 2**988
    answer = found.to_dict()["paths"]
    assert (answer["text"], answer["count"]) == (str(2**988), None)
    assert answer["log10"] == pytest.approx(988 * np.log10(2))


def test_json_has_the_agreed_shape():
    answer = json.loads(json.dumps(trace(stack(DyadGeometry(96, 384), 2), 0, 95).to_dict(), allow_nan=False))
    assert set(answer) == {
        "layers", "input", "output", "compared_depths", "hops", "paths_at_hops", "paths", "path",
    }  # fmt: skip
    assert (answer["input"], answer["output"], answer["compared_depths"], answer["hops"]) == (0, 95, [2], 2)
    assert (
        answer["paths"] == answer["paths_at_hops"] == {"text": "48", "count": 48, "log10": pytest.approx(np.log10(48))}
    )
    assert answer["path"][1] == {
        "layer": 2, "input": 3, "hub": 7, "component": "blocktrans", "block": 3, "output": 95,
    }  # fmt: skip


def test_a_pair_that_is_never_joined_says_so():
    answer = trace([DyadGeometry(64, 64, 4, "bd")] * 5, 0, 63).to_dict()
    assert answer["hops"] is None
    assert answer["path"] == []
    assert answer["paths"] == {"text": "0", "count": 0, "log10": None}


def test_features_outside_the_chain_are_named_together():
    with pytest.raises(SpecError) as caught:
        trace([DyadGeometry(96, 384)], 96, -1)
    assert [problem.field for problem in caught.value.problems] == ["input", "output"]
    with pytest.raises(SpecError, match="0 to 383"):
        trace([DyadGeometry(96, 384)], 0, True)
