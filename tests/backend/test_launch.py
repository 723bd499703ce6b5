"""``dyad up`` with real processes: both start, both end together, and what fails says which it was."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import psutil
import pytest
import typer
from service_tools import ROOT, alive, wait_until
from typer.testing import CliRunner

from backend import cli
from backend.launch import ChildEnded, Program, dashboard_program, run_together
from backend.ports import free_port

UP = "import typer; from backend.cli import up; typer.run(up)"


@contextmanager
def up(home: Path, *options: str) -> Iterator[subprocess.Popen[str]]:
    """Run ``dyad up``; whatever is left of it at the end is killed."""
    process = subprocess.Popen(
        [sys.executable, "-c", UP, *options],
        env=os.environ | {"DYAD_HOME": str(home)}, cwd=ROOT, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    try:
        yield process
    finally:
        family = [process.pid, *children(process.pid)] if process.poll() is None else []
        for pid in family:
            if alive(pid):
                os.kill(pid, signal.SIGKILL)
        process.communicate()


def children(pid: int) -> list[int]:
    return [child.pid for child in psutil.Process(pid).children(recursive=True)]


def test_both_start_answer_and_end_on_one_signal(tmp_path: Path) -> None:
    with up(tmp_path, "--port", "0", "--dashboard-port", "0", "--json") as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, process.communicate()[1]
        addresses = json.loads(line)
        assert set(addresses) == {"dashboard", "backend", "api_docs"}
        family = children(process.pid)
        with httpx.Client(trust_env=False) as client:
            assert client.get(f"{addresses['backend']}/readyz").json()["status"] == "ready"
            assert "<html" in client.get(addresses["dashboard"]).text
            assert client.get(addresses["api_docs"]).status_code == 200

        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0
        assert len(family) >= 2
        wait_until(lambda: not any(alive(pid) for pid in family), "the end of every child")


@pytest.mark.parametrize(("option", "setting"), [("--port", "DYAD_PORT"), ("--dashboard-port", "DYAD_DASHBOARD_PORT")])
def test_a_taken_port_is_named_before_anything_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, option: str, setting: str
) -> None:
    monkeypatch.setenv("DYAD_HOME", str(tmp_path / "home"))
    app = typer.Typer()
    app.command()(cli.up)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        other = "--dashboard-port" if option == "--port" else "--port"
        said = CliRunner().invoke(app, [option, str(port), other, "0"])

    assert said.exit_code == 1
    expected = f"Port {port} on 127.0.0.1 is taken by another program; choose another with {option} or {setting}."
    assert said.output.strip() == expected
    assert not (tmp_path / "home").exists()


def sleeper(name: str, port: int, code: str) -> Program:
    serve = f"import http.server as h, threading, time, os, sys\n{code}\n"
    return Program(name, [sys.executable, "-c", serve], f"http://127.0.0.1:{port}/", f"http://127.0.0.1:{port}")


def serving_code(port: int, seconds: float) -> str:
    return (
        f"server = h.HTTPServer(('127.0.0.1', {port}), h.SimpleHTTPRequestHandler)\n"
        f"threading.Thread(target=server.serve_forever, daemon=True).start(); time.sleep({seconds}); os._exit(7)"
    )


def test_when_one_ends_by_itself_the_other_is_ended_and_it_is_named(tmp_path: Path) -> None:
    first, second = free_port("127.0.0.1"), free_port("127.0.0.1")
    others = children(os.getpid())  # of the test run itself
    seen: list[set[int]] = []
    programs = [
        sleeper("backend", first, serving_code(first, 600)),
        sleeper("dashboard", second, serving_code(second, 2)),
    ]
    with pytest.raises(ChildEnded, match=r"The dashboard ended by itself \(exit code 7\)"):
        run_together(programs, on_ready=lambda: seen.append(set(children(os.getpid())) - set(others)))

    assert len(seen[0]) >= 2
    assert not any(alive(pid) for pid in seen[0])


def test_one_that_cannot_start_is_named_at_once() -> None:
    port = free_port("127.0.0.1")
    with pytest.raises(ChildEnded, match=r"The backend ended by itself \(exit code 3\)"):
        run_together([sleeper("backend", port, "sys.exit(3)")], on_ready=lambda: pytest.fail("it never was ready"))


def test_the_dashboard_is_told_where_the_service_is() -> None:
    program = dashboard_program("127.0.0.1", 8501, "http://127.0.0.1:8000")

    assert program.environment["DYAD_API_URL"] == "http://127.0.0.1:8000"
    assert "--server.headless" in program.command
    assert program.command[program.command.index("--server.port") + 1] == "8501"


@pytest.mark.parametrize(
    ("host", "kept"), [("127.0.0.1", True), ("localhost", True), ("0.0.0.0", False), ("::", False)]
)
def test_a_dashboard_that_others_reach_does_not_act_with_our_token(host: str, kept: bool) -> None:
    environment = dashboard_program(host, 8501, "http://127.0.0.1:8000").environment

    assert ("DYAD_API_TOKEN" not in environment) is kept
    assert environment.get("DYAD_API_TOKEN", "") == ""


def test_an_open_service_is_warned_of_once_both_run(tmp_path: Path) -> None:
    with up(tmp_path, "--host", "0.0.0.0", "--port", "0", "--dashboard-port", "0", "--json") as process:
        assert process.stdout is not None
        assert process.stdout.readline(), process.communicate()[1]
        process.send_signal(signal.SIGINT)
        said = process.communicate(timeout=60)[1]
    assert said.count("!!!!\nWARNING: THIS SERVICE IS OPEN TO OTHERS.") == 2  # by the service, and below the addresses
