"""The figures in Prometheus' own words: parsed by its parser, named by its rules, and there while a part is away."""

import dataclasses
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families
from service_tools import ProcessKind, ended, new_job, wait_until

from backend.app import create_app
from backend.settings import Settings
from backend.store.store import Filter

UNITS = ("_seconds", "_bytes", "_celsius", "_ratio")
NOT_BASE = re.compile(r"_(ms|milliseconds|minutes|hours|kb|mb|mib|gib|percent|fahrenheit)(_|$)")
KNOWN = {
    "dyad_build_info", "dyad_check_up", "dyad_device_memory_total_bytes", "dyad_device_memory_used_bytes",
    "dyad_device_temperature_celsius", "dyad_device_utilization_ratio", "dyad_event_streams_open", "dyad_executor_devices",
    "dyad_executor_devices_free", "dyad_has_turn", "dyad_http_request_duration_seconds", "dyad_http_requests", "dyad_http_requests_in_progress",
    "dyad_job_duration_seconds", "dyad_job_restarts", "dyad_job_wait_seconds", "dyad_jobs", "dyad_queue_jobs",
    "dyad_queue_length", "dyad_queue_oldest_wait_seconds", "dyad_ready",
}  # fmt: skip


@pytest.fixture
def client(tmp_path: Path) -> Iterator[TestClient]:
    settings = Settings(home=tmp_path / "home", reference_runs=False)
    with TestClient(create_app(settings, kinds={"process": ProcessKind()})) as client:
        yield client


def run_job(client: TestClient, code: str = "print(1)") -> None:
    service = client.app.state.service  # type: ignore[attr-defined]
    job = service.store.add(new_job(code))
    service.desk.scheduler.wake()
    ended(client, job.id)


def families(client: TestClient) -> dict[str, Metric]:
    answer = client.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain")
    return {family.name: family for family in text_string_to_metric_families(answer.text)}


def value(client: TestClient, name: str, /, **labels: str) -> float | None:
    for family in families(client).values():
        for sample in family.samples:
            if sample.name == name and sample.labels == labels:
                return sample.value
    return None


def test_what_is_told_and_that_it_follows_the_rules_of_names(client: TestClient) -> None:
    run_job(client)
    found = families(client)

    assert {name for name in found if name.startswith("dyad_")} == KNOWN
    assert {"process_cpu_seconds", "process_resident_memory_bytes"} <= set(found)
    for name, family in found.items():
        assert family.documentation, f"{name} has no HELP"
        assert family.type in ("counter", "gauge", "histogram"), f"{name} has no TYPE"
        assert not NOT_BASE.search(name), f"{name} is not in a base unit"
        for sample in family.samples:
            assert sample.name.endswith("_total") == (family.type == "counter"), sample.name
    for name in ("job_duration", "job_wait", "http_request_duration", "queue_oldest_wait", "device_memory_used"):
        assert any(f"dyad_{name}{unit}" in found for unit in UNITS)


def test_every_name_has_one_help_and_one_type(client: TestClient) -> None:
    run_job(client)
    text = client.get("/metrics").text
    for what in ("HELP", "TYPE"):
        names = re.findall(rf"^# {what} (\S+)", text, flags=re.MULTILINE)
        assert len(names) == len(set(names))
    described = set(re.findall(r"^# TYPE (\S+)", text, flags=re.MULTILINE))
    for line in text.splitlines():
        if not line.startswith("#"):
            name = re.split(r"[{ ]", line)[0]
            assert name in described or re.sub(r"_(bucket|count|sum)$", "", name) in described, line


def test_jobs_are_counted_by_how_they_ended(client: TestClient) -> None:
    run_job(client)
    run_job(client, "raise SystemExit(3)")

    assert value(client, "dyad_jobs", status="succeeded") == 1
    assert value(client, "dyad_jobs", status="failed") == 1
    assert value(client, "dyad_jobs", status="queued") == 0
    assert value(client, "dyad_job_duration_seconds_count", kind="process", status="failed") == 1
    assert value(client, "dyad_job_wait_seconds_count", kind="process") == 2
    assert value(client, "dyad_job_restarts_total", kind="process") == 0


def test_the_queue_is_told_by_device_with_its_oldest_wait(client: TestClient) -> None:
    assert value(client, "dyad_queue_jobs", device="cpu") == 0
    service = client.app.state.service  # type: ignore[attr-defined]
    service.desk.scheduler.stop()
    for _ in range(2):
        service.store.add(new_job())

    assert value(client, "dyad_queue_length") == 2
    assert value(client, "dyad_queue_jobs", device="cpu") == 2
    waited = value(client, "dyad_queue_oldest_wait_seconds", device="cpu")
    assert waited is not None
    assert waited > 0


def test_starts_beyond_the_first_are_counted_and_their_waits_are_not(client: TestClient) -> None:
    run_job(client)
    service = client.app.state.service  # type: ignore[attr-defined]
    (job,), _ = service.store.page(Filter(), limit=1, offset=0)
    service.metrics.observe_end(dataclasses.replace(job, attempt=3))

    assert value(client, "dyad_job_restarts_total", kind="process") == 2
    assert value(client, "dyad_job_duration_seconds_count", kind="process", status="succeeded") == 2
    assert value(client, "dyad_job_wait_seconds_count", kind="process") == 1


def test_the_devices_of_the_executor_are_told_and_how_many_are_free(client: TestClient) -> None:
    wait_until(lambda: value(client, "dyad_executor_devices", kind="cpu") == 1, "the first look at the devices")
    assert value(client, "dyad_executor_devices_free", kind="cpu") == 1


def test_without_its_database_the_rest_is_still_told(client: TestClient, tmp_path: Path) -> None:
    assert value(client, "dyad_ready") == 1
    client.app.state.service.store.engine.dispose()  # type: ignore[attr-defined]
    for name in ("dyad.sqlite3", "dyad.sqlite3-wal", "dyad.sqlite3-shm"):
        (tmp_path / "home" / name).unlink(missing_ok=True)
    (tmp_path / "home" / "dyad.sqlite3").write_bytes(b"not a database" * 100)

    assert value(client, "dyad_ready") == 0
    assert value(client, "dyad_check_up", check="database") == 0
    assert value(client, "dyad_check_up", check="disk") == 1
    assert value(client, "dyad_queue_length") is None
    assert value(client, "dyad_device_memory_total_bytes", device="cpu", name="host") is not None
    assert value(client, "dyad_http_requests_total", method="GET", route="/metrics", status="200") is not None


def test_the_registry_is_of_one_application(tmp_path: Path, client: TestClient) -> None:
    run_job(client)
    settings = Settings(home=tmp_path / "other", reference_runs=False)
    with TestClient(create_app(settings, kinds={})) as other:
        assert value(other, "dyad_jobs", status="succeeded") == 0
        assert value(other, "dyad_job_wait_seconds_count", kind="process") is None
