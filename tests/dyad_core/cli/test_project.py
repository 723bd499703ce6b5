"""``dyad project`` in the terminal: tables, JSON, a list of tensors, and sentences for wrong input."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner, Result

from dyad_core.cli.project import app
from dyad_core.weights import project


def call(*arguments: object) -> Result:
    return CliRunner(env={"COLUMNS": "100"}).invoke(app, [str(argument) for argument in arguments])


@pytest.fixture
def state(tmp_path: Path) -> tuple[Path, torch.Tensor]:
    weight = torch.randn(48, 24, generator=torch.Generator().manual_seed(0))
    path = tmp_path / "model.pt"
    torch.save({"fc1.weight": weight, "fc2.weight": weight.T.contiguous(), "fc1.bias": weight[:, 0]}, path)
    return path, weight


def test_the_table_the_reading_and_the_warning(state: tuple[Path, torch.Tensor]):
    result = call(state[0], "--tensor", "fc1.weight", "--blocks", "3", "4", "5", "--variants", "it,bd")
    words = " ".join(result.output.split())
    assert result.exit_code == 0
    kept = project(state[1], variants=["it"], n_blocks=[4]).candidates[0].captured_energy
    for expected in ("fc1.weight, 24 → 48, float32", "it, n=4", f"{kept:.1%}", "43.8%", "low rank", "left out bd, n=5"):
        assert expected in words
    assert "has to be trained again" in words
    assert "left out it, n=3" not in words


def test_json_is_what_the_library_answers(state: tuple[Path, torch.Tensor]):
    result = call(state[0], "--tensor", "fc2.weight", "--transpose", "--grains", "1", "2", "--json")
    values = json.loads(result.stdout)
    source = values.pop("source")
    assert source["transposed"]
    assert (source["out_features"], source["in_features"]) == (48, 24)
    assert values == json.loads(json.dumps(project(state[1], grains=[1, 2]).to_dict()))


def test_without_low_rank(state: tuple[Path, torch.Tensor]):
    values = json.loads(call(state[0], "--tensor", "fc1.weight", "--no-low-rank", "--json").stdout)
    assert values["spectrum"] is None
    assert call(state[0], "--tensor", "fc1.weight", "--no-low-rank").exit_code == 0


def test_the_list(state: tuple[Path, torch.Tensor]):
    words = call(state[0], "--list").output
    assert "48 × 24" in words
    assert "fc1.bias" in words
    assert [entry["name"] for entry in json.loads(call(state[0], "--list", "--json").stdout)["tensors"]] == [
        "fc1.weight", "fc2.weight", "fc1.bias",
    ]  # fmt: skip


def test_wrong_input_is_a_sentence(state: tuple[Path, torch.Tensor], tmp_path: Path):
    disguised = tmp_path / "weights.npy"
    disguised.write_bytes(pickle.dumps([1.0]))
    square = tmp_path / "square.npy"
    np.save(square, np.ones((9, 9)))
    for arguments, words in (
        ((state[0],), "must name one of the file's 2 matrices"),
        ((disguised,), "bare Python pickle"),
        ((tmp_path / "absent.npy",), "No such file"),
        ((square, "--max-bytes", 100), "--max-bytes on the command line"),
        ((square, "--blocks", 4), "must be divisible by n_blocks=4"),
        ((square, "--variants", "xt"), "must be among it, ot, dt, bd"),
    ):
        result = call(*arguments)
        assert result.exit_code == 2
        assert words in result.output
        assert "Traceback" not in result.output
