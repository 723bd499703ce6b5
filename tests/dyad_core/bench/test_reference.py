"""The committed result files: of a schema that is read, with their environment, and nothing of one machine but its kind."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from dyad_core.bench import SCHEMA_VERSION
from dyad_core.bench.files import load_runs, save_runs
from dyad_core.bench.reference import FOLDER, adopt, main, make_reference, reference_runs
from dyad_core.bench.speed_report import standings
from dyad_core.bench.speed_run import SpeedOptions
from dyad_core.errors import BenchmarkFailed, SpecError


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.json")), ids=lambda path: path.name)
def test_each_file_is_read_and_says_where_it_was_measured(path: Path) -> None:
    assert json.loads(path.read_text(encoding="utf-8"))["schema_version"] <= SCHEMA_VERSION
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


def test_a_preloaded_allocator_is_kept_by_its_name_alone(make_run: Any, tmp_path: Path) -> None:
    run = make_run()
    environment = dataclasses.replace(run.environment, allocator={"LD_PRELOAD": "/srv/ann/lib/libjemalloc.so.2"})
    adopt([dataclasses.replace(run, environment=environment)], "cpu", tmp_path)
    assert reference_runs(tmp_path)["cpu"][0].environment.allocator == {"LD_PRELOAD": "libjemalloc.so.2"}


@pytest.mark.parametrize("name", ["", "..", "../x", "A", "a b", "a/b", "x" * 65])
def test_a_name_is_a_plain_one(make_run: Any, tmp_path: Path, name: str) -> None:
    with pytest.raises(SpecError, match="lower-case letters, digits and dashes"):
        adopt([make_run()], name, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_written_is_said_and_leaves_nothing(make_run: Any, tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="must be writable"):
        adopt([make_run()], "cpu", tmp_path / "none")


def test_one_call_measures_and_makes_a_reference(
    make_run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def measured(options: SpeedOptions, *, say: Any) -> int:
        say("one point")
        save_runs(options.out, [make_run()])
        return 0

    said: list[str] = []
    monkeypatch.setattr("dyad_core.bench.reference.run_speed", measured)
    path = make_reference("cpu", folder=tmp_path, say=said.append)
    assert path == tmp_path / "cpu.json"
    assert said == ["one point"]
    assert len(reference_runs(tmp_path)["cpu"]) == 1

    monkeypatch.setattr("dyad_core.bench.reference.run_speed", lambda options, *, say: 1)
    with pytest.raises(BenchmarkFailed, match="nothing was measured"):
        make_reference("other", folder=tmp_path, say=said.append)
    assert main(["other"]) == 1


def test_the_command_says_what_is_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert main([str(tmp_path / "none.json"), "x"]) == 2
    assert "must be readable" in capsys.readouterr().err
