"""Cells cover the window exactly, few enough, of one size along the block borders where that is possible."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dyad_core.structure.cells import cell_edges


@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 60), st.data())
def test_cells_cover_the_window_without_gap(n: int, block: int, max_cells: int, data: st.DataObject):
    features = n * block
    start = data.draw(st.integers(0, features - 1))
    stop = data.draw(st.integers(start + 1, features))
    edges = cell_edges(start, stop, block, features, max_cells)
    assert edges[0] == start
    assert edges[-1] == stop
    assert (np.diff(edges) > 0).all()
    assert len(edges) - 1 <= max_cells
    if stop - start <= max_cells:
        assert len(edges) - 1 == stop - start


@pytest.mark.parametrize(
    ("features", "n", "cells"),
    [
        (3072, 4, 512),
        (768, 4, 384),
        (768, 48, 384),
        (16384, 64, 512),
        (2**20, 64, 512),
        (2**20, 1024, 512),
        (3072, 3, 384),
    ],
)
def test_whole_pictures_have_cells_of_one_size_on_block_borders(features: int, n: int, cells: int):
    block = features // n
    edges = cell_edges(0, features, block, features, 512)
    assert len(edges) - 1 == cells
    sizes = np.diff(edges)
    assert sizes.min() == sizes.max()
    assert block % sizes[0] == 0 or sizes[0] % block == 0


def test_without_a_fitting_size_cells_differ_by_one_feature_at_most():
    sizes = np.diff(cell_edges(0, 1009, 1009, 1009, 512))
    assert len(sizes) == 512
    assert set(sizes.tolist()) == {1, 2}
