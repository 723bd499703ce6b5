"""Pictures of weights against cell by cell means, and one structure examined in detail."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from strategies import geometries

from dyad_core import DyadGeometry, DyadLinear, SpecError
from dyad_core.structure import Window
from dyad_core.weights import Progress, decode_values, examine, project, singular_values, spectrum, weight_picture
from dyad_core.weights.energy import projected, residual
from dyad_core.weights.matrix import row_chunks


def cells_of(values: np.ndarray, row_edges: np.ndarray, column_edges: np.ndarray) -> np.ndarray:
    return np.array(
        [
            [values[top:bottom, left:right].mean() for left, right in zip(column_edges, column_edges[1:], strict=False)]
            for top, bottom in zip(row_edges, row_edges[1:], strict=False)
        ]
    )


@given(geometries(max_blocks=8, max_runs=6), st.sampled_from(["all", "kept", "dropped"]), st.integers(1, 20), st.data())
def test_cells_are_means(geometry: DyadGeometry, part, max_cells: int, data: st.DataObject):
    matrix = torch.randn(geometry.out_features, geometry.in_features, generator=torch.Generator().manual_seed(0))
    window = None
    if data.draw(st.booleans()):
        out_start = data.draw(st.integers(0, geometry.out_features - 1))
        in_start = data.draw(st.integers(0, geometry.in_features - 1))
        out_stop = data.draw(st.integers(out_start + 1, geometry.out_features))
        window = Window(out_start, out_stop, in_start, data.draw(st.integers(in_start + 1, geometry.in_features)))
    found = weight_picture(matrix, geometry=geometry, part=part, window=window, max_cells=max_cells)
    shown = {"all": lambda m, _: m, "kept": projected, "dropped": residual}[part](matrix, geometry).double().numpy()
    np.testing.assert_allclose(found.magnitude, cells_of(abs(shown), found.row_edges, found.column_edges), rtol=1e-6)
    np.testing.assert_allclose(found.sign, cells_of(np.sign(shown), found.row_edges, found.column_edges), atol=1e-12)
    assert max(found.magnitude.shape) <= max_cells
    if window is not None:
        assert (found.row_edges[0], found.row_edges[-1]) == (window.out_start, window.out_stop)


def test_rows_in_several_pieces_add_up():
    matrix = torch.randn(40, 2**17, generator=torch.Generator().manual_seed(0))
    assert len(list(row_chunks(matrix))) == 2
    found = weight_picture(matrix, max_cells=1)
    assert found.magnitude[0, 0] == pytest.approx(float(matrix.abs().double().mean()), rel=1e-9)


def test_json_of_a_layers_own_weight():
    layer = DyadLinear(96, 48, n_blocks=4)
    picture = weight_picture(layer.to_dense(), geometry=layer.geometry, max_cells=16)
    values = json.loads(json.dumps(picture.to_dict(), allow_nan=False))
    shape = values["rows"], values["columns"]
    magnitude = decode_values(values["magnitude"]["data"], *shape, values["magnitude"]["dtype"])
    sign = decode_values(values["sign"]["data"], *shape, values["sign"]["dtype"])
    np.testing.assert_allclose(magnitude * np.float64(values["largest"]), picture.magnitude, rtol=1e-3, atol=1e-7)
    np.testing.assert_allclose(sign / 127, picture.sign, atol=1 / 254 + 1e-9)
    assert values["entries"] is None
    np.testing.assert_allclose(picture.magnitude == 0, cells_of(layer.to_dense().detach().numpy() != 0, picture.row_edges, picture.column_edges) == 0)  # fmt: skip


def test_single_entries_come_with_their_values():
    matrix = torch.randn(100, 100)
    values = weight_picture(matrix, window=Window(10, 12, 20, 23)).to_dict()
    np.testing.assert_allclose(values["entries"], matrix[10:12, 20:23].numpy())
    assert weight_picture(matrix).to_dict()["entries"] is None  # more than are listed
    assert weight_picture(torch.zeros(2, 2)).to_dict()["largest"] == 0


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"part": "kept"}, "geometry: must be given to show what is kept"),
        ({"part": "lost"}, "part: must be one of all, kept, dropped"),
        ({"max_cells": 0}, "max_cells: must be a positive integer"),
        ({"max_cells": 513}, "max_cells: must be at most 512"),
        ({"window": Window(0, 9, 0, 4)}, "window.out_stop: must be at most out_features=8"),
        ({"geometry": DyadGeometry(8, 16)}, "geometry: must have the matrix's sizes, 16 → 8"),
    ],
)
def test_wrong_requests(options: dict[str, object], words: str):
    with pytest.raises(SpecError, match=words.replace("(", "\\(")):
        weight_picture(torch.ones(8, 16), **options)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_an_examination_holds_what_its_parts_say(dtype: torch.dtype):
    matrix = torch.randn(24, 48, generator=torch.Generator().manual_seed(0), dtype=dtype)
    geometry = DyadGeometry(48, 24, 4, "dt")
    seen: list[Progress] = []
    found = examine(matrix, geometry, residual_spectrum=True, max_cells=12, on_progress=seen.append)
    np.testing.assert_allclose(found.kept.values, torch.linalg.svdvals(projected(matrix, geometry)), rtol=1e-5)
    np.testing.assert_allclose(found.original.values, torch.linalg.svdvals(matrix), rtol=1e-5)
    assert found.dropped is not None
    np.testing.assert_allclose(found.dropped.values, torch.linalg.svdvals(residual(matrix, geometry)), rtol=1e-5)
    assert found.dropped.energy / found.original.energy == pytest.approx(found.candidate.lost_energy)
    assert found.candidate == project(matrix, variants=["dt"], n_blocks=[4]).candidates[0]
    assert found.residual_picture.part == "dropped"
    assert [p.fraction for p in seen] == sorted(p.fraction for p in seen)
    assert seen[-1].fraction == pytest.approx(1)
    values = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert set(values["spectra"]) == {"original", "kept", "dropped"}
    known = examine(matrix, geometry, original=spectrum(matrix))
    assert known.dropped is None
    np.testing.assert_array_equal(known.kept.values, found.kept.values)


def test_an_examination_of_nothing_kept_and_of_nothing_dropped():
    geometry = DyadGeometry(16, 16, 4, "it")
    inside = projected(torch.ones(16, 16), geometry)
    for matrix, kept in ((1 - inside, 0.0), (inside, 1.0)):
        found = examine(matrix, geometry, residual_spectrum=True)
        assert found.candidate.captured_energy == kept
        json.dumps(found.to_dict(), allow_nan=False)


def test_an_examination_refuses_other_sizes():
    with pytest.raises(SpecError, match="geometry: must have the matrix's sizes"):
        examine(torch.ones(8, 8), DyadGeometry(8, 16))


def test_an_examination_refuses_a_side_that_is_too_long_before_any_work(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(singular_values, "MAX_SMALLER_SIDE", 7)
    seen: list[Progress] = []
    with pytest.raises(SpecError, match="up to a smaller side of 7"):
        examine(torch.ones(8, 8), DyadGeometry(8, 8), on_progress=seen.append)
    assert seen == []
    answer = project(torch.ones(8, 8), n_blocks=[4])
    assert answer.spectrum is None
    assert any("No comparison with low rank" in note for note in answer.notes)
