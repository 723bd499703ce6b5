"""Health, readiness that tells the truth, and metrics."""

import sqlite3

import pytest
from fastapi.testclient import TestClient
from prometheus_client.parser import text_string_to_metric_families
from service_tools import SMALL, ended

from backend.app import create_app
from backend.settings import Settings


def test_a_healthy_service_says_so(client: TestClient) -> None:
    assert client.get("/healthz").json() == {"status": "ok"}
    answer = client.get("/readyz")
    assert answer.status_code == 200
    assert answer.json()["status"] == "ready"
    assert answer.json()["checks"]["database"] == "ok"


def test_a_stopped_queue_is_not_ready(client: TestClient) -> None:
    client.app.state.service.desk.runner.stop()  # type: ignore[attr-defined]
    answer = client.get("/readyz")

    assert answer.status_code == 503
    assert answer.json() == {"status": "not ready", "checks": {"database": "ok", "runner": "stopped"}}


def test_a_broken_database_is_not_ready_and_requests_say_so(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    with TestClient(create_app(settings)) as client:
        client.app.state.service.store.engine.dispose()  # type: ignore[attr-defined]
        for name in ("dyad.sqlite3", "dyad.sqlite3-wal", "dyad.sqlite3-shm"):
            (settings.home / name).unlink(missing_ok=True)
        (settings.home / "dyad.sqlite3").write_bytes(b"not a database" * 100)

        assert client.get("/healthz").status_code == 200
        ready = client.get("/readyz")
        assert ready.status_code == 503
        assert ready.json()["checks"]["database"] == "does not answer"
        answer = client.get("/api/v1/benchmarks")
        assert answer.status_code == 503
        assert answer.headers["content-type"] == "application/problem+json"
        assert "Traceback" not in answer.text
        assert "sqlite" not in answer.text


def test_metrics_count_jobs_and_their_durations(client: TestClient) -> None:
    run = ended(client, client.post("/api/v1/benchmarks", json=SMALL).json()["id"])
    assert run["status"] == "succeeded"
    answer = client.get("/metrics")
    samples = {
        (sample.name, sample.labels.get("status")): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
        if sample.labels.get("le") is None
    }

    assert answer.headers["content-type"].startswith("text/plain")
    assert samples["dyad_jobs", "succeeded"] == 1
    assert samples["dyad_jobs", "queued"] == 0
    assert samples["dyad_queue_length", None] == 0
    assert samples["dyad_job_duration_seconds_count", "succeeded"] == 1
    assert samples["dyad_job_duration_seconds_sum", "succeeded"] > 0


def test_the_locked_file_of_a_busy_writer_is_waited_for(client: TestClient, settings: Settings) -> None:
    other = sqlite3.connect(settings.home / "dyad.sqlite3")
    other.execute("BEGIN IMMEDIATE")
    assert client.get("/api/v1/benchmarks").status_code == 200  # readers do not wait for a writer
    other.rollback()
    other.close()
