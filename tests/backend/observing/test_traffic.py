"""Requests are counted by template, never by path, and only those worth a line get one."""

import logging
import math
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from prometheus_client.parser import text_string_to_metric_families
from service_tools import ProcessKind, ended, new_job

from backend.app import create_app
from backend.observing import traffic
from backend.observing.traffic import UNKNOWN, route_of
from backend.settings import Settings


@pytest.fixture
def client(tmp_path: Path) -> Iterator[TestClient]:
    app = create_app(Settings(home=tmp_path / "home", reference_runs=False), kinds={"process": ProcessKind()})

    @app.get("/broken")
    def broken() -> None:
        raise RuntimeError("a mistake")

    with TestClient(app, raise_server_exceptions=False) as client:
        yield client


def figures(client: TestClient, name: str) -> dict[tuple[str, ...], float]:
    """The samples of a name by the values of their labels."""
    return {
        tuple(sample.labels.values()): sample.value
        for family in text_string_to_metric_families(client.get("/metrics").text)
        for sample in family.samples
        if sample.name == name
    }


def test_requests_are_counted_by_method_template_and_status(client: TestClient) -> None:
    for path in ("/api/v1/jobs/a", "/api/v1/jobs/b", "/api/v1/jobs", "/api/v1/jobs?limit=1", "/docs", "/x", "/y"):
        client.get(path)
    client.put("/api/v1/jobs/a")
    client.request("BREW", "/coffee")
    client.get("/broken")

    assert figures(client, "dyad_http_requests_total") == {
        ("GET", "/api/v1/jobs/{job_id}", "404"): 2,
        ("GET", "/api/v1/jobs", "200"): 2,
        ("GET", "/docs", "200"): 1,
        ("GET", UNKNOWN, "404"): 2,
        ("PUT", "/api/v1/jobs/{job_id}", "405"): 1,
        ("(other)", UNKNOWN, "404"): 1,
        ("GET", "/broken", "500"): 1,
    }
    counted = figures(client, "dyad_http_request_duration_seconds_count")
    assert counted["GET", "/api/v1/jobs/{job_id}"] == 2
    assert figures(client, "dyad_http_requests_in_progress") == {(): 1}  # the scrape itself


def test_open_event_streams_are_counted_and_do_not_count_as_slow(
    client: TestClient, caplog: pytest.LogCaptureFixture
) -> None:
    store = client.app.state.service.store  # type: ignore[attr-defined]
    job = store.add(new_job("print(1)"))
    client.app.state.service.desk.scheduler.wake()  # type: ignore[attr-defined]
    with client.stream("GET", f"/api/v1/jobs/{job.id}/events") as answer:
        assert answer.status_code == 200
    ended(client, job.id)

    assert figures(client, "dyad_event_streams_open") == {(): 0}
    assert figures(client, "dyad_http_requests_total")["GET", "/api/v1/jobs/{job_id}/events", "200"] == 1
    assert ("GET", "/api/v1/jobs/{job_id}/events") not in figures(client, "dyad_http_request_duration_seconds_count")


def lines(caplog: pytest.LogCaptureFixture) -> list[tuple[int, str]]:
    return [(record.levelno, record.getMessage()) for record in caplog.records if record.name == "backend.request"]


def test_changes_and_errors_are_lines_and_reads_are_for_debugging(
    client: TestClient, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(traffic, "SLOW_S", math.inf)  # on a busy machine any read may be slow
    caplog.set_level(logging.DEBUG, logger="backend.request")
    client.get("/api/v1/jobs?token=hunter2")
    client.get("/nowhere")
    client.post("/healthz")
    client.delete("/api/v1/jobs/x")
    client.get("/broken")

    assert lines(caplog) == [
        (logging.DEBUG, "GET /api/v1/jobs 200"),
        (logging.INFO, "GET /nowhere 404"),
        (logging.INFO, "POST /healthz 405"),
        (logging.INFO, "DELETE /api/v1/jobs/x 404"),
        (logging.WARNING, "GET /broken 500"),
    ]
    assert "hunter2" not in caplog.text


def test_a_slow_read_is_a_line_too_unless_it_waits_for_news(
    client: TestClient, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(traffic, "SLOW_S", 0.0)
    caplog.set_level(logging.DEBUG, logger="backend.request")
    client.get("/api/v1/jobs")
    client.get("/api/v1/jobs/x?wait_s=0.1")
    client.get("/api/v1/jobs?limit=1&wait_s=0.1")

    assert lines(caplog) == [
        (logging.INFO, "GET /api/v1/jobs 200"),
        (logging.INFO, "GET /api/v1/jobs/x 404"),
        (logging.DEBUG, "GET /api/v1/jobs 200"),
    ]


@pytest.mark.parametrize(
    ("path", "template", "found"),
    [
        ("/api/v1/jobs/a", "/jobs/{job_id}", "/api/v1/jobs/{job_id}"),
        ("/api/v1/jobs", "/jobs", "/api/v1/jobs"),
        ("/api/v1/jobs/a", "/api/v1/jobs/{job_id}", "/api/v1/jobs/{job_id}"),
        ("/healthz", "/healthz", "/healthz"),
        ("/", "/", "/"),
    ],
)
def test_the_template_has_the_prefix_under_which_its_router_was_included(path: str, template: str, found: str) -> None:
    class Route:
        pass

    route = Route()
    route.path = template  # type: ignore[attr-defined]
    assert route_of({"type": "http", "path": path, "route": route}) == found
