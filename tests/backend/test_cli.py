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

RUNS = "/api/v1/benchmarks"


@pytest.fixture(scope="module")
def run(server: httpx.Client) -> tuple[str, dict[str, Any]]:
    """Address of a server and a run that it finished."""
    return str(server.base_url), ended(server, server.post(RUNS, json=SMALL).json()["id"])


def dyad_runs(*arguments: str) -> Result:
    return CliRunner().invoke(runs, arguments, env={"COLUMNS": "250"})


def test_a_list_shows_each_run(run: tuple[str, dict[str, Any]]) -> None:
    url, record = run
    shown = dyad_runs("list", "--api-url", url).output
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
        (("list", "--status", "done"), "status: should be 'queued'"),
        (("export", "f" * 32, "--format", "xml"), "format: should be 'json' or 'csv'"),
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
