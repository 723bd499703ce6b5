"""Runs of two services side by side, and what is said where nothing can be compared."""

from __future__ import annotations

import json
from typing import Any

import pytest
from fastapi.testclient import TestClient
from service_tools import SMALL, ended

from backend.app import create_app
from backend.settings import Settings
from dyad_core.bench import BenchmarkRun
from dyad_core.bench.compare import compare

RUNS = "/api/v1/benchmarks"
COMPARE = f"{RUNS}/compare"


@pytest.fixture(scope="module")
def pair(shared_client: TestClient) -> list[dict[str, Any]]:
    """Two runs of one request, measured one after the other."""
    records = [shared_client.post(RUNS, json=SMALL, params={"again": "true"}).json() for _ in range(2)]
    return [ended(shared_client, record["id"]) for record in records]


def test_two_runs_of_one_request_are_held_against_each_other(
    shared_client: TestClient, pair: list[dict[str, Any]]
) -> None:
    answer = shared_client.get(COMPARE, params={"ids": ",".join(record["id"] for record in pair)})
    found = answer.json()

    assert answer.status_code == 200
    assert [(run["id"], run["name"], run["origin"]) for run in found["runs"]] == [
        (pair[0]["id"], "A", "local"),
        (pair[1]["id"], "B", "local"),
    ]
    assert found["comparison"]["pairs"][0]["comparable"] == "all"
    assert found["comparison"]["pairs"][0]["same_machine"] is True
    row = found["comparison"]["candidates"][1]
    assert (row["label"], row["pass"]) == ("IT n=4", "forward")
    assert row["ratios"][0]["time_ratio_low"] <= row["ratios"][0]["time_ratio"] <= row["ratios"][0]["time_ratio_high"]


def test_runs_exported_here_and_imported_elsewhere_compare_to_the_same_bytes(
    shared_client: TestClient, pair: list[dict[str, Any]], settings: Settings
) -> None:
    here = shared_client.get(COMPARE, params={"ids": ",".join(record["id"] for record in pair)})
    files = [shared_client.get(f"{RUNS}/{record['id']}/export").content for record in pair]
    with TestClient(create_app(settings)) as other:
        ids = [other.post(f"{RUNS}/import", content=file).json()["id"] for file in files]
        there = other.get(COMPARE, params={"ids": ",".join(ids)})
        again = [other.get(f"{RUNS}/{run_id}/export").content for run_id in ids]

    assert [run["origin"] for run in there.json()["runs"]] == ["imported", "imported"]
    assert again == files
    assert there.content[there.content.index(b'"comparison"') :] == here.content[here.content.index(b'"comparison"') :]
    own = compare([BenchmarkRun.from_dict(json.loads(file)) for file in files]).to_dict()
    assert json.dumps(own) == json.dumps(here.json()["comparison"])


def test_what_cannot_be_compared_is_shown_with_the_reason(
    shared_client: TestClient, pair: list[dict[str, Any]]
) -> None:
    record = shared_client.post(RUNS, json=SMALL | {"dtype": "float64"}).json()
    other = ended(shared_client, record["id"])
    found = shared_client.get(COMPARE, params={"ids": f"{pair[0]['id']},{other['id']}"}).json()["comparison"]

    assert found["pairs"][0]["comparable"] == "nothing"
    assert "dtype float32 and B has float64" in found["pairs"][0]["reasons"][0]
    assert {row["ratios"][0]["time_ratio"] for row in found["candidates"]} == {None}
    assert found["differences"][0] == {
        "part": "spec", "field": "dtype", "values": ["float32", "float64"], "momentary": False,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("ids", "status", "words"),
    [
        ("", 422, "2 to 8 different ids"),
        ("a", 422, "2 to 8 different ids"),
        ("a,a", 422, "2 to 8 different ids"),
        (",".join("abcdefghi"), 422, "2 to 8 different ids"),
        ("f" * 1000, 422, "at most"),
        ("{first}," + "f" * 32, 404, "no run has this id"),
        ("{first},x", 404, "no run has this id"),
        ("{first},", 404, "no run has this id"),
        ("{first},\x00", 404, "no run has this id"),
        ("{first},{waiting}", 409, "must be runs with a result; this one is cancelled"),
    ],
)
def test_wrong_ids_are_answered_with_a_sentence(
    shared_client: TestClient, pair: list[dict[str, Any]], ids: str, status: int, words: str
) -> None:
    waiting = shared_client.post(RUNS, json=SMALL | {"seed": 5}).json()["id"]
    shared_client.post(f"{RUNS}/{waiting}/cancel")
    ended(shared_client, waiting)
    asked = ids.replace("{first}", pair[0]["id"]).replace("{waiting}", waiting)
    answer = shared_client.get(COMPARE, params={"ids": asked})

    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["errors"][0]["field"] == "ids"
    assert words in answer.json()["errors"][0]["rule"]
