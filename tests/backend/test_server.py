"""The real server in its real process: killed, stopped and started again, it loses nothing that was finished."""

import os
import signal
import socket
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path

import httpx
import pytest
from service_tools import LONG, ROOT, SMALL, alive, ended, serving, wait_until, workers_of

from backend.__main__ import main
from backend.jobs.states import State
from backend.ports import free_port
from backend.settings import Settings
from backend.store.database import open_database
from backend.store.store import Store

RUNS = "/api/v1/benchmarks"


def test_a_killed_server_loses_nothing_that_was_finished_and_says_what_happened_to_the_rest(settings: Settings) -> None:
    with serving(settings) as (client, process):
        done = ended(client, client.post(RUNS, json=SMALL).json()["id"])
        running, queued = (client.post(RUNS, json=body).json()["id"] for body in (LONG, SMALL))
        (worker,) = wait_until(lambda: workers_of(process.pid), "the start of the measurement")
        wait_until(lambda: client.get(f"{RUNS}/{running}").json()["progress"], "the first progress")
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    wait_until(lambda: not alive(worker), "the end of the measuring process, whose server is gone")

    with serving(settings) as (client, process):
        assert client.get(f"{RUNS}/{done['id']}").json() == done
        wait_until(lambda: client.get(f"{RUNS}/{running}").json()["status"] == "interrupted", "the recovery")
        interrupted = client.get(f"{RUNS}/{running}").json()
        assert "start the run again" in interrupted["error"]["detail"]
        assert interrupted["progress"] is not None
        assert ended(client, queued)["status"] == "succeeded"
        assert client.get(RUNS).json()["total"] == 3
        assert workers_of(process.pid) == []


def test_a_server_that_is_asked_to_stop_ends_its_measurement_and_its_streams(settings: Settings) -> None:
    with serving(settings) as (client, process):
        run = client.post(RUNS, json=LONG).json()
        (worker,) = wait_until(lambda: workers_of(process.pid), "the start of the measurement")
        listening = threading.Event()

        def listen() -> None:
            url = f"{client.base_url}{RUNS}/{run['id']}/events"
            # The server cuts the stream when it stops, as EventSource expects before it connects again.
            with suppress(httpx.RemoteProtocolError), httpx.stream("GET", url, trust_env=False, timeout=60) as answer:
                for _ in answer.iter_lines():
                    listening.set()

        listener = threading.Thread(target=listen)
        listener.start()
        assert listening.wait(30)
        process.terminate()
        assert process.wait(30) in (0, -signal.SIGTERM)
        listener.join(30)
        assert not listener.is_alive()
    assert not alive(worker)

    engine = open_database(settings)
    job = Store(engine).get(run["id"])
    engine.dispose()
    assert job.status is State.INTERRUPTED
    assert job.error is not None
    assert "was asked to stop" in job.error["detail"]


def test_serving_and_measuring_leave_cuda_and_the_accelerator_alone(tmp_path: Path) -> None:
    code = """
import sys
from pathlib import Path
from fastapi.testclient import TestClient
from backend.app import create_app
from backend.settings import Settings
import torch
with TestClient(create_app(Settings(home=Path(sys.argv[1])))) as client:
    assert client.get("/api/v1/system").status_code == 200
    assert client.post("/api/v1/benchmarks", json={"in_features": 64, "out_features": 64}).status_code == 202
assert not torch.cuda.is_initialized()
"""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code, str(tmp_path / "home")],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({"DYAD_PORT": "abc"}, "DYAD_PORT should be a valid integer"),
        ({"DYAD_PORT": "70000"}, "DYAD_PORT should be less than or equal to 65535"),
        ({"DYAD_HOST": "192.0.2.1"}, "is not an address of this machine"),
        ({"DYAD_DATABASE_URL": "nonsense"}, "DYAD_DATABASE_URL is not a database address"),
        ({"DYAD_HOME": "/proc/nowhere"}, "DYAD_HOME names another"),
    ],
)
def test_a_server_that_cannot_start_says_why_in_a_sentence(
    tmp_path: Path,
    environment: dict[str, str],
    words: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    settings = {"DYAD_HOME": str(tmp_path), "DYAD_PORT": str(free_port("127.0.0.1"))} | environment
    for name, value in settings.items():
        monkeypatch.setenv(name, value)

    assert main() in (1, 2)
    assert words in capsys.readouterr().err


def test_a_taken_port_is_named_with_the_setting_that_changes_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        monkeypatch.setenv("DYAD_PORT", str(port))
        monkeypatch.setenv("DYAD_HOME", str(tmp_path / "home"))
        assert main() == 1
    assert f"Port {port} on 127.0.0.1 is taken" in capsys.readouterr().err
    assert not (tmp_path / "home").exists()
