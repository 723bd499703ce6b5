"""Pictures of actual weights and of what patterns keep, held against the library's own answers as the service sends them."""

from typing import Any

import numpy as np
import pytest
import torch

from dyad_core import DyadGeometry
from dyad_core.weights import examine, project, weight_picture
from frontend.figures.energies import energies_alt, energies_figure
from frontend.figures.spectrum import spectrum_alt, spectrum_figure
from frontend.figures.weights import weights_alt, weights_figure
from frontend.logic.picture import decode_picture, weight_records
from frontend.logic.projection import candidate_records, sentences, spectrum_records

MEGABYTE = 1_000_000


@pytest.fixture(scope="module")
def matrix() -> torch.Tensor:
    return torch.randn(48, 96, generator=torch.Generator().manual_seed(0))


def test_a_picture_of_single_entries_is_the_matrix(matrix: torch.Tensor) -> None:
    grid = decode_picture(weight_picture(matrix).to_dict())  # type: ignore[arg-type] # as it is sent

    assert grid.single_entries
    assert np.asarray(grid.magnitude * np.sign(grid.sign)) == pytest.approx(matrix.numpy(), abs=4e-3)
    assert weight_records(grid)[97]["mean_magnitude"] == pytest.approx(abs(float(matrix[1, 1])), abs=4e-3)


@pytest.mark.parametrize("show", ["magnitude", "sign"])
def test_a_reduced_picture_is_small_and_said_in_words(matrix: torch.Tensor, show: str) -> None:
    grid = decode_picture(weight_picture(matrix, max_cells=12).to_dict())  # type: ignore[arg-type] # as it is sent
    figure = weights_figure(grid, show, blocks=(12, 24, 4))

    assert not grid.single_entries
    assert figure.data[0].y[0] == "outputs 0–3"
    assert list(figure.layout.xaxis.ticktext) == ["0", "24", "48", "72", "96"]
    assert len(figure.to_json()) < MEGABYTE
    assert "outputs 0 to 47 by inputs 0 to 95" in weights_alt(grid, show)


def test_energies_stand_beside_others_of_the_same_row_only(matrix: torch.Tensor) -> None:
    answer: Any = project(matrix, variants=("it", "bd"), n_blocks=(4, 8)).to_dict()
    figure = energies_figure(answer["candidates"])
    points = {trace.name: trace for trace in figure.data if trace.name}

    assert list(points["DYAD"].y) == ["IT n=4", "BD n=4", "IT n=8", "BD n=8"]
    for name, key in (("low rank", "low_rank"), ("block-diagonal", "block_diagonal")):
        assert list(points[name].x) == pytest.approx(
            [100 * one[key]["captured_energy"] for one in answer["candidates"]]
        )
    assert all(one["low_rank"]["parameters"] <= one["parameters"] for one in answer["candidates"])
    assert "low rank" in energies_alt(answer["candidates"])
    assert len(candidate_records(answer["candidates"])) == 4
    assert [text[:8] for text in sentences(answer["reading"])] == ["At n = 4", "At n = 8"]


def test_without_low_rank_its_marks_are_left_out(matrix: torch.Tensor) -> None:
    answer: Any = project(matrix, variants=("it",), n_blocks=(4,), low_rank=False).to_dict()
    assert "low rank" not in {trace.name for trace in energies_figure(answer["candidates"]).data}


def test_singular_values_of_matrix_and_projection_are_drawn(matrix: torch.Tensor) -> None:
    spectra: Any = examine(matrix, DyadGeometry(96, 48, 4)).to_dict()["spectra"]
    figure = spectrum_figure(spectra)

    assert [trace.name for trace in figure.data] == ["matrix", "its projection"]
    assert figure.layout.yaxis.type == "log"
    assert list(figure.data[0].y) == pytest.approx(np.linalg.svd(matrix.numpy(), compute_uv=False), rel=1e-3)
    assert len(spectrum_records(spectra)) == 96
    assert "effective rank" in spectrum_alt(spectra)
