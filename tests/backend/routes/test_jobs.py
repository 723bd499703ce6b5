"""Jobs of every kind in one list."""

from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient
from service_tools import SLEEP, ProcessKind, ended, new_job, wait_until

from backend.app import create_app
from backend.jobs.kind import Outcome, all_kinds
from backend.settings import Settings
from dyad_core.bench import SCHEMA_VERSION


@pytest.fixture
def client(settings: Settings) -> Iterator[TestClient]:
    with TestClient(create_app(settings, kinds={"process": ProcessKind(), **all_kinds(settings)})) as client:
        yield client


def test_a_new_kind_of_job_is_listed_beside_the_others(client: TestClient) -> None:
    service = client.app.state.service  # type: ignore[attr-defined]
    record = service.desk.submit("process", {"code": "print(7)"}).record
    other, _ = service.store.add_finished(
        new_job(kind="benchmark"), Outcome({"schema_version": SCHEMA_VERSION}, "x", [])
    )

    done = ended(client, record["id"])
    assert (done["kind"], done["status"], done["result"]) == ("process", "succeeded", {"value": 7})
    listed = client.get("/api/v1/jobs").json()
    assert [item["id"] for item in listed["items"]] == [other.id, record["id"]]
    assert client.get("/api/v1/jobs", params={"kind": "process"}).json()["total"] == 1
    assert client.get("/api/v1/jobs", params={"status": "queued"}).json()["total"] == 0


def test_an_unknown_kind_is_named_with_those_there_are(client: TestClient) -> None:
    answer = client.get("/api/v1/jobs", params={"kind": "dance"})

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["rule"] == "must be one of process, benchmark, model, projection, sweep"


@pytest.mark.parametrize(
    ("method", "path"), [("GET", ""), ("DELETE", ""), ("POST", "/cancel"), ("GET", "/events"), ("GET", "/nothing")]
)
def test_an_unknown_job_is_not_found(client: TestClient, method: str, path: str) -> None:
    answer = client.request(method, f"/api/v1/jobs/{'0' * 32}{path}")

    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"


def test_a_job_of_any_kind_is_cancelled_followed_to_its_end_and_deleted(client: TestClient) -> None:
    desk = client.app.state.service.desk  # type: ignore[attr-defined]
    job = f"/api/v1/jobs/{desk.submit('process', {'code': SLEEP}).record['id']}"
    wait_until(lambda: client.get(job).json()["progress"], "the start of the process")
    assert client.delete(job).status_code == 409

    assert client.post(f"{job}/cancel").status_code == 202
    events = client.get(f"{job}/events")
    assert events.headers["content-type"].startswith("text/event-stream")
    assert '"status": "cancelled"' in events.text.splitlines()[-2]
    assert "result" not in events.text
    assert client.post(f"{job}/cancel").status_code == 409
    assert client.delete(job).status_code == 204
    assert client.get(job).status_code == 404


def test_a_kind_is_found_by_its_file_being_there() -> None:
    assert list(all_kinds(Settings())) == ["benchmark", "model", "projection", "sweep"]


def test_a_job_of_any_kind_is_submitted_by_its_name(shared_client: TestClient) -> None:
    request = {"in_features": 64, "out_features": 64, "tokens": 8, "max_seconds": 0.2}
    answer = shared_client.post("/api/v1/jobs", json={"kind": "benchmark", "request": request})
    assert answer.status_code == 202, answer.text
    assert answer.headers["Location"] == f"/api/v1/jobs/{answer.json()['id']}"
    assert answer.json()["spec"]["in_features"] == 64
    shared_client.post(f"{answer.headers['Location']}/cancel")


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({}, {"kind", "request"}),
        ({"kind": "nonsense", "request": 3, "more": 1}, {"kind", "request", "more"}),
        ({"kind": ["benchmark"], "request": {}}, {"kind"}),
        ({"kind": "benchmark", "request": {}}, {"request.in_features", "request.out_features"}),
        (
            {"kind": "benchmark", "request": {"in_features": 64, "out_features": 64, "n_blocks": [0]}},
            {"request.n_blocks"},
        ),
    ],
)
def test_a_wrong_job_is_answered_with_every_wrong_field(
    shared_client: TestClient, body: dict[str, Any], fields: set[str]
) -> None:
    answer = shared_client.post("/api/v1/jobs", json=body)
    assert answer.status_code == 422
    assert {error["field"] for error in answer.json()["errors"]} == fields
