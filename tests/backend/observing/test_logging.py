"""The lines of the real server and of a small program, read as a collector of logs reads them."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from service_tools import ROOT, SMALL, ended, serving

from backend.observing.logging import redacted

MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")


def written(code: str, style: str = "json", level: str = "info") -> str:
    """What a program that sets up logging and runs ``code`` writes to stderr."""
    start = f"""
import logging, threading, warnings
from backend.observing.logging import configure_logging, job_context, log_uncaught
configure_logging({level!r}, {style!r})
log = logging.getLogger("backend.some")
"""
    done = subprocess.run([sys.executable, "-c", start + code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stdout == ""
    return done.stderr


def parsed(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def test_every_line_of_a_server_is_json_with_the_same_members(tmp_path: Path) -> None:
    with serving(tmp_path / "home") as (client, _process):
        run = client.post("/api/v1/benchmarks", json=SMALL, headers={"X-Request-ID": "submit-1"}).json()
        ended(client, run["id"])
        client.get("/nowhere?token=hunter2", headers={"Authorization": "Bearer hunter2"})
    text = (tmp_path / "home.log").read_text(encoding="utf-8")
    lines = parsed(text)

    assert all(list(line)[:4] == ["timestamp", "level", "logger", "event"] for line in lines)
    assert all(MOMENT.fullmatch(line["timestamp"]) for line in lines)
    loggers = {line["logger"] for line in lines}
    assert {"alembic.runtime.migration", "uvicorn.error", "backend.request"} <= loggers
    assert any("Running upgrade" in line["event"] for line in lines)
    requests = [line for line in lines if line["logger"] == "backend.request"]
    assert [line["event"] for line in requests] == ["POST /api/v1/benchmarks 202", "GET /nowhere 404"]  # no polls
    assert requests[0]["request_id"] == "submit-1"
    assert requests[0]["route"] == "/api/v1/benchmarks"
    assert requests[0]["status"] == 202
    assert requests[0]["duration_ms"] > 0
    assert "hunter2" not in text


def test_at_debug_reads_are_lines_too_and_only_ours_are_that_talkative(tmp_path: Path) -> None:
    with serving(tmp_path / "home", DYAD_LOG_LEVEL="DEBUG") as (client, _process):
        client.get("/healthz")
    lines = parsed((tmp_path / "home.log").read_text(encoding="utf-8"))

    talkative = {line["logger"].split(".")[0] for line in lines if line["level"] == "debug"}
    assert talkative == {"backend"}
    assert any(line["event"] == "GET /healthz 200" for line in lines)


def test_lines_of_a_job_carry_its_id_in_every_thread_that_says_so() -> None:
    first, second, third = parsed(
        written("""
def work(name):
    with job_context(name):
        log.info("at %s", name, extra={"device": "cpu"})
threads = [threading.Thread(target=work, args=[name]) for name in ("one", "two")]
for thread in threads:
    thread.start()
    thread.join()
log.info("after")
""")
    )

    assert (first["job_id"], first["event"], first["device"]) == ("one", "at one", "cpu")
    assert second["job_id"] == "two"
    assert "job_id" not in third


def test_what_nobody_catches_and_warnings_are_lines_too() -> None:
    thread, warning, end = parsed(
        written("""
log_uncaught()
def fail():
    password = "hunter2"
    raise ValueError("in a thread")
thread = threading.Thread(target=fail, name="worker")
thread.start()
thread.join()
warnings.simplefilter("always")
warnings.warn("be careful")
raise RuntimeError("at the end")
""")
    )

    assert thread["event"] == "thread worker ended in an unforeseen way"
    assert thread["exception"].endswith("ValueError: in a thread")
    assert "hunter2" not in thread["exception"].partition("raise")[2]  # values of variables stay inside
    assert "be careful" in warning["event"]
    assert warning["level"] == "warning"
    assert end["level"] == "critical"
    assert end["exception"].endswith("RuntimeError: at the end")


@pytest.mark.parametrize("style", ["json", "text"])
def test_nothing_that_was_received_makes_a_line_of_its_own(style: str) -> None:
    text = written(
        r'log.info("GET %s", "/a\n{\"level\": \"error\"}\r\x1b[2J\u2028", extra={"client": "x\ny\x1b[2J"})', style
    )

    assert len(text.splitlines()) == 1
    assert "\x1b" not in text


def test_text_is_for_people() -> None:
    text = written('log.warning("the disk is %s", "full", extra={"free_bytes": 7})', "text")

    assert re.search(r"warning\s.*the disk is full\s.*\[backend.some\]", text), text
    assert "free_bytes=7" in text


def test_a_level_is_the_least_that_is_written() -> None:
    code = 'log.info("no"); log.error("yes"); logging.getLogger("other").info("no")'

    assert [line["event"] for line in parsed(written(code, level="error"))] == ["yes"]


@pytest.mark.parametrize(
    "text",
    [
        "Authorization: Bearer hunter2",
        "basic hunter2",
        "GET /x?token=hunter2&limit=1",
        "access_token=hunter2",
        "postgresql://dyad:hunter2@host/name",
        "password=hunter2",
        "{'api_key=hunter2'}",
    ],
)
def test_secrets_are_struck_out_whoever_writes_them(text: str) -> None:
    assert "hunter2" not in redacted(text)
    assert "…" in redacted(text)


def test_members_with_the_name_of_a_secret_are_struck_out() -> None:
    (line,) = parsed(
        written('log.info("x", extra={"authorization": "hunter2", "api_token": "hunter2", "tokens": 512})')
    )

    assert line["authorization"] == line["api_token"] == "…"
    assert line["tokens"] == 512


@pytest.mark.parametrize(
    "text", ["the token of a run", "http://127.0.0.1:8000/docs", "768 tokens", "tokens=512 blocks"]
)
def test_plain_text_stays(text: str) -> None:
    assert redacted(text) == text
