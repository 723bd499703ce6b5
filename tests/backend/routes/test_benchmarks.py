"""Runs through the real application, measured by the real engine in its real process."""

import csv
import dataclasses
import io
import json
import os
from datetime import datetime
from typing import Any

import pandas
import psutil
import pytest
from fastapi.testclient import TestClient
from service_tools import LONG, SMALL, alive, as_schema_1, ended, new_job, wait_until, workers_of
from sqlalchemy import text

from backend.app import create_app
from backend.jobs.kind import Outcome
from backend.jobs.kinds.benchmark import is_servable
from backend.settings import Settings
from backend.store.store import NewJob, Store
from dyad_core.bench import SCHEMA_VERSION, BenchmarkRun, BenchmarkSpec

RUNS = "/api/v1/benchmarks"
RECORD = {
    "id", "kind", "status", "spec", "progress", "queue_position", "warnings", "error", "origin",
    "created_at", "started_at", "finished_at", "headline", "machine", "measured_at",
    "client", "priority", "device", "attempt", "attempts", "place", "time_limit_s", "memory_limit_bytes", "version",
}  # fmt: skip
CANDIDATE = {
    "variant", "n_blocks", "grain", "implementation", "pass", "outcome", "samples_ms", "median_ms",
    "speedup", "speedup_low", "speedup_high", "share_of_limit", "parameters", "flops", "memory",
}  # fmt: skip


@pytest.fixture(scope="module")
def finished(shared_client: TestClient) -> dict[str, Any]:
    """The record of one run that the engine measured."""
    answer = shared_client.post(RUNS, json=SMALL | {"passes": ["forward", "train_step"]})
    assert answer.status_code == 202, answer.text
    record = ended(shared_client, answer.json()["id"])
    assert record["status"] == "succeeded", record["error"]
    return record


def test_a_submitted_run_is_accepted_with_its_address_and_every_default(client: TestClient) -> None:
    answer = client.post(RUNS, json={"in_features": 64, "out_features": 64, "tokens": 8})
    record = answer.json()

    assert answer.status_code == 202
    assert answer.headers["location"] == f"{RUNS}/{record['id']}"
    assert set(record) == RECORD | {"result", "served_from_store"}
    assert (record["kind"], record["status"], record["origin"]) == ("benchmark", "queued", "local")
    assert record["served_from_store"] is False
    assert record["queue_position"] == 1
    assert record["spec"] == BenchmarkSpec(64, 64, tokens=8).to_dict()
    assert record["result"] is record["error"] is record["progress"] is record["finished_at"] is None
    assert record["created_at"].endswith("+00:00")


def test_a_finished_run_has_the_shape_that_was_promised(shared_client: TestClient, finished: dict[str, Any]) -> None:
    assert set(finished) == RECORD | {"result"}
    result = finished["result"]
    assert {"spec", "environment", "candidates", "created_at", "duration_s", "reading", "warnings"} <= set(result)
    assert result["schema_version"] == SCHEMA_VERSION
    assert {"device", "dtype", "threads", "torch_version", "cpu_name"} <= set(result["environment"])
    assert [(c["variant"], c["n_blocks"], c["pass"]) for c in result["candidates"]] == [
        ("dense", None, "forward"), ("it", 4, "forward"), ("dense", None, "train_step"), ("it", 4, "train_step"),
    ]  # fmt: skip
    for candidate in result["candidates"]:
        assert set(candidate) >= CANDIDATE
        assert candidate["outcome"] in ("measured", "faster", "slower", "not_distinguishable")
        assert len(candidate["samples_ms"]) >= 3
        assert all(name.endswith("_bytes") or name == "method" for name in candidate["memory"])
    measured = result["candidates"][1]
    assert 0 < measured["speedup_low"] <= measured["speedup"] <= measured["speedup_high"]
    assert measured["share_of_limit"] == pytest.approx(measured["speedup"] / 2)
    assert finished["headline"] == result["reading"] != ""
    assert finished["created_at"] <= finished["started_at"] <= finished["finished_at"]
    assert finished["machine"] == {
        "name": result["environment"]["device_name"],
        **{name: result["environment"][name] for name in ("hostname", "device", "threads", "torch_version")},
    }
    assert datetime.fromisoformat(finished["measured_at"]) == datetime.fromisoformat(result["created_at"])
    assert finished["progress"]["stage"] == "finished"
    assert finished["progress"]["candidates"] == []
    assert shared_client.get(f"{RUNS}/{finished['id']}").json() == finished
    assert shared_client.get(f"/api/v1/jobs/{finished['id']}").json() == finished


def test_a_list_has_no_results_but_their_headlines(shared_client: TestClient, finished: dict[str, Any]) -> None:
    page = shared_client.get(RUNS, params={"status": "succeeded", "variant": "it", "device": "cpu"}).json()

    assert set(page) == {"items", "total", "limit", "offset"}
    item = next(item for item in page["items"] if item["id"] == finished["id"])
    assert set(item) == RECORD
    assert item["headline"] == finished["headline"]
    assert "candidates" not in item["progress"]
    assert shared_client.get(RUNS, params={"variant": "dt"}).json()["total"] == 0
    assert shared_client.get(RUNS, params={"limit": 1, "offset": 10**6}).json()["items"] == []


def test_an_exported_file_comes_back_as_an_imported_run_once(
    shared_client: TestClient, finished: dict[str, Any]
) -> None:
    exported = shared_client.get(f"{RUNS}/{finished['id']}/export")
    assert exported.headers["content-disposition"].startswith("attachment; filename=")
    assert exported.json() == finished["result"]

    answer = shared_client.post(f"{RUNS}/import", content=exported.content)
    record = answer.json()
    assert answer.status_code == 201
    assert set(record) == RECORD | {"result", "imported", "existing"}
    assert record["imported"] == [record["id"]] != [finished["id"]]
    assert record["existing"] == []
    assert (record["origin"], record["status"], record["result"]) == ("imported", "succeeded", finished["result"])
    assert (record["machine"], record["measured_at"]) == (finished["machine"], finished["measured_at"])
    assert shared_client.get(answer.headers["location"]).json()["result"] == finished["result"]
    total = shared_client.get(RUNS, params={"origin": "imported"}).json()["total"]

    again = shared_client.post(f"{RUNS}/import", content=exported.content)
    assert (again.status_code, again.json()["id"], again.json()["existing"]) == (200, record["id"], [record["id"]])
    assert shared_client.get(RUNS, params={"origin": "imported"}).json()["total"] == total


def test_a_file_of_several_runs_is_imported_whole_and_each_run_once(
    shared_client: TestClient, finished: dict[str, Any]
) -> None:
    moments = [f"2026-01-01T00:00:0{second}+00:00" for second in (0, 1, 1)]
    file = {"schema_version": 1, "runs": [finished["result"] | {"created_at": moment} for moment in moments]}
    first = shared_client.post(f"{RUNS}/import", json=file | {"runs": file["runs"][:1]}).json()
    answer = shared_client.post(f"{RUNS}/import", json=file)

    assert answer.status_code == 201
    assert len(answer.json()["imported"]) == 2
    assert first["id"] in answer.json()["existing"]
    assert first["measured_at"] == "2026-01-01T00:00:00.000+00:00"


def test_an_equal_request_is_served_from_the_store_and_measured_again_when_asked(
    shared_client: TestClient, finished: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    request = {**SMALL, "passes": ["forward", "train_step"]}
    store = shared_client.app.state.service.store  # type: ignore[attr-defined]
    if not store.find_servable("benchmark", *_digests(store, finished["id"])):
        # Other work on this machine marked the run; that it is then not served is tested elsewhere.
        with store.engine.begin() as connection:
            connection.execute(text("UPDATE jobs SET servable = true WHERE id = :id"), {"id": finished["id"]})
    imported = shared_client.post(f"{RUNS}/import", json=finished["result"]).json()
    total = shared_client.get(RUNS).json()["total"]

    answer = shared_client.post(RUNS, json=request)
    assert answer.status_code == 202
    assert answer.headers["location"] == f"{RUNS}/{finished['id']}"
    assert answer.json() == finished | {"served_from_store": True}
    assert finished["id"] != imported["id"]
    assert shared_client.get(RUNS).json()["total"] == total

    for changed, query in ((request, {"again": "true"}), (request | {"seed": 1}, {})):
        other = shared_client.post(RUNS, json=changed, params=query).json()
        assert (other["served_from_store"], other["status"], other["result"]) == (False, "queued", None)
        shared_client.post(f"{RUNS}/{other['id']}/cancel")
    monkeypatch.setenv("MALLOC_ARENA_MAX", "3")  # which is another environment
    other = shared_client.post(RUNS, json=request).json()
    assert other["served_from_store"] is False
    shared_client.post(f"{RUNS}/{other['id']}/cancel")


def _digests(store: Store, job_id: str) -> tuple[str, str]:
    job = store.get(job_id)
    assert job.environment_digest is not None
    return job.spec_digest, job.environment_digest


def test_what_other_work_disturbed_and_what_failed_is_not_served(finished: dict[str, Any]) -> None:
    alone = dataclasses.replace(BenchmarkRun.from_dict(finished["result"]), warnings=())
    assert is_servable(alone)
    assert not is_servable(dataclasses.replace(alone, warnings=("forward: disturbed: other work kept",)))
    for outcome in ("failed", "out_of_memory"):
        candidates = (dataclasses.replace(alone.candidates[0], outcome=outcome), *alone.candidates[1:])
        assert not is_servable(dataclasses.replace(alone, candidates=candidates))


def test_a_result_of_the_first_schema_is_answered_in_that_of_today(
    shared_client: TestClient, finished: dict[str, Any]
) -> None:
    old = as_schema_1(finished["result"])
    job, _ = shared_client.app.state.service.store.add_finished(  # type: ignore[attr-defined]
        NewJob(kind="benchmark", spec=old["spec"], spec_digest="", warnings=[]), Outcome(old, None, [])
    )
    result = shared_client.get(f"{RUNS}/{job.id}").json()["result"]
    assert (old["schema_version"], result["schema_version"]) == (1, SCHEMA_VERSION)
    assert result == BenchmarkRun.from_dict(old).to_dict()
    assert shared_client.get(f"{RUNS}/{job.id}/export").json() == result


def test_the_table_has_a_row_for_each_candidate_and_pass(shared_client: TestClient, finished: dict[str, Any]) -> None:
    answer = shared_client.get(f"{RUNS}/{finished['id']}/export", params={"format": "csv"})
    rows = list(csv.DictReader(io.StringIO(answer.text)))

    assert answer.headers["content-type"].startswith("text/csv")
    assert [(row["variant"], row["pass"]) for row in rows] == [
        (candidate["variant"], candidate["pass"]) for candidate in finished["result"]["candidates"]
    ]
    assert float(rows[1]["median_ms"]) == finished["result"]["candidates"][1]["median_ms"]


def test_parquet_has_the_same_rows_with_their_samples(shared_client: TestClient, finished: dict[str, Any]) -> None:
    answer = shared_client.get(f"{RUNS}/{finished['id']}/export", params={"format": "parquet"})
    table = pandas.read_parquet(io.BytesIO(answer.content))

    assert answer.headers["content-disposition"].endswith('.parquet"')
    assert [list(samples) for samples in table["samples_ms"]] == [
        candidate["samples_ms"] for candidate in finished["result"]["candidates"]
    ]


def test_cancelling_kills_the_process_and_leaves_nothing_to_export(client: TestClient) -> None:
    long, queued, last = (client.post(RUNS, json=LONG).json()["id"] for _ in range(3))
    (worker,) = wait_until(lambda: workers_of(os.getpid()), "the start of the measurement")
    wait_until(lambda: (client.get(f"{RUNS}/{long}").json()["progress"] or {}).get("stage") == "checking", "checking")
    assert client.get(f"{RUNS}/{last}").json()["queue_position"] == 2

    assert client.delete(f"{RUNS}/{long}").status_code == 409
    for waiting in (queued, last):
        assert client.post(f"{RUNS}/{waiting}/cancel").json()["status"] == "cancelled"
    answer = client.post(f"{RUNS}/{long}/cancel")
    assert (answer.status_code, set(answer.json())) == (202, RECORD | {"result"})
    assert ended(client, long)["status"] == "cancelled"
    assert not alive(worker)

    again = client.post(f"{RUNS}/{long}/cancel")
    assert again.status_code == 409
    assert again.json()["detail"].startswith("A cancelled job cannot become cancelled")
    assert client.get(f"{RUNS}/{long}/export").status_code == 409
    assert client.delete(f"{RUNS}/{long}").status_code == 204
    assert client.get(f"{RUNS}/{long}").status_code == 404


def test_killing_the_worker_fails_the_run_with_the_cause_and_the_queue_goes_on(client: TestClient) -> None:
    long, small = (client.post(RUNS, json=body).json()["id"] for body in (LONG, SMALL))
    (worker,) = wait_until(lambda: workers_of(os.getpid()), "the start of the measurement")
    psutil.Process(worker).kill()

    record = ended(client, long)
    assert record["status"] == "failed"
    assert "SIGKILL" in record["error"]["detail"]
    assert "Traceback" not in json.dumps(record)
    assert ended(client, small)["status"] == "succeeded"


def test_a_queued_run_can_be_deleted(client: TestClient) -> None:
    long, queued = (client.post(RUNS, json=LONG).json()["id"] for _ in range(2))
    assert client.delete(f"{RUNS}/{queued}").status_code == 204
    assert client.get(f"{RUNS}/{queued}").status_code == 404
    client.post(f"{RUNS}/{long}/cancel")


def test_a_full_queue_says_when_to_come_back(settings: Settings) -> None:
    with TestClient(create_app(settings.model_copy(update={"queue_limit": 1}))) as client:
        running = client.post(RUNS, json=LONG).json()["id"]
        wait_until(lambda: client.get(f"{RUNS}/{running}").json()["status"] == "running", "the start")
        assert client.post(RUNS, json=LONG).status_code == 202
        answer = client.post(RUNS, json=LONG)

    assert answer.status_code == 429
    assert int(answer.headers["retry-after"]) > 0
    assert "1 jobs are waiting already" in answer.json()["detail"]


def test_a_job_of_another_kind_is_no_benchmark(shared_client: TestClient) -> None:
    job, _ = shared_client.app.state.service.store.add_finished(  # type: ignore[attr-defined]
        new_job(), Outcome({"value": 1}, None, [])
    )
    assert shared_client.get(f"{RUNS}/{job.id}").status_code == 404
    assert shared_client.get(f"/api/v1/jobs/{job.id}").json()["kind"] == "process"
    assert shared_client.delete(f"{RUNS}/{job.id}").status_code == 404
