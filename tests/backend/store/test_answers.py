"""What clients are told of a database that cannot do what they asked, through the real application."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from full_disk import small_disk
from postgres_tools import PostgresServer
from service_tools import ProcessKind
from sqlalchemy import event
from sqlalchemy.exc import IntegrityError

from backend.app import create_app
from backend.settings import Settings
from backend.store.answers import database_answer

RUNS = "/api/v1/benchmarks"
BODY = {"in_features": 64, "out_features": 64, "tokens": 8, "n_blocks": [4]}


def stopped(client: TestClient) -> TestClient:
    """The same application, nothing being run meanwhile."""
    client.app.state.service.desk.scheduler.stop()  # type: ignore[attr-defined]
    return client


def test_a_mistake_of_our_own_is_no_answer_about_the_database() -> None:
    assert database_answer(IntegrityError("", {}, ValueError()), "GET") is None


def test_a_full_disk_is_507_and_what_is_kept_can_be_read(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with small_disk(tmp_path / "disk", 3) as disk:
        settings = Settings(home=disk.folder, reference_runs=False)
        with TestClient(create_app(settings)) as client:
            stopped(client)
            kept = client.post(RUNS, json=BODY).json()
            disk.fill()
            answers = [client.post(RUNS, json=BODY | {"tokens": tokens}) for tokens in range(8, 90)]
            full = next(answer for answer in answers if answer.status_code != 202)
            assert full.status_code == 507
            assert full.headers["content-type"] == "application/problem+json"
            assert full.json()["detail"] == (
                "The database of the service has no room left on its disk. This was not kept. "
                "Free some space on its disk, then send this again; what was kept before is unharmed."
            )
            assert "Retry-After" not in full.headers
            assert client.get(f"{RUNS}/{kept['id']}").json()["spec"] == kept["spec"]
            disk.free()
            assert client.post(RUNS, json=BODY | {"tokens": 99}).status_code == 202


@pytest.mark.database("sqlite")
def test_a_database_that_may_not_be_written_is_read_and_says_so(settings: Settings) -> None:
    with TestClient(create_app(settings)) as client:
        stopped(client)
        kept = client.post(RUNS, json=BODY).json()
        engine = client.app.state.service.store.engine  # type: ignore[attr-defined]
        event.listen(engine, "connect", lambda connection, _: connection.execute("PRAGMA query_only=ON"))
        engine.dispose()

        answer = client.post(RUNS, json=BODY)
        assert answer.status_code == 503
        assert answer.json()["detail"].startswith("The database of the service is read-only. This was not kept.")
        assert client.get(f"{RUNS}/{kept['id']}").status_code == 200
        assert client.delete(f"{RUNS}/{kept['id']}").status_code == 503


@pytest.mark.database("postgresql")
def test_whether_a_change_came_through_is_not_claimed_where_nobody_can_know(
    settings: Settings, postgres: PostgresServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL)
    with TestClient(create_app(settings, kinds={"process": ProcessKind()})) as client:
        stopped(client)
        postgres.drop((settings.database_url or "").rpartition("/")[2])
        read, written = client.get(RUNS), client.post("/api/v1/jobs/" + "f" * 32 + "/cancel")
    assert (read.status_code, written.status_code) == (503, 503)
    assert read.json()["detail"] == (
        "The database of the service does not answer. Nothing was changed. /readyz says when it is back."
    )
    assert "Whether this was kept cannot be told: look before you send it again" in written.json()["detail"]
    assert read.headers["Retry-After"] == "10"
