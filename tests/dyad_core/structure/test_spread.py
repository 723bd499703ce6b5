"""The spread of path counts against whole integer matrices: exact, or logarithms that say so."""

from __future__ import annotations

import json
import math
import statistics

import numpy as np
import pytest
from hypothesis import given, settings

from dyad_core import DyadGeometry, SpecError
from dyad_core.structure import PathCounts, reachability, stack, tables

from .oracle import chains, edges_of, paths_by_depth


def spreads(*chain: DyadGeometry) -> list[PathCounts]:
    return [depth.paths for depth in reachability(chain, paths=True).depths]


def check(found: PathCounts, counts: np.ndarray) -> None:
    values = counts.ravel().tolist()
    squares = sum(value * value for value in values)
    assert found.evenness == pytest.approx(sum(values) ** 2 / (len(values) * squares), rel=1e-9)
    expected = (min(values), statistics.median_low(values), max(values))
    if not found.logarithmic:
        assert (found.min, found.median, found.max) == expected
        assert found.mean == pytest.approx(sum(values) / len(values))
    else:
        assert max(values) >= 2**52  # at most twice that is called near 2**53
        for number, logarithm in zip(
            (*expected, sum(values) / len(values)), (found.min, found.median, found.max, found.mean), strict=True
        ):
            assert logarithm == (None if number == 0 else pytest.approx(math.log10(number), abs=1e-9))


@pytest.mark.parametrize("sample", [4, 2**14], ids=["guessed", "listed"])
@settings(max_examples=50)
@given(chain=chains(max_layers=4))
def test_spread_equals_the_materialised_chain(sample: int, chain: list[DyadGeometry]):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tables, "SAMPLE", sample)
        patch.setattr(tables, "TILE", 64)
        for found, counts in zip(spreads(*chain), paths_by_depth(chain), strict=True):
            check(found, counts)


@pytest.mark.parametrize(("width", "n", "variant"), [(24, 4, "dt"), (24, 6, "it"), (32, 4, "bd"), (36, 6, "ot")])
def test_deep_chains_are_logarithms_and_say_so(width: int, n: int, variant: str):
    layer = DyadGeometry(width, width, n, variant)
    found = spreads(*[layer] * 48)
    power = edges_of(layer)
    for depth in range(48):
        check(found[depth], power)
        power = edges_of(layer) @ power
    assert found[-1].logarithmic
    assert not found[0].logarithmic


def test_known_counts_of_a_feed_forward_pair():
    found = spreads(DyadGeometry(96, 384), DyadGeometry(384, 96))[-1]
    assert (found.min, found.max, found.mean, found.logarithmic) == (48, 240, 96.0, False)
    assert found.evenness == pytest.approx(8 / 11)


def test_evenness_of_block_diagonal_alone_is_the_share_of_pairs_that_have_all_paths():
    assert [found.evenness for found in spreads(*[DyadGeometry(64, 64, 8, "bd")] * 3)] == [1 / 8] * 3


def test_the_widest_layers_are_counted():
    first, *_, last = spreads(*[DyadGeometry(2**20, 2**20, 64, "dt")] * 12)
    assert (first.min, first.median, first.max) == (0, 0, 2)
    assert first.mean == 2 / 64
    assert last.logarithmic
    assert last.min < last.mean < last.max


def test_json_is_strict_and_says_what_is_missing():
    answer = reachability(stack(DyadGeometry(32, 32, 4, "bd"), 48), paths=True).to_dict()
    answer = json.loads(json.dumps(answer, allow_nan=False))
    assert answer["depths"][0]["paths"] == {
        "min": 0, "median": 0, "max": 1, "mean": 0.25, "evenness": 0.25, "logarithmic": False,
    }  # fmt: skip
    last = answer["depths"][-1]["paths"]
    assert last["min"] is last["median"] is None
    assert last["logarithmic"] is True
    assert last["max"] == pytest.approx(47 * math.log10(8))


def test_more_blocks_than_paths_are_counted_for_are_refused():
    with pytest.raises(SpecError, match="at most 64") as caught:
        reachability([DyadGeometry(1024, 1024, 128)], paths=True)
    assert [problem.field for problem in caught.value.problems] == ["layers.0.n_blocks"]
