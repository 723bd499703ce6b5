"""Other structures of equal cost: their parameters and reach against materialised matrices."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings

from dyad_core import DyadGeometry, SpecError
from dyad_core.structure import Alternative, compare, stack

from .oracle import blocks_of, chains, masks


def by_name(chain: list[DyadGeometry]) -> dict[str, Alternative]:
    return {alternative.name: alternative for alternative in compare(chain).alternatives}


def monarch_factors(layer: DyadGeometry, words: str) -> tuple[np.ndarray, np.ndarray]:
    """The two masks of a Monarch layer as its words describe it: (middle, in) and (out, middle)."""
    blocks, middle = (int(number) for number in words.replace(" blocks, middle", "").split())
    first = blocks_of(middle, blocks)[:, None] == blocks_of(layer.in_features, blocks)[None, :]
    second = blocks_of(layer.out_features, blocks)[:, None] == (np.arange(middle) % blocks)[None, :]
    return first, second


@settings(max_examples=60)
@given(chains(max_layers=4))
def test_monarch_is_what_its_words_say(chain: list[DyadGeometry]):
    found = by_name(chain)["monarch"]
    reach = None
    parameters, width = 0, chain[0].in_features
    for depth, (layer, words) in enumerate(zip(chain, found.choices, strict=True)):
        first, second = monarch_factors(layer, words)
        parameters += int(first.sum() + second.sum())
        width = min(width, *first.shape, *second.shape)
        here = second.astype(np.int64) @ first.astype(np.int64)
        reach = here if reach is None else here @ (reach > 0)
        assert found.reached_pairs[depth] == np.count_nonzero(reach)
    assert found.parameters == parameters
    assert found.rank_bound == width


@settings(max_examples=60)
@given(chains(max_layers=4))
def test_block_diagonal_low_rank_and_dense_are_what_their_words_say(chain: list[DyadGeometry]):
    found = by_name(chain)
    blocks, low, dense = (found[name] for name in ("block_diagonal", "low_rank", "dense"))
    reach, parameters, low_parameters = None, 0, 0
    for depth, (layer, words) in enumerate(zip(chain, blocks.choices, strict=True)):
        n = int(words.removesuffix(" blocks"))
        mask = masks(DyadGeometry(layer.in_features, layer.out_features, n, "bd"))[0].astype(np.int64)
        parameters += int(mask.sum())
        reach = mask if reach is None else mask @ (reach > 0)
        assert blocks.reached_pairs[depth] == np.count_nonzero(reach)
        size = int(low.choices[depth].removeprefix("rank "))
        low_parameters += size * (layer.in_features + layer.out_features)
        assert low.rank_bound <= size
        assert size == 1 or size * (layer.in_features + layer.out_features) <= layer.parameters
    assert blocks.parameters == parameters
    assert low.parameters == low_parameters
    assert dense.parameters == sum(layer.dense_parameters for layer in chain)
    assert dense.first_full_depth == low.first_full_depth == 1


@given(chains(max_layers=3))
def test_a_note_stands_exactly_where_parameters_differ(chain: list[DyadGeometry]):
    for alternative in compare(chain).alternatives:
        if alternative.name in ("dyad", "dense"):
            assert alternative.notes == ()
        elif alternative.parameters != sum(layer.parameters for layer in chain):
            assert alternative.notes


def test_equal_cost_is_reached_where_sizes_allow_it():
    found = by_name([DyadGeometry(1024, 1024, 16, "dt")] * 3)
    assert {found[name].parameters for name in ("dyad", "block_diagonal", "low_rank", "monarch")} == {3 * 2**20 // 8}
    assert found["block_diagonal"].choices == ("8 blocks",) * 3
    assert found["low_rank"].rank_bound == 64
    assert (found["monarch"].choices[0], found["monarch"].rank_bound) == ("16 blocks, middle 1024", 1024)


def test_rounded_sizes_are_said_once_for_equal_layers():
    assert by_name(list(stack(DyadGeometry(768, 3072, 3), 48)))["block_diagonal"].notes == (
        "Layer 1 and 47 more: no block-diagonal layer has the 1,572,864 parameters of this one; "
        "taken: 2 blocks, 0.75 times as many",
    )


def test_json_has_the_agreed_shape():
    answer = json.loads(json.dumps(compare(stack(DyadGeometry(96, 384), 2)).to_dict(), allow_nan=False))
    assert [one["name"] for one in answer["alternatives"]] == ["dyad", "block_diagonal", "low_rank", "monarch", "dense"]
    assert answer["alternatives"][0] == {
        "name": "dyad", "choices": ["it, 4 blocks"] * 2, "parameters": 36864, "flops_per_token": 73728,
        "reached_share": [0.4375, 1.0], "first_full_depth": 2, "rank_bound": 96, "notes": [],
    }  # fmt: skip


def test_layers_that_do_not_fit_are_refused():
    with pytest.raises(SpecError):
        compare([DyadGeometry(96, 384), DyadGeometry(96, 384)])
