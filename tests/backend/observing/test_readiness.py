"""Readiness tells the truth: a database that cannot be written or hangs, a queue that ended, a disk that is full."""

import asyncio
import os
import signal
import sqlite3
import threading
import time
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from fastapi.testclient import TestClient
from postgres_tools import PostgresServer
from service_tools import serving, wait_until

from backend.app import create_app
from backend.observing.readiness import Readiness, Report, disk_problem, queue_problem
from backend.settings import Settings


def checks(client: Any) -> tuple[int, dict[str, str]]:
    answer = client.get("/readyz")
    body = answer.json()
    assert body["status"] == ("ready" if answer.status_code == 200 else "not ready")
    return answer.status_code, body["checks"]


def test_a_service_that_can_do_its_work_is_ready(client: TestClient) -> None:
    assert checks(client) == (200, dict.fromkeys(("database", "queue", "executor", "disk"), "ok"))


@pytest.mark.database("sqlite")
def test_of_two_servers_on_a_database_one_has_its_turn_and_says_so(client: TestClient, settings: Settings) -> None:
    wait_until(lambda: client.get("/readyz").json()["role"] == "measuring", "the turn of the first")
    with TestClient(create_app(settings)) as second:
        assert second.get("/readyz").json()["role"] == "standby"
        assert "dyad_has_turn 0.0" in second.get("/metrics").text
        assert "dyad_has_turn 1.0" in client.get("/metrics").text
        assert second.get("/readyz").status_code == 200


def test_a_stopped_queue_is_told(client: TestClient) -> None:
    client.app.state.service.desk.scheduler.stop()  # type: ignore[attr-defined]
    status, found = checks(client)

    assert status == 503
    assert "has ended" in found.pop("queue")
    assert set(found.values()) == {"ok"}


def test_a_full_disk_is_told_with_its_figures(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "home", reference_runs=False, min_free_bytes=2**60)
    with TestClient(create_app(settings)) as client:
        status, found = checks(client)

    assert status == 503
    assert "MiB are free, at least 1,099,511,627,776.0 MiB must be" in found.pop("disk")
    assert str(tmp_path) not in str(found)
    assert set(found.values()) == {"ok"}


def test_a_folder_that_is_gone_is_told(tmp_path: Path) -> None:
    assert "cannot be looked at" in disk_problem(tmp_path / "gone", 0)()


@pytest.mark.database("sqlite")
def test_a_database_that_can_be_read_and_not_written_is_told(client: TestClient, settings: Settings) -> None:
    other = sqlite3.connect(settings.home / "dyad.sqlite3")
    other.execute("BEGIN IMMEDIATE")
    status, found = checks(client)
    other.rollback()
    other.close()

    assert status == 503
    assert found["database"] != "ok"
    assert checks(client)[0] == 200


def processes_of(server: PostgresServer) -> list[psutil.Process]:
    assert server._process is not None
    parent = psutil.Process(server._process.pid)
    return [parent, *parent.children(recursive=True)]


@pytest.mark.database("postgresql")
def test_a_database_that_hangs_is_told_in_time_and_piles_up_no_threads(
    settings: Settings, postgres: PostgresServer
) -> None:
    with serving(settings) as (client, process):
        assert checks(client)[0] == 200
        threads = psutil.Process(process.pid).num_threads
        before = threads()
        for each in processes_of(postgres):
            os.kill(each.pid, signal.SIGSTOP)
        try:
            # Every thread that serves requests is taken by one that waits for the database.
            stuck = [threading.Thread(target=read_jobs, args=(client,), daemon=True) for _ in range(60)]
            for thread in stuck:
                thread.start()
            time.sleep(0.5)
            for _ in range(3):
                with httpx.Client(base_url=client.base_url, trust_env=False, timeout=60) as own:
                    status, found = checks(own)
                    assert own.get("/healthz").status_code == 200
                assert status == 503
                # The one question that is out ends by the limits of the driver, too.
                assert found["database"] in ("No answer within 1.5 s.", "The database does not answer.")
                assert found["queue"] == found["disk"] == "ok"
            assert threads() < before + 60
        finally:
            for each in processes_of(postgres):
                os.kill(each.pid, signal.SIGCONT)
        wait_until(lambda: checks(client)[0] == 200, "the return of the database")
        for thread in stuck:
            thread.join(60)


def read_jobs(client: httpx.Client) -> None:
    with httpx.Client(base_url=client.base_url, trust_env=False, timeout=60) as own:
        own.get("/api/v1/jobs")


def test_checks_run_at_once_and_a_mistake_in_one_keeps_its_words_inside() -> None:
    together = threading.Barrier(2)

    def meet() -> str:
        together.wait(30)
        return ""

    def mistake() -> str:
        raise RuntimeError("postgresql://user:hunter2@host")

    readiness = Readiness({"one": meet, "two": meet, "three": mistake}, limit_s=30)
    report = asyncio.run(readiness.report())

    assert report.problems["one"] == report.problems["two"] == ""
    assert "RuntimeError" in report.problems["three"]
    assert "hunter2" not in report.problems["three"]
    assert not report.ready


def test_a_report_is_ready_when_every_check_is_silent() -> None:
    assert Report({"a": "", "b": ""}).to_dict() == {
        "status": "ready",
        "role": "measuring",
        "checks": {"a": "ok", "b": "ok"},
    }
    assert Report({"a": "Broken."}, "standby").to_dict() == {
        "status": "not ready",
        "role": "standby",
        "checks": {"a": "Broken."},
    }


@pytest.mark.parametrize(("state", "fine"), [("measuring", True), ("standby", True), ("stopped", False)])
def test_only_a_stopped_queue_is_a_problem(state: str, fine: bool) -> None:
    assert (queue_problem(lambda: state)() == "") is fine
