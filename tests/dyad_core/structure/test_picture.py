"""The picture of a weight against the materialised matrix, its totals, its limits and its size as JSON."""

from __future__ import annotations

import gzip
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dyad_core import DyadGeometry, SpecError
from dyad_core.structure import Window, decode_counts, pattern, totals

from .oracle import layers, masks


def cells_of(mask: np.ndarray, row_edges: np.ndarray, column_edges: np.ndarray) -> np.ndarray:
    """Sum of a matrix by cell."""
    return np.array(
        [
            [mask[top:bottom, left:right].sum() for left, right in zip(column_edges, column_edges[1:], strict=False)]
            for top, bottom in zip(row_edges, row_edges[1:], strict=False)
        ]
    )


@given(layers(), st.integers(1, 20), st.data())
def test_counts_equal_the_materialised_matrix(geometry: DyadGeometry, max_cells: int, data: st.DataObject):
    window = None
    if data.draw(st.booleans()):
        out_start = data.draw(st.integers(0, geometry.out_features - 1))
        in_start = data.draw(st.integers(0, geometry.in_features - 1))
        out_stop = data.draw(st.integers(out_start + 1, geometry.out_features))
        window = Window(out_start, out_stop, in_start, data.draw(st.integers(in_start + 1, geometry.in_features)))
    picture = pattern(geometry, window=window, max_cells=max_cells)
    diagonal, transposed = masks(geometry)
    for counts, mask in (
        (picture.blockdiag, diagonal & ~transposed),
        (picture.blocktrans, transposed & ~diagonal),
        (picture.both, diagonal & transposed),
    ):
        np.testing.assert_array_equal(counts, cells_of(mask, picture.row_edges, picture.column_edges))
    assert max(picture.both.shape) <= max_cells


@given(layers())
def test_totals_equal_the_materialised_matrix(geometry: DyadGeometry):
    diagonal, transposed = masks(geometry)
    figures = totals(geometry)
    assert figures["parameters"] == diagonal.sum() + transposed.sum()
    assert figures["positions"] == (diagonal | transposed).sum()
    assert figures["shared_positions"] == (diagonal & transposed).sum()
    assert figures["dense_parameters"] == diagonal.size
    assert figures["density"] == pytest.approx((diagonal | transposed).mean())
    assert figures["redundant_share"] == pytest.approx(figures["shared_positions"] / figures["parameters"])
    assert figures["limit"] == pytest.approx(diagonal.size / figures["parameters"])


@given(layers(), st.integers(1, 7))
def test_every_picture_adds_up_to_the_totals(geometry: DyadGeometry, max_cells: int):
    picture = pattern(geometry, max_cells=max_cells)
    assert int(picture.both.sum()) == geometry.shared_positions
    assert int(picture.blockdiag.sum() + picture.blocktrans.sum() + picture.both.sum()) == geometry.positions


@pytest.mark.parametrize("variant", ["it", "ot", "dt"])
@pytest.mark.parametrize(
    ("in_features", "out_features", "n"), [(768, 3072, 4), (16384, 65536, 8), (2**20, 2**20, 64), (2**20, 2**20, 1024)]
)
def test_wide_pictures_are_exact_and_small(in_features: int, out_features: int, n: int, variant: str):
    geometry = DyadGeometry(in_features, out_features, n, variant)
    picture = pattern(geometry)
    assert int(picture.blockdiag.sum() + picture.blocktrans.sum() + picture.both.sum()) == geometry.positions
    assert int(picture.both.sum()) == geometry.shared_positions
    assert len(gzip.compress(json.dumps(picture.to_dict()).encode())) <= 300_000


@pytest.mark.parametrize("variant", ["it", "ot", "dt"])
def test_a_picture_that_hardly_repeats_stays_small_too(variant: str):
    # Cells of unequal size (primes all over) and grains near the cell size are the hardest to compress.
    for geometry in (DyadGeometry(61 * 113, 61 * 127, 61, variant), DyadGeometry(7 * 997, 7 * 991, 7, variant)):
        assert len(gzip.compress(json.dumps(pattern(geometry).to_dict()).encode())) <= 300_000


def test_a_window_into_a_wide_weight_shows_single_entries():
    geometry = DyadGeometry(2**20, 2**20, 64, "dt", grain=4)
    window = Window(999_990, 1_000_030, 524_280, 524_300)
    picture = pattern(geometry, window=window)
    assert picture.single_entries
    outputs, inputs = np.arange(999_990, 1_000_030)[:, None], np.arange(524_280, 524_300)[None, :]
    diagonal = outputs // 2**14 == inputs // 2**14
    transposed = outputs // 4 % 64 == inputs // 4 % 64
    np.testing.assert_array_equal(picture.both, diagonal & transposed)
    np.testing.assert_array_equal(picture.blocktrans, transposed & ~diagonal)
    np.testing.assert_array_equal(picture.blockdiag, diagonal & ~transposed)


def test_json_has_the_agreed_shape():
    geometry = DyadGeometry(12, 24, 3, "it")
    answer = json.loads(json.dumps(pattern(geometry, window=Window(0, 24, 0, 12), max_cells=6).to_dict()))
    assert answer["geometry"] == {
        "in_features": 12, "out_features": 24, "n_blocks": 3, "variant": "it", "grain": 1, "block_in": 4, "block_out": 8,
    }  # fmt: skip
    assert answer["window"] == {"out_start": 0, "out_stop": 24, "in_start": 0, "in_stop": 12}
    assert (answer["rows"], answer["columns"]) == (6, 6)
    assert answer["row_edges"] == [0, 4, 8, 12, 16, 20, 24]
    assert answer["column_edges"] == [0, 2, 4, 6, 8, 10, 12]
    assert answer["exact"] is True
    assert answer["entries"] is None
    assert answer["counts"]["encoding"] == "base64 zlib little-endian uint32, row-major, rows x columns"
    decoded = [decode_counts(answer["counts"][name], 6, 6) for name in ("blockdiag", "blocktrans", "both")]
    assert sum(int(counts.sum()) for counts in decoded) == answer["totals"]["positions"]
    assert set(answer["totals"]) == {
        "parameters", "positions", "shared_positions", "density", "dense_parameters", "limit", "redundant_share",
    }  # fmt: skip


def test_cells_too_large_for_uint32_are_uint64_and_say_so():
    geometry = DyadGeometry(2**20, 2**20, 1, "it")
    picture = pattern(geometry, max_cells=8)
    answer = picture.to_dict()["counts"]
    assert answer["dtype"] == "uint64"
    assert "uint64" in answer["encoding"]
    decoded = decode_counts(answer["both"], 8, 8, answer["dtype"])
    assert int(decoded.max()) == 2**34


@pytest.mark.parametrize(
    ("arguments", "fields"),
    [
        ({"max_cells": 0}, ["max_cells"]),
        ({"max_cells": 513}, ["max_cells"]),
        ({"max_cells": True}, ["max_cells"]),
        ({"max_cells": "64"}, ["max_cells"]),
        ({"window": Window(0, 9, 0, 8)}, ["window.out_stop"]),
        ({"window": Window(0, 9, 0, 9), "max_cells": -1}, ["window.out_stop", "window.in_stop", "max_cells"]),
    ],
)
def test_wrong_arguments_are_named_all_at_once(arguments: dict, fields: list[str]):
    with pytest.raises(SpecError) as caught:
        pattern(DyadGeometry(8, 8, 2), **arguments)
    assert [problem.field for problem in caught.value.problems] == fields


@pytest.mark.parametrize(
    ("bounds", "fields"),
    [
        ((0, 0, 0, 1), ["out_stop"]),
        ((3, 2, 5, 5), ["out_stop", "in_stop"]),
        ((-1, 2, 0.5, None), ["out_start", "in_start", "in_stop"]),
        ((True, 2, 0, 1), ["out_start"]),
    ],
)
def test_wrong_windows_are_named(bounds: tuple, fields: list[str]):
    with pytest.raises(SpecError) as caught:
        Window(*bounds)
    assert [problem.field for problem in caught.value.problems] == fields


def test_sizes_above_the_limits_are_refused_with_the_limit():
    with pytest.raises(SpecError, match="at most 1048576") as caught:
        pattern(DyadGeometry(2**21, 2**22, 2048, "it"))
    assert [problem.field for problem in caught.value.problems] == ["in_features", "out_features", "n_blocks"]
    with pytest.raises(SpecError, match="must be a DyadGeometry"):
        pattern({"in_features": 8})
