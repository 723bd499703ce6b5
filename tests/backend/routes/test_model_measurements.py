"""Measurements of whole models through the real application: submitted, followed, cancelled, exported and imported."""

from __future__ import annotations

import csv
import io
import json
import os
from typing import Any

import psutil
import pytest
from fastapi.testclient import TestClient
from model_tools import BERT, OPT, TINY
from service_tools import ended, wait_until, workers_of

from backend.app import create_app
from backend.settings import Settings
from dyad_core.models.measuring.files import model_run_from_dict
from dyad_core.models.spec import ModelSpec

MEASUREMENTS = "/api/v1/models/measurements"


@pytest.fixture(scope="module")
def finished(shared_client: TestClient) -> dict[str, Any]:
    """The record of one model that was really measured."""
    answer = shared_client.post(MEASUREMENTS, json=TINY)
    assert answer.status_code == 202, answer.text
    assert answer.headers["location"] == f"{MEASUREMENTS}/{answer.json()['id']}"
    return ended(shared_client, answer.json()["id"])


def test_a_finished_measurement_has_its_result_as_the_library_makes_it(
    shared_client: TestClient, finished: dict[str, Any]
) -> None:
    assert (finished["kind"], finished["status"], finished["error"]) == ("model", "succeeded", None)
    assert finished["spec"] == ModelSpec.from_dict(TINY).to_dict()
    run = model_run_from_dict(finished["result"])
    assert run.to_dict() == finished["result"]
    assert finished["headline"] == run.reading
    assert finished["machine"]["name"] == run.environment.device_name
    assert finished["progress"]["stage"] == "finished"
    assert [each["variant"] for each in finished["result"]["candidates"]] == ["dense", "it"]
    assert finished["result"]["candidates"][1]["pass"] == "train_step"
    assert shared_client.get(f"{MEASUREMENTS}/{finished['id']}").json() == finished


def test_a_list_holds_it_without_its_result(shared_client: TestClient, finished: dict[str, Any]) -> None:
    found = shared_client.get(MEASUREMENTS, params={"status": "succeeded", "origin": "local"}).json()
    item = next(each for each in found["items"] if each["id"] == finished["id"])
    assert not {"result", "candidates"} & {*item, *item["progress"]}
    assert shared_client.get(MEASUREMENTS, params={"device": "cuda"}).json()["total"] == 0
    assert shared_client.get(f"/api/v1/benchmarks/{finished['id']}").status_code == 404
    assert shared_client.get(f"{MEASUREMENTS}/none").status_code == 404


def test_its_parts_foretell_the_next_estimate(shared_client: TestClient, finished: dict[str, Any]) -> None:
    asked = {"config": OPT, "n_blocks": [4, 8], "batch": 2, "sequence": 8}
    answer = shared_client.post("/api/v1/models/estimate", json=asked | {"measured": finished["id"]}).json()
    assert answer["candidates"][0]["predictions"][0]["pass"] == "train_step"
    assert answer["candidates"][1]["predictions"] == []
    assert answer["measured"].startswith(finished["machine"]["name"])


def test_exports_and_a_file_that_comes_back(shared_client: TestClient, finished: dict[str, Any]) -> None:
    address = f"{MEASUREMENTS}/{finished['id']}/export"
    exported = shared_client.get(address)
    assert exported.headers["content-disposition"] == f'attachment; filename="dyad-model-{finished["id"][:8]}.json"'
    assert exported.json() == finished["result"]
    rows = list(csv.DictReader(io.StringIO(shared_client.get(address, params={"format": "csv"}).text)))
    assert [(row["variant"], row["pass"], row["batch"]) for row in rows] == [
        ("dense", "train_step", "2"),
        ("it", "train_step", "2"),
    ]

    kept = shared_client.post(f"{MEASUREMENTS}/import", content=exported.content)
    assert (kept.status_code, kept.json()["origin"]) == (201, "imported")
    assert kept.json()["result"] == finished["result"]
    assert kept.json()["measured_at"] == finished["measured_at"]
    twice = shared_client.post(f"{MEASUREMENTS}/import", content=exported.content)
    assert (twice.status_code, twice.json()["id"]) == (200, kept.json()["id"])
    assert shared_client.delete(f"{MEASUREMENTS}/{kept.json()['id']}").status_code == 204
    assert shared_client.get(f"{MEASUREMENTS}/{kept.json()['id']}").status_code == 404


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "config"),
        (TINY | {"config": "opt-126m"}, "config"),
        (TINY | {"config": OPT | {"model_type": "nothing"}}, "config.model_type"),
        (TINY | {"config": OPT | {"num_hidden_layers": 10**9}}, "config.num_hidden_layers"),
        (TINY | {"passes": ["backward"]}, "passes"),
        (TINY | {"colour": 1}, "colour"),
        (TINY | {"device": "cuda:98"}, "device"),
        (TINY | {"implementation": "none"}, "implementation"),
        (TINY | {"n_blocks": [7]}, "n_blocks"),
        (TINY | {"names": ["*.nothing"]}, "names"),
        (TINY | {"config": BERT, "passes": ["decode"]}, "passes"),
        (TINY | {"sequence": 64, "passes": ["decode"]}, "sequence"),
    ],
)
def test_a_wrong_request_names_its_field(shared_client: TestClient, body: dict[str, Any], field: str) -> None:
    answer = shared_client.post(MEASUREMENTS, json=body)
    assert answer.status_code == 422, answer.text
    assert {error["field"] for error in answer.json()["errors"]} == {field}


def test_a_model_that_does_not_fit_is_refused_with_the_bytes_needed_and_there(shared_client: TestClient) -> None:
    wide = OPT | {"hidden_size": 16384, "ffn_dim": 65536, "num_hidden_layers": 48, "word_embed_proj_dim": 16384}
    answer = shared_client.post(MEASUREMENTS, json=TINY | {"config": wide})
    assert answer.status_code == 422
    (error,) = answer.json()["errors"]
    assert error["field"] == "config"
    assert "TiB" in error["rule"]
    assert "cpu has" in error["rule"]
    assert "optimizer sgd" in error["suggestion"]


@pytest.mark.parametrize(
    ("content", "status"), [(b"", 400), (b"{", 400), (b"[]", 422), (b'{"schema_version": 99}', 422)]
)
def test_a_wrong_file_is_refused(shared_client: TestClient, content: bytes, status: int) -> None:
    assert shared_client.post(f"{MEASUREMENTS}/import", content=content).status_code == status


def test_a_running_measurement_is_followed_and_cancelled_and_leaves_no_process(settings: Settings) -> None:
    with TestClient(create_app(settings)) as client:
        spec = TINY | {"max_seconds": 3600, "target_interval": 1e-6, "passes": ["prefill"]}
        job_id = client.post(MEASUREMENTS, json=spec).json()["id"]

        def timing() -> Any:
            progress = client.get(f"{MEASUREMENTS}/{job_id}").json()["progress"] or {}
            return progress.get("stage") == "timing" and progress["candidates"]

        figures = wait_until(timing, "the first figures")
        assert {(each["variant"], each["pass"]) for each in figures} == {("dense", "prefill"), ("it", "prefill")}
        (worker,) = workers_of(os.getpid(), "dyad_core.models.measuring.worker")
        assert client.get(f"{MEASUREMENTS}/{job_id}/export").status_code == 409
        assert client.delete(f"{MEASUREMENTS}/{job_id}").status_code == 409
        assert client.post(f"{MEASUREMENTS}/{job_id}/cancel").status_code == 202
        record = ended(client, job_id)
        assert (record["status"], record["result"]) == ("cancelled", None)
        assert not psutil.pid_exists(worker)
        with client.stream("GET", f"{MEASUREMENTS}/{job_id}/events") as stream:
            heard = [json.loads(line[5:]) for line in stream.iter_lines() if line.startswith("data:")]
        assert heard[-1]["status"] == "cancelled"
