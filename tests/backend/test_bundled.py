"""The runs that ship with the library: there on the first start, once, and deleted for good when a user deletes them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from typing import Any

import pytest
from fastapi.testclient import TestClient
from service_tools import wait_until

from backend.app import create_app
from backend.bundled import Bundled
from backend.jobs.kind import Bundle, Outcome, Request
from backend.jobs.kinds.benchmark import BenchmarkKind
from backend.settings import Settings
from dyad_core.bench.files import load_runs
from dyad_core.bench.reference import FOLDER

RUNS = "/api/v1/benchmarks"


def reference_ids(client: TestClient, wanted: int) -> list[str]:
    def all_there() -> list[str] | None:
        page = client.get(RUNS, params={"origin": "reference", "limit": 500}).json()
        return [item["id"] for item in page["items"]] if page["total"] >= wanted else None

    found: list[str] = wait_until(all_there, f"{wanted} reference runs")
    return found


def test_they_are_there_on_the_first_start_with_their_machine_and_a_deleted_one_stays_deleted(
    settings: Settings,
) -> None:
    settings = settings.model_copy(update={"reference_runs": True})
    expected = [run for path in sorted(FOLDER.glob("*.json")) for run in load_runs(path)]
    with TestClient(create_app(settings)) as client:
        ids = reference_ids(client, len(expected))
        assert len(ids) == len(expected)
        record = client.get(f"{RUNS}/{ids[-1]}").json()
        assert (record["origin"], record["status"]) == ("reference", "succeeded")
        assert record["result"] == expected[0].to_dict()
        assert record["machine"]["name"] == expected[0].environment.device_name
        assert record["headline"] == expected[0].reading
        assert client.get(RUNS, params={"origin": "local"}).json()["total"] == 0
        assert client.delete(f"{RUNS}/{ids[0]}").status_code == 204
        imported = client.post(f"{RUNS}/import", json=record["result"])
        assert (imported.status_code, imported.json()["existing"]) == (200, [ids[-1]])
    for _ in range(2):
        with TestClient(create_app(settings)) as client:
            assert reference_ids(client, len(expected) - 1) == ids[1:]


def test_they_can_be_left_out(settings: Settings) -> None:
    with TestClient(create_app(settings)) as client:
        assert client.get(RUNS).json()["total"] == 0


def test_they_are_never_served_in_place_of_a_measurement(settings: Settings) -> None:
    with TestClient(create_app(settings.model_copy(update={"reference_runs": True}))) as client:
        (first, *_) = reference_ids(client, 1)
        spec = client.get(f"{RUNS}/{first}").json()["spec"]
        record = client.post(RUNS, json=spec).json()
        client.post(f"{RUNS}/{record['id']}/cancel")
    assert (record["served_from_store"], record["origin"]) == (False, "local")


class Files(BenchmarkKind):
    """Benchmarks with made-up bundles, each a list of names."""

    def __init__(self, *bundles: list[str] | Exception) -> None:
        self.files = bundles
        self.read_files = 0

    def bundles(self) -> Iterable[Bundle]:
        for names in self.files:
            yield Bundle(
                hashlib.sha256(json.dumps(str(names)).encode()).hexdigest(), lambda names=names: self._of(names)
            )

    def _of(self, names: list[str] | Exception) -> Iterable[tuple[Request, Outcome]]:
        self.read_files += 1
        if isinstance(names, Exception):
            raise names
        for name in names:
            yield (
                Request({"device": "cpu", "variants": []}, ""),
                Outcome({"schema_version": 2}, name, [], fingerprint=name),
            )


def started(settings: Settings, kind: Files) -> list[str]:
    with TestClient(create_app(settings, kinds={"benchmark": kind})) as client:
        bundled = Bundled(client.app.state.service.desk)  # type: ignore[attr-defined]
        bundled.start()
        bundled.stop()
        return sorted(item["headline"] for item in client.get(RUNS).json()["items"])


def test_a_known_file_is_not_read_again_and_a_grown_one_adds_what_is_new(settings: Settings) -> None:
    settings = settings.model_copy(update={"reference_runs": True})
    kind = Files(["a", "b"])
    assert started(settings, kind) == started(settings, kind) == ["a", "b"]
    assert kind.read_files == 1
    assert started(settings, Files(["a", "b", "c"], ["d"])) == ["a", "b", "c", "d"]


def test_a_damaged_file_is_logged_and_the_service_starts(settings: Settings, caplog: pytest.LogCaptureFixture) -> None:
    assert started(settings.model_copy(update={"reference_runs": True}), Files(["a"], OSError("gone"))) == ["a"]
    assert "could not be added" in caplog.text


def test_it_ends_when_the_service_does(settings: Settings) -> None:
    kind: Any = Files([str(number) for number in range(50)])
    with TestClient(create_app(settings, kinds={"benchmark": kind})) as client:
        bundled = Bundled(client.app.state.service.desk)  # type: ignore[attr-defined]
        bundled.stop()
        bundled.start()
        assert client.get(RUNS).json()["total"] == 0
