"""Projection: the nearest weight of a pattern, its shares of energy, and what low rank and block-diagonal keep beside it."""

from __future__ import annotations

import json
import math
import threading

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from strategies import geometries

from dyad_core import DyadGeometry, DyadLinear, SpecError
from dyad_core.errors import OperationCancelled
from dyad_core.ops import dense_weight, project_dense
from dyad_core.weights import Progress, project, singular_values
from dyad_core.weights.energy import PatternEnergy, projected, residual


def matrix_of(geometry: DyadGeometry, seed: int = 0, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(geometry.out_features, geometry.in_features, generator=generator, dtype=dtype)


def one(matrix: torch.Tensor, geometry: DyadGeometry, **options: object):
    answer = project(
        matrix, variants=[geometry.variant], n_blocks=[geometry.n_blocks], grains=[geometry.grain], **options
    )
    (candidate,) = answer.candidates
    assert candidate.geometry == geometry
    return candidate


@given(geometries(max_blocks=8, max_runs=6), st.integers(0, 99))
def test_the_projection_is_the_one_of_the_oracle(geometry: DyadGeometry, seed: int):
    matrix = matrix_of(geometry, seed)
    parts = project_dense(matrix, geometry)
    nearest = dense_weight(*parts, variant=geometry.variant, grain=geometry.grain)
    torch.testing.assert_close(projected(matrix, geometry), nearest)
    torch.testing.assert_close(residual(matrix, geometry), matrix - nearest)
    candidate = one(matrix, geometry, low_rank=False)
    whole = float(matrix.square().sum())
    assert PatternEnergy(matrix).captured(geometry) == pytest.approx(float(nearest.square().sum()), rel=1e-12)
    assert candidate.captured_energy == pytest.approx(float(nearest.square().sum()) / whole, rel=1e-12)
    assert candidate.relative_error == pytest.approx(float((matrix - nearest).norm()) / math.sqrt(whole), abs=1e-12)
    assert candidate.captured_energy + candidate.lost_energy == pytest.approx(1, abs=1e-15)


@given(geometries(max_blocks=4, max_runs=3), st.integers(0, 99))
def test_no_weight_of_the_pattern_is_nearer(geometry: DyadGeometry, seed: int):
    """Brute force: the least squares over the components' own entries, one column of the system per parameter."""
    matrix = matrix_of(geometry, seed)
    shape, count = geometry.weight_shape, geometry.parameters // geometry.components
    columns = []
    for which in range(geometry.components):
        for unit in torch.eye(count, dtype=torch.float64):
            parts = [torch.zeros(shape, dtype=torch.float64) for _ in range(geometry.components)]
            parts[which] = unit.view(shape)
            both = (*parts, None)[:2]
            columns.append(dense_weight(*both, variant=geometry.variant, grain=geometry.grain).flatten())
    system = torch.stack(columns, dim=1).numpy()
    solution = np.linalg.lstsq(system, matrix.flatten().numpy(), rcond=None)[0]
    error = np.linalg.norm(system @ solution - matrix.flatten().numpy())
    assert one(matrix, geometry, low_rank=False).relative_error * float(matrix.norm()) == pytest.approx(error, abs=1e-9)


@pytest.mark.parametrize(("n_blocks", "kept"), [(4, 0.4375), (8, 15 / 64), (16, 31 / 256)])
@pytest.mark.parametrize("variant", ["it", "ot", "dt"])
def test_an_unstructured_matrix_keeps_the_share_of_positions(variant, n_blocks: int, kept: float):
    geometry = DyadGeometry(768, 768, n_blocks, variant)
    candidate = one(matrix_of(geometry, dtype=torch.float32), geometry, low_rank=False)
    assert candidate.unstructured_energy == kept
    assert candidate.captured_energy == pytest.approx(kept, abs=0.005)


def test_low_rank_keeps_more_of_an_unstructured_matrix():
    geometry = DyadGeometry(512, 256, 4, "it")
    candidate = one(matrix_of(geometry, dtype=torch.float32), geometry)
    assert candidate.relative_error == pytest.approx(0.75, abs=0.005)
    assert candidate.low_rank is not None
    assert candidate.low_rank.relative_error == pytest.approx(0.62, abs=0.005)
    assert candidate.low_rank.rank == 85
    assert candidate.low_rank.parameters == 85 * 768 <= geometry.parameters < 86 * 768


def test_low_rank_is_that_of_a_full_decomposition():
    geometry = DyadGeometry(60, 36, 6, "dt")
    matrix = matrix_of(geometry)
    left, values, right = torch.linalg.svd(matrix, full_matrices=False)
    rank = geometry.parameters // 96
    nearest = left[:, :rank] * values[:rank] @ right[:rank]
    low = one(matrix, geometry).low_rank
    assert low is not None
    assert low.rank == rank
    assert low.relative_error == pytest.approx(float((matrix - nearest).norm() / matrix.norm()), rel=1e-9)


@pytest.mark.parametrize(
    ("n_blocks", "variant", "beside"), [(4, "it", 2), (6, "ot", 3), (5, "dt", 3), (1, "it", 1), (6, "bd", 6)]
)
def test_block_diagonal_has_no_more_parameters(n_blocks: int, variant, beside: int):
    geometry = DyadGeometry(60, 120, n_blocks, variant)
    matrix = matrix_of(geometry)
    found = one(matrix, geometry, low_rank=False).block_diagonal
    assert found.n_blocks == beside
    assert found.parameters == 60 * 120 // beside <= geometry.parameters
    blocks = [
        matrix[b * 120 // beside :][: 120 // beside, b * 60 // beside :][:, : 60 // beside] for b in range(beside)
    ]
    kept = sum(float(block.square().sum()) for block in blocks)
    assert found.captured_energy == pytest.approx(kept / float(matrix.square().sum()))


@pytest.mark.parametrize("variant", ["it", "ot", "dt", "bd"])
@pytest.mark.parametrize("scale", [1.0, 1e-30, 1e30])
def test_a_matrix_of_the_pattern_is_kept_whole_at_any_scale(variant, scale: float):
    layer = DyadLinear(48, 24, n_blocks=4, variant=variant)
    matrix = layer.to_dense().detach() * scale
    candidate = one(matrix, layer.geometry)
    assert (candidate.captured_energy, candidate.lost_energy, candidate.relative_error) == (1.0, 0.0, 0.0)
    answer = project(matrix)
    assert answer.frobenius_norm == pytest.approx(float(matrix.double().norm()), rel=1e-6)
    assert answer.spectrum is not None
    assert np.linalg.norm(answer.spectrum.values) == pytest.approx(answer.frobenius_norm, rel=1e-6)


def test_a_small_loss_is_summed_itself():
    layer = DyadLinear(48, 24, n_blocks=4)
    matrix = layer.to_dense().detach().double()
    outside = residual(torch.ones_like(matrix), layer.geometry).nonzero()[0]
    matrix[tuple(outside)] = 1e-10
    assert one(matrix, layer.geometry).relative_error == pytest.approx(1e-10 / float(matrix.norm()), rel=1e-9)


def test_numpy_arrays_and_half_precision_are_taken():
    array = np.random.default_rng(0).standard_normal((16, 24))
    wanted = project(array).candidates[0].captured_energy
    assert project(array.astype(">f8")).candidates[0].captured_energy == wanted
    halves = project(torch.from_numpy(array).bfloat16()).candidates[0].captured_energy
    assert halves == pytest.approx(wanted, abs=0.01)


def test_structures_that_do_not_fit_are_named():
    answer = project(torch.randn(24, 36), variants=["it", "bd"], n_blocks=[3, 4, 5], grains=[1, 2], low_rank=False)
    assert [(c.geometry.variant, c.geometry.n_blocks, c.geometry.grain) for c in answer.candidates] == [
        ("it", 3, 1), ("it", 3, 2), ("bd", 3, 1), ("it", 4, 1), ("bd", 4, 1),
    ]  # fmt: skip
    assert [(s.variant, s.n_blocks, s.grain) for s in answer.skipped] == [
        ("it", 4, 2), ("it", 5, 1), ("it", 5, 2), ("bd", 5, 1),
    ]  # fmt: skip
    assert "must be divisible by n_blocks=5" in answer.skipped[1].reason
    assert answer.spectrum is None
    assert all(candidate.low_rank is None for candidate in answer.candidates)


def test_the_answer_as_json_and_in_words():
    answer = project(torch.randn(32, 64, generator=torch.Generator().manual_seed(0)), n_blocks=[4])
    values = json.loads(json.dumps(answer.to_dict(), allow_nan=False))
    assert values["matrix"]["parameters"] == 2048
    assert values["candidates"][0]["low_rank"]["rank"] == 10
    assert values["spectrum"]["count"] == 32
    best = max(answer.candidates, key=lambda candidate: candidate.captured_energy)
    assert answer.nearest(4) == best
    assert f"the nearest is {best.geometry.variant.upper()}: it keeps {best.captured_energy:.1%}" in answer.reading
    assert "an unstructured matrix would keep 43.8%" in answer.reading
    assert "low rank (rank 10)" in answer.reading
    assert any("has to be trained again" in note for note in answer.notes)


def test_the_matrix_is_left_as_it_is():
    for dtype in (torch.float32, torch.float64):
        matrix = torch.randn(24, 36, dtype=dtype)
        before = matrix.clone()
        project(matrix)
        assert torch.equal(matrix, before)


def test_progress_rises_to_one_and_names_what_is_done(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(singular_values, "PANEL", 20)
    seen: list[Progress] = []
    project(torch.randn(48, 64), on_progress=seen.append)
    fractions = [progress.fraction for progress in seen]
    assert fractions[0] == 0
    assert fractions == sorted(fractions)
    assert fractions[-1] == pytest.approx(1)
    assert {progress.stage for progress in seen} == {"patterns", "products", "eigenvalues"}
    assert "panel 3 of 3" in " ".join(progress.message for progress in seen)
    assert seen[0].eta_s is None
    assert set(seen[-1].to_dict()) == {"stage", "done", "total", "fraction", "message", "elapsed_s", "eta_s"}


def test_it_stops_when_told():
    cancel = threading.Event()
    seen: list[Progress] = []

    def stop_at_third(progress: Progress) -> None:
        seen.append(progress)
        if len(seen) == 3:
            cancel.set()

    with pytest.raises(OperationCancelled, match="stopped during: pattern"):
        project(torch.randn(24, 48), on_progress=stop_at_third, cancel=cancel)
    assert len(seen) == 3


@pytest.mark.parametrize(
    ("matrix", "options", "field", "words"),
    [
        (torch.ones(4), {}, "matrix", "this has rank 1"),
        (torch.ones(0, 4), {}, "matrix", "at least one value"),
        (torch.ones(4, 4, dtype=torch.int64), {}, "matrix", "floating-point"),
        (np.ones((4, 4), dtype=int), {}, "matrix", "floating-point"),
        (torch.zeros(4, 4), {}, "matrix", "other than zero"),
        (torch.full((4, 4), torch.nan), {}, "matrix", "16 of 16 are not, the first is nan at row 0, column 0"),
        (torch.ones(8, 8), {"variants": ["xt"]}, "variants", "must be among it, ot, dt, bd"),
        (torch.ones(8, 8), {"n_blocks": [0]}, "n_blocks", "positive integers"),
        (torch.ones(8, 8), {"n_blocks": [True]}, "n_blocks", "positive integers"),
        (torch.ones(8, 8), {"n_blocks": []}, "n_blocks", "at least one value"),
        (torch.ones(8, 8), {"grains": [1, 1]}, "grains", "none twice"),
        (torch.ones(8, 8), {"n_blocks": list(range(1, 40))}, "n_blocks", "at most 64 structures"),
        (torch.ones(9, 9), {"n_blocks": [4]}, "in_features", "nearest n_blocks that divide both sizes: 1, 3, 9"),
    ],
)
def test_wrong_input_is_a_sentence(matrix, options: dict[str, object], field: str, words: str):
    with pytest.raises(SpecError) as caught:
        project(matrix, **options)
    assert field in [problem.field for problem in caught.value.problems]
    assert words in str(caught.value)
