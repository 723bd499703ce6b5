from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dyad_core.bench import files
from dyad_core.bench.files import load_runs, parse_runs, save_runs
from dyad_core.errors import SpecError


def problems(data: bytes | Path) -> str:
    with pytest.raises(SpecError) as caught:
        load_runs(data)
    return str(caught.value)


@pytest.mark.parametrize("count", [1, 3])
def test_what_is_saved_is_loaded(make_run, tmp_path: Path, count: int) -> None:
    path = tmp_path / "results.json"
    runs = [make_run(tokens=tokens) for tokens in range(1, count + 1)]
    save_runs(path, runs)
    assert load_runs(path) == load_runs(str(path)) == load_runs(path.read_bytes()) == runs
    assert [entry.name for entry in tmp_path.iterdir()] == ["results.json"]


def test_several_runs_stand_under_a_schema_version(make_run, tmp_path: Path) -> None:
    save_runs(tmp_path / "two.json", [make_run(), make_run()])
    values = json.loads((tmp_path / "two.json").read_text(encoding="utf-8"))
    assert set(values) == {"schema_version", "runs"}
    assert len(values["runs"]) == 2


def test_an_unwritable_place_is_a_sentence(make_run, tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="must be writable"):
        save_runs(tmp_path / "no" / "such.json", [make_run()])
    assert "must be readable" in problems(tmp_path / "none.json")


@pytest.mark.parametrize("data", [b"", b"{", b"\xff\xfe", b"[" * 100_000, b'{"a": NaN}', b'{"a": Infinity}'])
def test_what_is_not_json_is_refused(data: bytes) -> None:
    assert "must be JSON" in problems(data)


@pytest.mark.parametrize("data", [b"[]", b"5", b'"x"', b"null", b"{}", b'{"runs": []}', b'{"schema_version": 1}'])
def test_what_is_no_result_file_is_refused(data: bytes) -> None:
    assert problems(data)


def test_the_size_is_checked_before_parsing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(files, "MAX_FILE_BYTES", 10)
    monkeypatch.setattr(json, "loads", lambda *a, **k: pytest.fail("parsed"))
    (tmp_path / "large.json").write_bytes(b"x" * 11)
    assert "at most 10 bytes" in problems(tmp_path / "large.json")


@pytest.mark.parametrize("version", [2, 99])
@pytest.mark.parametrize("several", [False, True])
def test_a_newer_schema_gives_a_plain_error(make_run, version: int, several: bool) -> None:
    run = make_run().to_dict()
    values = {"schema_version": version, "runs": [run]} if several else {**run, "schema_version": version}
    text = problems(json.dumps(values).encode())
    assert "schema_version" in text
    assert "update dyad-explorer" in text


Change = Callable[[dict[str, Any]], object]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        (lambda run: run.pop("created_at"), "run.created_at"),
        (lambda run: run.update(extra=1), "run.extra"),
        (lambda run: run.update(duration_s="long"), "run.duration_s"),
        (lambda run: run.update(candidates={}), "candidates"),
        (lambda run: run.update(candidates=[5]), "candidates.0"),
        (lambda run: run.update(warnings="one"), "run.warnings"),
        (lambda run: run["spec"].update(tokens=0), "spec.tokens"),
        (lambda run: run["spec"].update(wat=0), "spec.wat"),
        (lambda run: run["environment"].pop("torch_version"), "environment.torch_version"),
        (lambda run: run["environment"].update(allocator={"A": 5}), "environment.allocator"),
        (lambda run: run["environment"].update(threads=True), "environment.threads"),
        (lambda run: run["candidates"][1].update(samples_ms="fast"), "candidates.1.samples_ms"),
        (lambda run: run["candidates"][1].update(samples_ms=[1, "2"]), "candidates.1.samples_ms"),
        (lambda run: run["candidates"][1].update(median_ms="1"), "candidates.1.median_ms"),
        (lambda run: run["candidates"][1].update(outcome="great"), "candidates.1.outcome"),
        (lambda run: run["candidates"][1].pop("pass"), "candidates.1.pass"),
        (lambda run: run["candidates"][1].update(n_blocks=4.5), "candidates.1.n_blocks"),
        (lambda run: run["candidates"][1].update(memory=5), "candidates.1.memory"),
        (lambda run: run["candidates"][1]["memory"].update(peak_bytes=None), "candidates.1.memory.peak_bytes"),
        (lambda run: run["candidates"][1]["correctness"].pop("passed"), "candidates.1.correctness.passed"),
    ],
)
def test_wrong_fields_are_named(make_run, change: Change, field: str) -> None:
    run = make_run().to_dict()
    change(run)
    with pytest.raises(SpecError) as caught:
        parse_runs(json.dumps(run).encode())
    assert field in {problem.field for problem in caught.value.problems}
    with pytest.raises(SpecError) as caught:
        parse_runs(json.dumps({"schema_version": 1, "runs": [make_run().to_dict(), run]}).encode())
    assert f"runs.1.{field}" in {problem.field for problem in caught.value.problems}
