"""Sweeps through the real application: real points in real processes, going on after a cancel and after a kill."""

import csv
import io
import json
import os
import signal
from typing import Any

import psutil
import pytest
from fastapi.testclient import TestClient
from service_tools import ended, serving, wait_until, workers_of
from sweep_tools import Simulated, slope

from backend.app import create_app
from backend.jobs.kinds import sweep as kind_module
from backend.settings import Settings
from dyad_core.sweep import SweepResult, SweepSpec, run_sweep
from dyad_core.sweep.files import sweep_from_dict

SWEEPS = "/api/v1/sweeps"
TINY: dict[str, Any] = {
    "widths": [32, 64], "tokens": [8], "n_blocks": [4], "threads": 1, "max_seconds": 100, "target_interval": 0.9,
}  # fmt: skip
SHORT_AND_LONG = [
    pytest.param(TINY, id="two points"),
    pytest.param(TINY | {"tokens": [4, 8, 16]}, id="six points", marks=pytest.mark.soak),
]


@pytest.fixture(scope="module")
def finished(shared_client: TestClient) -> dict[str, Any]:
    """The record of one sweep that was really measured."""
    answer = shared_client.post(SWEEPS, json=TINY)
    assert answer.status_code == 202, answer.text
    assert answer.headers["location"] == f"{SWEEPS}/{answer.json()['id']}"
    return ended(shared_client, answer.json()["id"])


def points_of(client: Any, sweep_id: str) -> list[dict[str, Any]]:
    record = client.get(f"{SWEEPS}/{sweep_id}").json()
    return list((record["progress"] or {}).get("points", []))


def test_a_finished_sweep_has_its_result_as_the_library_makes_it(
    shared_client: TestClient, finished: dict[str, Any]
) -> None:
    assert (finished["kind"], finished["status"], finished["error"]) == ("sweep", "succeeded", None)
    assert finished["spec"] == SweepSpec.from_dict(TINY).to_dict()
    result = sweep_from_dict(finished["result"])
    assert result.to_dict() == finished["result"]
    assert (result.stopped, len(result.points)) == ("done", 2)
    assert finished["headline"] == result.reading
    assert finished["machine"]["name"] == result.environment.device_name  # type: ignore[union-attr]
    assert finished["progress"]["stage"] == "finished"
    assert finished["progress"]["points"] == []
    item = shared_client.get(SWEEPS, params={"status": "succeeded"}).json()["items"][0]
    assert item["id"] == finished["id"]
    assert not {"result", "points"} & {*item, *item["progress"]}
    assert shared_client.get(SWEEPS, params={"device": "cuda"}).json()["total"] == 0
    assert shared_client.get(f"/api/v1/benchmarks/{finished['id']}").status_code == 404


def test_the_same_sweep_again_takes_its_points_over_and_reuse_false_measures_anew(
    shared_client: TestClient, finished: dict[str, Any]
) -> None:
    again = ended(shared_client, shared_client.post(SWEEPS, json=TINY).json()["id"])
    assert [point["reused"] for point in again["result"]["points"]] == [True, True]
    assert again["result"]["rules"] == finished["result"]["rules"]
    anew = ended(shared_client, shared_client.post(SWEEPS, json=TINY | {"reuse": False}).json()["id"])
    assert [point["reused"] for point in anew["result"]["points"]] == [False, False]


def test_a_wider_sweep_of_the_same_conditions_shares_its_points(
    shared_client: TestClient, finished: dict[str, Any]
) -> None:
    wider = ended(shared_client, shared_client.post(SWEEPS, json=TINY | {"widths": [32, 64, 96]}).json()["id"])
    assert {point["in_features"]: point["reused"] for point in wider["result"]["points"]} == {
        32: True, 64: True, 96: False,
    }  # fmt: skip


def test_exports_and_a_file_that_comes_back(shared_client: TestClient, finished: dict[str, Any]) -> None:
    exported = shared_client.get(f"{SWEEPS}/{finished['id']}/export")
    assert exported.headers["content-disposition"] == f'attachment; filename="dyad-sweep-{finished["id"][:8]}.json"'
    assert exported.json() == finished["result"]

    rows = list(csv.DictReader(io.StringIO(shared_client.get(f"{SWEEPS}/{finished['id']}/export?format=csv").text)))
    assert [(row["in_features"], row["tokens"], row["n_blocks"], row["pass"]) for row in rows] == [
        (str(point["in_features"]), "8", "4", "forward") for point in finished["result"]["points"]
    ]
    assert {row["dtype"] for row in rows} == {"float32"}

    kept = shared_client.post(f"{SWEEPS}/import", content=exported.content)
    assert (kept.status_code, kept.json()["origin"]) == (201, "imported")
    assert kept.json()["result"] == finished["result"]
    assert kept.json()["measured_at"] == finished["measured_at"]
    twice = shared_client.post(f"{SWEEPS}/import", content=exported.content)
    assert (twice.status_code, twice.json()["id"]) == (200, kept.json()["id"])


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "widths"),
        (TINY | {"max_seconds": 0}, "max_seconds"),
        (TINY | {"widths": [33]}, "widths"),
        (TINY | {"colour": 1}, "colour"),
        (TINY | {"device": "cuda:98"}, "device"),
        (TINY | {"implementations": ["none"]}, "implementations"),
        (TINY | {"widths": [2**40]}, "widths"),
        (TINY | {"widths": list(range(4, 200, 4)), "tokens": list(range(1, 50))}, "confirmed"),
    ],
)
def test_a_wrong_request_names_its_field(shared_client: TestClient, body: dict[str, Any], field: str) -> None:
    answer = shared_client.post(SWEEPS, json=body)
    assert answer.status_code == 422
    assert {error["field"] for error in answer.json()["errors"]} == {field}


@pytest.mark.parametrize(
    ("content", "status"), [(b"", 400), (b"{", 400), (b"[]", 422), (b'{"schema_version": 99}', 422)]
)
def test_a_wrong_file_is_refused(shared_client: TestClient, content: bytes, status: int) -> None:
    assert shared_client.post(f"{SWEEPS}/import", content=content).status_code == status


@pytest.mark.parametrize("spec", SHORT_AND_LONG)
def test_a_cancelled_sweep_keeps_its_points_and_goes_on_when_it_is_submitted_again(
    settings: Settings, spec: dict[str, Any]
) -> None:
    with TestClient(create_app(settings)) as client:
        sweep_id = client.post(SWEEPS, json=spec).json()["id"]
        wait_until(lambda: points_of(client, sweep_id), "the first point")
        (worker,) = wait_until(lambda: workers_of(os.getpid()), "the next point")
        assert client.get(f"{SWEEPS}/{sweep_id}/export").status_code == 409
        assert client.delete(f"{SWEEPS}/{sweep_id}").status_code == 409
        assert client.post(f"{SWEEPS}/{sweep_id}/cancel").status_code == 202
        record = ended(client, sweep_id)
        assert (record["status"], record["result"]) == ("cancelled", None)
        assert not psutil.pid_exists(worker)
        seen = {(row["width"], row["tokens"]) for row in record["progress"]["points"]}
        assert seen
        assert client.post(f"{SWEEPS}/{sweep_id}/cancel").status_code == 409

        again = ended(client, client.post(SWEEPS, json=spec).json()["id"])
        points = again["result"]["points"]
        assert {(point["in_features"], point["tokens"]) for point in points if point["reused"]} == seen
        assert again["result"]["stopped"] == "done"


@pytest.mark.parametrize("spec", SHORT_AND_LONG)
def test_points_survive_a_kill_of_the_server(settings: Settings, spec: dict[str, Any]) -> None:
    with serving(settings) as (client, process):
        sweep_id = client.post(SWEEPS, json=spec).json()["id"]
        wait_until(lambda: points_of(client, sweep_id), "the first point")
        process.send_signal(signal.SIGKILL)
        process.wait()
    (kept,) = (settings.home / "sweeps").glob("*.jsonl")
    with kept.open("ab") as file:
        file.write(b'{"spec": {"in_fea')  # as if the end had come in the middle of a line
    count = len(kept.read_bytes().splitlines()) - 1
    with serving(settings) as (client, _process):
        again = ended(client, sweep_id)  # it goes on by itself, from the points that are kept
        assert (again["status"], again["attempt"]) == ("succeeded", 2)
        assert sum(point["reused"] for point in again["result"]["points"]) == count > 0


def test_kept_points_go_with_the_last_sweep_of_their_conditions(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = Simulated(slope(48))

    def run(spec: SweepSpec, **options: Any) -> SweepResult:
        return run_sweep(spec, **options | {"run": machine, "here": machine.here})

    monkeypatch.setattr(kind_module, "run_sweep", run)
    with TestClient(create_app(settings)) as client:
        first, second = (client.post(SWEEPS, json=TINY).json()["id"] for _ in range(2))
        other = client.post(SWEEPS, json=TINY | {"seed": 1}).json()["id"]
        for sweep_id in (first, second, other):
            assert ended(client, sweep_id)["status"] == "succeeded"
        folder = settings.home / "sweeps"
        assert len(list(folder.iterdir())) == 2
        assert client.delete(f"{SWEEPS}/{first}").status_code == 204
        assert len(list(folder.iterdir())) == 2
        assert client.delete(f"{SWEEPS}/{second}").status_code == 204
        assert len(list(folder.iterdir())) == 1
        assert client.get(f"{SWEEPS}/{second}").status_code == 404


def test_events_carry_the_growing_map(shared_client: TestClient, finished: dict[str, Any]) -> None:
    sweep_id = shared_client.post(SWEEPS, json=TINY | {"seed": 7}).json()["id"]
    heard = []
    with shared_client.stream("GET", f"{SWEEPS}/{sweep_id}/events") as stream:
        heard += [json.loads(line[5:]) for line in stream.iter_lines() if line.startswith("data:")]
    assert heard[-1]["status"] == "succeeded"
    counts = [
        len(record["progress"].get("points", []))
        for record in heard
        if record["status"] == "running" and record["progress"]
    ]
    assert max(counts) >= 1
