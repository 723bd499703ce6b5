"""The addresses for supervision, and what a broken database does to requests; tests/backend/observing has the rest."""

import sqlite3

import pytest
from fastapi.testclient import TestClient
from service_tools import SMALL, ended

from backend.app import create_app
from backend.settings import Settings


def test_a_healthy_service_says_so(client: TestClient) -> None:
    assert client.get("/healthz").json() == {"status": "ok"}
    answer = client.get("/readyz")
    assert answer.status_code == 200
    assert answer.json()["status"] == "ready"
    assert answer.json()["checks"]["database"] == "ok"


@pytest.mark.database("sqlite")
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
        assert "database" in ready.json()["checks"]["database"]
        answer = client.get("/api/v1/benchmarks")
        assert answer.status_code == 503
        assert answer.headers["content-type"] == "application/problem+json"
        assert "Traceback" not in answer.text
        assert "sqlite" not in answer.text


def test_a_real_benchmark_is_in_the_metrics(client: TestClient) -> None:
    run = ended(client, client.post("/api/v1/benchmarks", json=SMALL).json()["id"])
    assert run["status"] == "succeeded"
    answer = client.get("/metrics")

    assert answer.headers["content-type"].startswith("text/plain")
    assert 'dyad_jobs{status="succeeded"} 1.0' in answer.text
    assert 'dyad_job_duration_seconds_count{kind="benchmark",status="succeeded"} 1.0' in answer.text


@pytest.mark.database("sqlite")
def test_the_locked_file_of_a_busy_writer_is_waited_for(client: TestClient, settings: Settings) -> None:
    other = sqlite3.connect(settings.home / "dyad.sqlite3")
    other.execute("BEGIN IMMEDIATE")
    assert client.get("/api/v1/benchmarks").status_code == 200  # readers do not wait for a writer
    other.rollback()
    other.close()
