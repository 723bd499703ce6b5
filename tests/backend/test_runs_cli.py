"""``dyad runs`` against a real server, and what it says when there is none."""

import csv
import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from click.testing import Result
from service_tools import SMALL, ended
from typer.testing import CliRunner

from backend.cli import runs
from backend.ports import free_port
from dyad_core.bench.compare import compare
from dyad_core.bench.files import load_runs

RUNS = "/api/v1/benchmarks"


@pytest.fixture(scope="module")
def run(server: httpx.Client) -> tuple[str, dict[str, Any]]:
    """Address of a server and a run that it finished."""
    return str(server.base_url), ended(server, server.post(RUNS, json=SMALL).json()["id"])


def dyad_runs(*arguments: str) -> Result:
    return CliRunner().invoke(runs, arguments, env={"COLUMNS": "250"})


def test_a_list_shows_each_run(run: tuple[str, dict[str, Any]]) -> None:
    url, record = run
    shown = dyad_runs("list", "--api-url", url, "--origin", "local").output
    page = json.loads(dyad_runs("list", "--api-url", url, "--status", "succeeded", "--json").output)

    assert record["id"] in shown
    assert "64→64" in shown
    assert page["items"][0]["id"] == record["id"]


def test_one_run_shows_its_figures(run: tuple[str, dict[str, Any]]) -> None:
    url, record = run
    shown = dyad_runs("show", record["id"], "--api-url", url).output

    assert "it n=4 g=1" in shown
    assert f"{record['result']['candidates'][1]['speedup']:.2f}" in shown
    assert record["headline"][:40] in shown
    assert json.loads(dyad_runs("show", record["id"], "--api-url", url, "--json").output) == record


def test_a_run_is_exported_to_a_file_or_to_the_screen(run: tuple[str, dict[str, Any]], tmp_path: Path) -> None:
    url, record = run
    file = tmp_path / "run.csv"
    said = dyad_runs("export", record["id"], "--api-url", url, "--format", "csv", "--output", str(file), "--json")

    assert json.loads(said.output) == {"file": str(file), "bytes": file.stat().st_size}
    with file.open(newline="", encoding="utf-8") as text:
        assert [row["variant"] for row in csv.DictReader(text)] == ["dense", "it"]
    assert json.loads(dyad_runs("export", record["id"], "--api-url", url).output) == record["result"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("show", "f" * 32), "There is no run with this id."),
        (("list", "--limit", "0"), "limit: should be greater than or equal to 1; received '0'."),
        (("list", "--origin", "moon"), "origin: should be 'local', 'imported' or 'reference'"),
        (("compare", "f" * 32, "e" * 32), "There is no run with this id."),
        (("list", "--status", "done"), "status: should be 'queued'"),
        (("export", "f" * 32, "--format", "xml"), "format: should be 'json', 'csv' or 'parquet'"),
    ],
)
def test_a_refusal_is_told_with_its_fields(
    run: tuple[str, dict[str, Any]], arguments: tuple[str, ...], words: str
) -> None:
    said = dyad_runs(*arguments, "--api-url", run[0])

    assert said.exit_code == 1
    assert words in said.output


def test_a_file_that_cannot_be_written_is_said(run: tuple[str, dict[str, Any]], tmp_path: Path) -> None:
    said = dyad_runs("export", run[1]["id"], "--api-url", run[0], "--output", str(tmp_path))
    assert said.exit_code == 1
    assert "cannot be written: Is a directory." in said.output


@pytest.mark.parametrize("url", [f"http://127.0.0.1:{free_port('127.0.0.1')}", "nonsense", "http://[", "http://a b"])
def test_a_service_that_does_not_answer_is_said_with_what_to_do(url: str) -> None:
    said = dyad_runs("list", "--api-url", url)

    assert said.exit_code == 1
    assert "--api-url" in said.output
    assert "Traceback" not in said.output


@pytest.mark.parametrize(
    "arguments", [("show", "x"), ("export", "F" * 32), ("show", ""), ("compare", "none.json", "x")]
)
def test_what_cannot_be_an_id_is_said_without_asking(arguments: tuple[str, ...]) -> None:
    said = dyad_runs(*arguments, "--api-url", "http://127.0.0.1:1")
    assert said.exit_code == 2
    assert "the id of a run, which has 32 hexadecimal digits" in said.output


def test_parquet_is_exported_to_a_file(run: tuple[str, dict[str, Any]], tmp_path: Path) -> None:
    url, record = run
    file = tmp_path / "run.parquet"
    assert dyad_runs("export", record["id"], "--api-url", url, "--format", "parquet", "-o", str(file)).exit_code == 0
    assert file.read_bytes().startswith(b"PAR1")


def test_runs_and_files_are_compared(run: tuple[str, dict[str, Any]], tmp_path: Path) -> None:
    url, record = run
    file = tmp_path / "run.json"
    dyad_runs("export", record["id"], "--api-url", url, "--output", str(file))
    shown = dyad_runs("compare", record["id"], str(file), "--api-url", url)
    found = json.loads(dyad_runs("compare", str(file), str(file), "--json").output)

    assert shown.exit_code == 0
    assert "IT n=4" in shown.output
    assert "not distinguishable" in shown.output
    assert [each["name"] for each in found["runs"]] == ["A", "B"]
    assert found["comparison"] == compare(load_runs(file) * 2).to_dict()


def test_a_comparison_of_nothing_ends_with_an_exit_code_and_the_reason(
    run: tuple[str, dict[str, Any]], tmp_path: Path
) -> None:
    other = json.loads(json.dumps(run[1]["result"]))
    other["spec"]["module"] = "feed_forward"
    (tmp_path / "one.json").write_text(json.dumps(run[1]["result"]), encoding="utf-8")
    (tmp_path / "other.json").write_text(json.dumps(other), encoding="utf-8")
    said = dyad_runs("compare", str(tmp_path / "one.json"), str(tmp_path / "other.json"))
    assert said.exit_code == 1
    assert "Not comparable: A has module linear and B has feed_forward" in " ".join(said.output.split())
    few = dyad_runs("compare", str(tmp_path / "one.json"))
    assert few.exit_code == 2
    assert "must be 2 to 8 runs" in few.output


def test_files_are_imported_once_and_a_damaged_one_stops_all(run: tuple[str, dict[str, Any]], tmp_path: Path) -> None:
    url, record = run
    good, bad = tmp_path / "good.json", tmp_path / "bad.json"
    good.write_text(json.dumps(record["result"] | {"created_at": "2026-01-01T00:00:00+00:00"}), encoding="utf-8")
    bad.write_text("{", encoding="utf-8")

    refused = dyad_runs("import", str(good), str(bad), "--api-url", url)
    assert refused.exit_code == 2
    assert "bad.json" in refused.output
    assert "cut off" in refused.output

    (first,) = json.loads(dyad_runs("import", str(good), "--api-url", url, "--json").output)
    assert first["existing"] == []
    again = dyad_runs("import", str(good), "--api-url", url)
    assert again.exit_code == 0
    assert f"{first['imported'][0]}  was here already" in again.output
    assert "imported" in dyad_runs("list", "--api-url", url, "--origin", "imported").output


def test_a_result_file_is_adopted_as_a_reference(run: tuple[str, dict[str, Any]], tmp_path: Path) -> None:
    file = tmp_path / "own.json"
    file.write_text(json.dumps(run[1]["result"]), encoding="utf-8")
    arguments = ("--results", str(file), "--folder", str(tmp_path))
    made = json.loads(dyad_runs("adopt", "my-box", *arguments, "--json").output)
    assert made == {"file": str(tmp_path / "my-box.json"), "runs": 1}
    (adopted,) = load_runs(tmp_path / "my-box.json")
    assert adopted.environment.hostname == ""
    wrong = dyad_runs("adopt", "../my box", *arguments)
    assert wrong.exit_code == 2
    assert "lower-case letters, digits and dashes" in wrong.output
    nowhere = dyad_runs("adopt", "my-box", "--results", str(file), "--folder", str(tmp_path / "none"))
    assert nowhere.exit_code == 2
    assert "must be writable" in nowhere.output
