"""A real server process whose real PostgreSQL is stopped, killed and started again under it: it goes on by itself, and no job is lost."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from postgres_tools import PostgresServer, running_postgres
from service_tools import LONG, SMALL, alive, serving, wait_until, workers_of

from backend.settings import Settings

RUNS = "/api/v1/benchmarks"
TERMINAL = ("succeeded", "failed", "cancelled", "interrupted")


@pytest.fixture
def own_postgres() -> Iterator[PostgresServer]:
    """A server that this test may stop."""
    with running_postgres() as server:
        yield server


@pytest.mark.parametrize(
    "how",
    [pytest.param(signal.SIGQUIT, id="killed"), pytest.param(signal.SIGINT, id="stopped", marks=pytest.mark.soak)],
)
def test_a_server_goes_on_when_its_database_is_back(
    own_postgres: PostgresServer, tmp_path: Path, how: signal.Signals
) -> None:
    settings = Settings(home=tmp_path / "home", database_url=own_postgres.url(own_postgres.new_database()))
    with serving(settings) as (client, process):

        def get(path: str) -> httpx.Response:
            return client.get(path)

        def over(run: dict[str, Any]) -> dict[str, Any] | None:
            answer = get(f"{RUNS}/{run['id']}")
            record: dict[str, Any] = answer.json()
            return record if answer.is_success and record["status"] in TERMINAL else None

        done = client.post(RUNS, json=SMALL).json()
        wait_until(lambda: over(done), "the end of the first run")
        result = get(f"{RUNS}/{done['id']}").json()
        running, queued = (client.post(RUNS, json=body).json() for body in (LONG, SMALL | {"tokens": 16}))
        (worker,) = wait_until(lambda: workers_of(process.pid), "the start of the measurement")
        wait_until(lambda: get(f"{RUNS}/{running['id']}").json()["progress"], "the first progress")

        own_postgres.stop(how)
        assert get(f"{RUNS}/{done['id']}").status_code == 503
        assert client.post(RUNS, json=SMALL).status_code == 503
        assert get("/healthz").status_code == 200
        ready = get("/readyz")
        assert ready.status_code == 503
        assert ready.json()["checks"]["database"] == "The database does not answer."
        time.sleep(3)  # the queue and its turn try in vain meanwhile

        own_postgres.start()
        wait_until(lambda: get("/readyz").is_success, "readiness")
        assert process.poll() is None
        assert get(f"{RUNS}/{done['id']}").json() == result
        left = wait_until(lambda: get(f"{RUNS}/{running['id']}").json(), "the record of the long run")
        assert left["status"] in ("running", "interrupted"), left
        if left["status"] == "running":
            assert alive(worker)
            client.post(f"/api/v1/jobs/{running['id']}/cancel")
        wait_until(lambda: over(running), "the end of the long run")
        assert wait_until(lambda: over(queued), "the end of the queued run")["status"] == "succeeded"
        assert get(RUNS).json()["total"] == 3
        assert not alive(worker)
        assert workers_of(process.pid) == []
