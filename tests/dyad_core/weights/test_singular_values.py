"""Singular values against a full decomposition, in both precisions, and what is said about noise."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from dyad_core import SpecError
from dyad_core.weights import singular_values, spectrum


def with_values(rows: int, columns: int, values: torch.Tensor) -> torch.Tensor:
    """A matrix with these singular values."""
    generator = torch.Generator().manual_seed(1)
    left = torch.linalg.qr(torch.randn(rows, len(values), generator=generator, dtype=torch.float64))[0]
    right = torch.linalg.qr(torch.randn(columns, len(values), generator=generator, dtype=torch.float64))[0]
    return left * values @ right.T


@pytest.mark.parametrize("shape", [(1, 1), (7, 40), (40, 7), (130, 90), (90, 200)])
def test_they_are_those_of_a_full_decomposition(shape: tuple[int, int], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(singular_values, "PANEL", 40)
    matrix = torch.randn(shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    found = spectrum(matrix)
    assert found.precision == "float64"
    np.testing.assert_allclose(found.values, torch.linalg.svdvals(matrix).numpy(), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_above_the_floor_they_are_right_and_below_it_they_are_noise(precision: str, monkeypatch: pytest.MonkeyPatch):
    if precision == "float32":
        monkeypatch.setattr(singular_values, "FLOAT64_WORK", 0)
    wanted = torch.logspace(0, -12, 60, dtype=torch.float64)
    found = spectrum(with_values(200, 90, wanted))
    assert found.precision == precision
    assert found.floor == pytest.approx(float(np.finfo(precision).eps) ** 0.5, rel=1e-3)
    trusted = found.values[:60] > 10 * found.floor
    assert 10 < trusted.sum() < 60
    np.testing.assert_allclose(found.values[:60][trusted], wanted.numpy()[trusted], rtol=0.02)
    assert found.values[~np.append(trusted, [False] * 30)].max() <= 10 * found.floor


def test_shares_of_energy_in_float32_are_as_exact_as_promised(monkeypatch: pytest.MonkeyPatch):
    matrix = torch.randn(150, 250, generator=torch.Generator().manual_seed(2))
    exact = spectrum(matrix)
    monkeypatch.setattr(singular_values, "FLOAT64_WORK", 0)
    rounded = spectrum(matrix)
    assert (exact.precision, rounded.precision) == ("float64", "float32")
    for rank in (0, 1, 50, 149, 150, 999):
        assert rounded.captured(rank) == pytest.approx(exact.captured(rank), abs=1e-6)
    assert exact.captured(0) == 0
    assert exact.captured(150) == 1


def test_effective_rank_counts_equal_values():
    assert spectrum(with_values(20, 30, torch.ones(7, dtype=torch.float64))).effective_rank == pytest.approx(7)


def test_json_is_thinned_but_keeps_both_ends():
    values = json.loads(json.dumps(spectrum(torch.randn(540, 560)).to_dict(), allow_nan=False))
    assert values["count"] == 540
    assert len(values["index"]) == len(values["values"]) == len(values["captured_energy"]) == 512
    assert values["index"][:65] == list(range(65))
    assert values["index"][-1] == 539
    assert values["captured_energy"][-1] == pytest.approx(1)


def test_the_number_of_threads_is_left_as_it_is():
    before = torch.get_num_threads()
    spectrum(torch.ones(8, 8))
    assert torch.get_num_threads() == before


def test_too_long_a_side_is_refused_before_any_work(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(singular_values, "MAX_SMALLER_SIDE", 8)
    assert len(spectrum(torch.ones(8, 20)).values) == 8
    with pytest.raises(SpecError, match="up to a smaller side of 8.*leave the singular values out"):
        spectrum(torch.ones(9, 20))
