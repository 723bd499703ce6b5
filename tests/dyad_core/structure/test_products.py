"""Tiled products equal plain ones, and refuse what float64 would round."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dyad_core.structure import products
from dyad_core.structure.products import exact_product


@given(
    st.integers(0, 40), st.integers(0, 40), st.integers(0, 40), st.integers(0, 2**32), st.sampled_from([1, 50, 5000])
)
def test_exact_product_equals_integer_product_for_every_tile_size(m: int, k: int, n: int, seed: int, tile: int):
    random = np.random.default_rng(seed)
    left, right = random.integers(0, 2**20, (m, k)), random.integers(0, 2**20, (k, n))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(products, "TILE_MULTIPLY_ADDS", tile)
        np.testing.assert_array_equal(exact_product(left, right), left @ right)


def test_exact_product_of_many_tiles():
    random = np.random.default_rng(0)
    left, right = random.integers(0, 1000, (300, 700)), random.integers(0, 1000, (700, 500))
    np.testing.assert_array_equal(exact_product(left, right), left @ right)


def test_exact_product_takes_what_float64_holds_and_refuses_what_it_rounds():
    largest = np.array([[2**53 - 1]])
    assert exact_product(largest, np.array([[1]]))[0, 0] == 2**53 - 1
    with pytest.raises(OverflowError, match=str(2**53)):
        exact_product(np.array([[2**52, 2**52]]), np.array([[1], [1]]))
