from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dyad_core.bench import files
from dyad_core.bench.files import load_runs, parse_runs, save_runs
from dyad_core.bench.json_text import NotJson
from dyad_core.bench.results import SCHEMA_VERSION
from dyad_core.errors import Problem, SpecError


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


@pytest.mark.parametrize("data", [b"", b"  ", b"{", b"\xff\xfe", b"[" * 100_000, b"hello", b'{"a": 1', b'{"a": "b'])
def test_what_is_not_json_is_refused(data: bytes) -> None:
    with pytest.raises(NotJson, match="must be JSON"):
        load_runs(data)


@pytest.mark.parametrize("data", [b"[]", b"5", b'"x"', b"null", b"{}", b'{"runs": []}', b'{"schema_version": 1}'])
def test_what_is_no_result_file_is_refused(data: bytes) -> None:
    assert problems(data)


def test_the_size_is_checked_before_reading_and_before_parsing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(files, "MAX_FILE_BYTES", 10)
    monkeypatch.setattr(files, "read_json", lambda data: pytest.fail("parsed"))
    (tmp_path / "large.json").write_bytes(b"x" * 11)
    assert "at most 10 bytes; received '11 bytes'" in problems(tmp_path / "large.json")
    assert "at most 10 bytes" in problems(b"x" * 11)


def test_a_file_that_is_something_else_is_not_read_to_its_end(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(files, "parse_runs", lambda data: pytest.fail("read"))
    (tmp_path / "bomb.json").write_bytes(gzip.compress(b"{}" * 10_000_000))
    assert "is compressed by gzip" in problems(tmp_path / "bomb.json")
    assert "must be readable" in problems(tmp_path)


@pytest.mark.parametrize("version", [SCHEMA_VERSION + 1, 99])
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
        (lambda run: run["candidates"][1].update(samples_ms=[1.0, -1.0]), "candidates.1.samples_ms.1"),
        (lambda run: run["candidates"][1].update(samples_ms=[1.0, 0]), "candidates.1.samples_ms.1"),
        (lambda run: run["candidates"][1].update(median_ms=0.0), "candidates.1.median_ms"),
        (lambda run: run["candidates"][1].update(speedup_low=-1.0), "candidates.1.speedup_low"),
        (lambda run: run["candidates"][1].update(median_ms=float("nan")), "candidates.1.median_ms"),
        (lambda run: run["candidates"][1].update(median_ms=10**400), "candidates.1.median_ms"),
        (lambda run: run["candidates"][1].update(parameters=10**30), "candidates.1.parameters"),
        (lambda run: run["environment"].update(hostname="a\x00b"), "environment.hostname"),
        (lambda run: run["environment"].update(hostname="\ud800"), "environment.hostname"),
        (lambda run: run.update(reading="x" * 30_000), "reading"),
        (lambda run: run.update(created_at="yesterday"), "created_at"),
        (lambda run: run.update(created_at="2026-01-02T03:04:05"), "created_at"),
        (lambda run: run["spec"].update(n_blocks=list(range(1, 200_000))), "spec.n_blocks"),
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


def test_a_wrong_field_is_named_with_its_line(make_run, tmp_path: Path) -> None:
    save_runs(tmp_path / "two.json", [make_run(), make_run()])
    text = (tmp_path / "two.json").read_text(encoding="utf-8")
    lines = text.splitlines()
    number = next(i for i in range(len(lines) - 1, 0, -1) if '"calls_per_sample"' in lines[i])
    lines[number] = lines[number].replace("3", '"many"')
    (error,) = _problems("\n".join(lines).encode())
    column = lines[number].index('"many"') + 1
    assert error.field == "runs.1.candidates.1.calls_per_sample"
    assert error.rule == f"must be int (line {number + 1}, column {column})"


def test_a_truncated_file_says_where_it_ends(make_run, tmp_path: Path) -> None:
    save_runs(tmp_path / "one.json", [make_run()])
    whole = (tmp_path / "one.json").read_bytes()
    for end in range(100, len(whole) - 2, 97):
        (error,) = _problems(whole[:end])
        line = whole[:end].count(b"\n") + 1
        assert "cut off" in error.rule or f"line {line}" in error.rule or f"line {line - 1}" in error.rule


def test_files_of_the_first_schema_are_read_alone_and_together(make_run) -> None:
    run = make_run().to_dict()
    new = ("sampling", "noise", "ceilings")
    old = {name: value for name, value in run.items() if name not in new} | {"schema_version": 1}
    old["candidates"] = [{**each, "outcome": "measured"} for each in old["candidates"]]
    for values in (old, {"schema_version": 1, "runs": [old]}, {"schema_version": 2, "runs": [old]}):
        (read,) = parse_runs(json.dumps(values).encode())
        assert read.schema_version == SCHEMA_VERSION
        assert [each.outcome for each in read.candidates] == ["measured", "faster"]
        assert [each.samples_ms for each in read.candidates] == [each.samples_ms for each in make_run().candidates]


def test_fields_beside_the_runs_are_refused(make_run) -> None:
    values = {"schema_version": SCHEMA_VERSION, "runs": [make_run().to_dict()], "extra": 1}
    (error,) = _problems(json.dumps(values).encode())
    assert error.field == "extra"


def _problems(data: bytes) -> tuple[Problem, ...]:
    with pytest.raises(SpecError) as caught:
        parse_runs(data)
    return caught.value.problems
