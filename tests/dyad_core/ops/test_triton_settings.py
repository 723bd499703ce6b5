"""Tile sizes and plans of the Triton kernel: plain arithmetic, tested without triton."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from dyad_core import DyadGeometry
from dyad_core.ops._triton import plan, settings, tune
from dyad_core.ops._triton.settings import CANDIDATES, Settings, Shape, Table

BYTES = {torch.float32: 4, torch.float16: 2, torch.bfloat16: 2, torch.float64: 8}


@pytest.mark.parametrize("element_bytes", [2, 4, 8])
@pytest.mark.parametrize("tokens", [1, 16, 17, 300, 8192])
@pytest.mark.parametrize("columns", [1, 12, 48, 96, 192, 1024])
@pytest.mark.parametrize("inner", [1, 24, 96, 4096])
def test_default_tiles_are_legal_and_fit_every_gpu(tokens: int, columns: int, inner: int, element_bytes: int) -> None:
    chosen = settings.default_settings(Shape(tokens, columns, inner, 16), element_bytes)
    for size in (chosen.block_m, chosen.block_n, chosen.block_k):
        assert size >= 16
        assert size & (size - 1) == 0
    staged = chosen.stages * chosen.block_k * (chosen.block_m + chosen.block_n) * element_bytes
    assert staged <= 99 * 1024
    tiles = -(-columns // chosen.block_n)
    assert columns < 16 or columns / (tiles * chosen.block_n) >= 0.6  # few outputs of a tile are wasted


def test_few_tokens_make_many_programs() -> None:
    chosen = settings.default_settings(Shape(1, 4096, 1024, 4), 2)  # 4096 → 16384, n = 4
    assert 4 * 4096 / chosen.block_n >= 2 * 132  # twice the processors of an H100


def test_candidates_are_distinct_and_fit_a_hopper_gpu() -> None:
    assert len(set(CANDIDATES)) == len(CANDIDATES)
    for each in CANDIDATES:
        assert each.stages * each.block_k * (each.block_m + each.block_n) * 2 <= 227 * 1024


def test_the_nearest_measured_shape_serves() -> None:
    one, two = Settings(16, 16, 64, 8, 4, 3), Settings(128, 128, 64, 8, 8, 3)
    rows = (("bfloat16", Shape(1, 1024, 1024, 4), one), ("bfloat16", Shape(4096, 1024, 1024, 4), two))
    table = Table("a GPU", rows)
    assert table.nearest("bfloat16", Shape(8, 1024, 1024, 4)) == one
    assert table.nearest("bfloat16", Shape(512, 768, 1024, 4)) == two
    assert table.nearest("float16", Shape(8, 1024, 1024, 4)) is None
    assert Shape(8, 8, 8, 8, True).distance(Shape(8, 8, 8, 8)) == 1


def test_a_table_serves_the_device_it_was_measured_on(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = tmp_path / "triton.json"
    monkeypatch.setenv(settings.SETTINGS_VARIABLE, str(path))
    settings.table.cache_clear()
    assert settings.table("a GPU") is None
    settings.table.cache_clear()
    content = {"schema_version": 1, "device": "a GPU", "smallest_cell": 16, "rows": []}
    path.write_text(json.dumps(content), encoding="utf-8")
    assert settings.table("a GPU") == Table("a GPU", (), 16)
    assert settings.table("another") is None
    settings.table.cache_clear()


@pytest.mark.parametrize(
    ("variant", "grain", "dtype", "expected"),
    [
        ("it", 1, torch.bfloat16, plan.Plan(1, True, False, False)),
        ("it", 8, torch.bfloat16, plan.Plan(1, False, True, False)),
        ("it", 4, torch.float32, plan.Plan(1, False, True, False)),
        ("it", 4, torch.bfloat16, plan.Plan(1, True, False, False)),
        ("ot", 1, torch.bfloat16, plan.Plan(1, False, False, False)),
        ("dt", 1, torch.bfloat16, plan.Plan(1, True, False, False)),
    ],
)
def test_runs_of_16_bytes_are_read_in_place(variant: str, grain: int, dtype: torch.dtype, expected: plan.Plan) -> None:
    x, weight = torch.empty(5, 64, dtype=dtype), torch.empty(2, 64, 32, dtype=dtype)
    assert plan.make_plan(x, weight, weight, variant, grain, 32) == expected


def test_small_cells_take_two_passes_and_transposed_weights_are_copied() -> None:
    x, weight = torch.empty(5, 64), torch.empty(4, 16, 64)
    assert plan.make_plan(x, weight, weight, "ot", 1, 32).passes == 2
    transposed = torch.empty(4, 64, 128).mT
    assert plan.make_plan(x, transposed, transposed, "ot", 1, 32).copies_rows
    assert not plan.make_plan(x, transposed, transposed, "ot", 4, 32).copies_rows
    assert not plan.make_plan(x, transposed, transposed, "it", 1, 32).copies_rows
    # Feature-major: contiguous along tokens, so any run of features reads well.
    assert plan.make_plan(torch.empty(64, 5).T, weight, weight, "it", 1, 32).by_index


def test_groups_become_contiguous() -> None:
    x = torch.arange(12)[None]
    assert plan.by_groups(x, 3, 2).tolist() == [[0, 1, 6, 7, 2, 3, 8, 9, 4, 5, 10, 11]]


def test_default_cases_are_both_layers_and_their_gradients() -> None:
    cases = tune.default_cases((768,), (512,), (8,), ("ot",))
    assert cases == [
        tune.Case(DyadGeometry(768, 3072, 8, "ot"), 512),
        tune.Case(DyadGeometry(3072, 768, 8, "it"), 512, transposed=True),
        tune.Case(DyadGeometry(3072, 768, 8, "ot"), 512),
        tune.Case(DyadGeometry(768, 3072, 8, "it"), 512, transposed=True),
    ]
    assert tune.shape_of(cases[0]) == Shape(512, 48, 96, 64)
    assert tune.shape_of(cases[1]) == Shape(512, 96, 384, 8, True)


def test_one_pass_pays_from_the_smallest_cell_that_always_won() -> None:
    assert tune.smallest_winning_cell({}) == settings.SMALLEST_CELL
    assert tune.smallest_winning_cell({12: False, 48: True, 128: True}) == 48
    assert tune.smallest_winning_cell({12: True, 48: False, 128: True}) == 128
    assert tune.smallest_winning_cell({12: True, 128: False}) == 129
