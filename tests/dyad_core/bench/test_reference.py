"""The committed result files: of the current schema, with their environment, and nothing of one machine but its kind."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from dyad_core.bench import SCHEMA_VERSION
from dyad_core.bench.files import load_runs, save_runs
from dyad_core.bench.reference import FOLDER, adopt, main, reference_runs
from dyad_core.bench.speed_report import standings


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.json")), ids=lambda path: path.name)
def test_each_file_is_current_and_says_where_it_was_measured(path: Path) -> None:
    assert json.loads(path.read_text(encoding="utf-8"))["schema_version"] == SCHEMA_VERSION
    for run in load_runs(path):
        assert run.schema_version == SCHEMA_VERSION
        assert run.environment.device_name
        assert run.environment.torch_version
        assert run.environment.threads > 0
        assert run.environment.hostname == ""
        assert run.reading
        assert list(standings(run)), "auto has no speed here"


def test_every_file_is_listed() -> None:
    assert set(reference_runs()) == {path.stem for path in FOLDER.glob("*.json")}


def test_a_result_file_is_adopted_without_its_host(
    make_run: Any, tmp_path: Path, monkeypatch: Any, capsys: Any
) -> None:
    monkeypatch.setattr("dyad_core.bench.reference.FOLDER", tmp_path / "kept")
    (tmp_path / "kept").mkdir()
    save_runs(tmp_path / "own.json", [make_run(), make_run(tokens=8)])
    path = adopt(load_runs(tmp_path / "own.json"), "cpu", tmp_path / "kept")
    found = reference_runs(tmp_path / "kept")["cpu"]
    assert [run.spec.tokens for run in found] == [4096, 8]
    assert {run.environment.hostname for run in found} == {""}
    assert found[0].candidates[1].speedup == make_run().candidates[1].speedup
    assert max(len(line) for line in path.read_text(encoding="utf-8").splitlines()) < 4000


def test_the_command_says_what_is_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert main([str(tmp_path / "none.json"), "x"]) == 2
    assert "must be readable" in capsys.readouterr().err
