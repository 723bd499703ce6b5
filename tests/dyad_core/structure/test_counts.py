"""Path counts against powers of materialised integer matrices, below and far beyond 2**53."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dyad_core import DyadGeometry
from dyad_core.structure.classes import classes, hubs_of, representatives
from dyad_core.structure.counting import input_groupings, output_groupings
from dyad_core.structure.counts import count_matrices, exact_counts, is_exact, log10, mean_paths, to_integers

from .oracle import chains, edges_of, layers, paths_by_depth


def from_hubs(counts: list[int], layer: DyadGeometry) -> list[int]:
    """Paths to every output of a layer, given those to its output hubs."""
    hubs = hubs_of(output_groupings(layer), np.arange(layer.out_features))
    return [sum(counts[hub] for hub in row) for row in hubs.tolist()]


@settings(max_examples=60)
@given(chains(), st.data())
def test_exact_counts_equal_integer_matrix_products(chain: list[DyadGeometry], data: st.DataObject):
    source = data.draw(st.integers(0, chain[0].in_features - 1))
    hubs = hubs_of(input_groupings(chain[0]), np.array([source]))[0]
    for layer, limbs, expected in zip(chain, exact_counts(tuple(chain), hubs), paths_by_depth(chain), strict=True):
        assert from_hubs(to_integers(limbs), layer) == expected[:, source].tolist()


@settings(max_examples=40)
@given(chains())
def test_count_matrices_equal_integer_matrix_products(chain: list[DyadGeometry]):
    sources = hubs_of(input_groupings(chain[0]), np.arange(chain[0].in_features))
    for layer, counts, expected in zip(chain, count_matrices(tuple(chain)), paths_by_depth(chain), strict=True):
        targets = hubs_of(output_groupings(layer), np.arange(layer.out_features))
        paths = counts[sources].sum(axis=1)[:, targets].sum(axis=2)
        assert is_exact(paths.max())
        np.testing.assert_array_equal(paths.T, expected.astype(np.float64))
        assert mean_paths(tuple(chain[: chain.index(layer) + 1])) > 0


@given(chains())
def test_mean_is_exact(chain: list[DyadGeometry]):
    counts = paths_by_depth(chain)[-1]
    assert mean_paths(tuple(chain)) == Fraction(int(counts.sum()), counts.size)


def test_deep_counts_stay_exact_integers():
    layer = DyadGeometry(24, 24, 4, "dt")
    power = edges_of(layer)
    for _ in range(47):
        power = edges_of(layer) @ power
    hubs = hubs_of(input_groupings(layer), np.array([5]))[0]
    *_, last = exact_counts((layer,) * 48, hubs)
    assert from_hubs(to_integers(last), layer) == power[:, 5].tolist()
    assert max(power[:, 5]) > 2**100


def test_the_largest_counts_are_floats_and_exact_in_limbs():
    chain = (DyadGeometry(2**20, 2**20, 1),) * 48
    *_, counts = count_matrices(chain)
    *_, limbs = exact_counts(chain, np.array([0, 1]))
    assert sum(to_integers(limbs)) == 2**988
    assert float(counts.sum()) == 2.0**988
    assert not is_exact(float(counts.max()))


@pytest.mark.parametrize(
    ("number", "expected"), [(Fraction(0), None), (0.0, None), (1000.0, 3.0), (Fraction(10**400, 10), 399.0)]
)
def test_logarithms_of_no_path_and_of_more_than_float64_holds(number: Fraction | float, expected: float | None):
    assert log10(number) == (None if expected is None else pytest.approx(expected))


@given(layers())
def test_classes_hold_every_feature_once(layer: DyadGeometry):
    for groupings, features in (
        (input_groupings(layer), layer.in_features),
        (output_groupings(layer), layer.out_features),
    ):
        found, counts = np.unique(hubs_of(groupings, np.arange(features)), axis=0, return_counts=True)
        np.testing.assert_array_equal(classes(groupings).hubs, found)
        np.testing.assert_array_equal(classes(groupings).counts, counts)


@given(chains(max_layers=2), st.lists(st.integers(0, 63), max_size=3))
def test_representatives_miss_no_combination_of_groups(chain: list[DyadGeometry], cuts: list[int]):
    first, last = chain[0], chain[-1]
    sides = output_groupings(first)
    sides += input_groupings(last) if first.out_features == last.in_features else ()
    edges = tuple(sorted(cut for cut in cuts if cut < first.out_features))
    chosen = representatives(sides, edges)

    def signatures(features: np.ndarray) -> set[tuple[int, ...]]:
        interval = np.searchsorted(np.array(edges, dtype=np.int64), features, side="right")
        return set(map(tuple, np.stack([interval, *(side.group(features) for side in sides)]).T.tolist()))

    assert signatures(chosen) == signatures(np.arange(first.out_features))
    assert len(set(chosen.tolist())) == len(chosen)


def test_representatives_of_a_wide_layer_are_few():
    sides = output_groupings(DyadGeometry(2**20, 2**20, 64, "dt"))
    assert len(representatives(sides)) == 64 * 64
