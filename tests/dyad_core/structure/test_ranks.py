"""The rank of drawn weights against numpy's on the plain product, and its limits."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings

from dyad_core import DyadGeometry, SpecError
from dyad_core.structure import rank
from dyad_core.structure.ranks import realised_weight

from .oracle import chains, layers, masks


@given(layers())
def test_realised_weights_lie_on_the_pattern_and_within_the_paper_bound(layer: DyadGeometry):
    weight = realised_weight(layer, np.random.default_rng(0))
    diagonal, transposed = masks(layer)
    np.testing.assert_array_equal(weight != 0, diagonal | transposed)
    covered = diagonal.astype(np.int64) + transposed
    assert (np.abs(weight) <= covered / np.sqrt(layer.in_features)).all()


@settings(max_examples=40)
@given(chains(max_layers=3))
def test_rank_equals_that_of_the_product(chain: list[DyadGeometry]):
    found = rank(chain, seed=3)
    random, product = np.random.default_rng(3), None
    for layer, ranked in zip(chain, found.ranks, strict=True):
        weight = realised_weight(layer, random)
        product = weight if product is None else weight @ product
        assert ranked == np.linalg.matrix_rank(product, tol=1e-9 * np.linalg.norm(product, 2))


def test_rank_of_a_deep_chain_is_not_lost_in_rounding():
    assert rank([DyadGeometry(64, 64, 4)] * 48).ranks == (64,) * 48


def test_a_narrow_layer_bounds_all_that_follow():
    answer = json.loads(json.dumps(rank([DyadGeometry(64, 16), DyadGeometry(16, 64)], seed=1).to_dict()))
    assert [(depth["rank"], depth["bound"], depth["full"]) for depth in answer["depths"]] == [(16, 16, True)] * 2
    assert (answer["rank"], answer["seed"]) == (16, 1)
    assert "numerical" in answer["method"]


def test_limits_are_named():
    with pytest.raises(SpecError, match="at most 1024") as caught:
        rank([DyadGeometry(1024, 2048)], seed=-1)
    assert [problem.field for problem in caught.value.problems] == ["layers.0.out_features", "seed"]
    with pytest.raises(SpecError, match="fewer or narrower"):
        rank([DyadGeometry(1024, 1024)] * 17)
