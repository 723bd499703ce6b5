"""A job is let in on a device of the sort that its request computes on."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi.testclient import TestClient
from service_tools import SMALL

from backend.executors.base import SERVER, Needs
from backend.executors.local import LocalExecutor
from backend.jobs.admission import Admission
from backend.jobs.kind import Request
from backend.jobs.states import State
from backend.settings import Settings
from backend.store.store import Store
from backend.submission import Submission
from dyad_core.errors import SpecError


class Cluster(LocalExecutor):
    """Has every device that is asked for."""

    def check(self, needs: Needs) -> None:
        """It is there."""


def admit(store: Store, device: str, device_kind: str | None) -> Any:
    request = Request(spec={}, digest="0" * 64, needs=Needs(device))
    return Admission(store, Cluster(), Settings()).admit("process", request, Submission(device_kind=device_kind))[0]


@pytest.mark.parametrize(
    ("device", "device_kind", "field", "rule"),
    [
        ("cpu", "H200", "device_kind", "must be cpu or left out where the request's device is cpu"),
        ("cpu", "cuda:0", "device_kind", "must be cpu or left out where the request's device is cpu"),
        ("cuda", "cpu", "device_kind", "must be a kind of GPU or left out where the request's device is cuda"),
        ("cuda:1", "CPU", "device_kind", "must be a kind of GPU or left out where the request's device is cuda:1"),
        ("cuda", "cuda:1", "device_kind", "must be the request's own device where it is written as one"),
        ("cuda:1", "cuda", "device_kind", "must be the request's own device where it is written as one"),
        ("cuda:1", "H200", "device", "must be cuda where device_kind says which GPU"),
    ],
)
def test_a_kind_of_another_sort_than_the_device_is_refused(
    store: Store, device: str, device_kind: str, field: str, rule: str
) -> None:
    with pytest.raises(SpecError) as refused:
        admit(store, device, device_kind)
    (problem,) = refused.value.problems
    assert problem.field == field
    assert problem.rule.startswith(rule)
    assert problem.received == (device_kind if field == "device_kind" else device)
    assert problem.suggestion
    assert store.counts()[State.QUEUED] == 0


@pytest.mark.parametrize(
    ("device", "device_kind", "taken"),
    [
        ("cpu", None, "cpu"),
        ("cpu", "cpu", "cpu"),
        ("cpu", "CPU", "CPU"),
        ("cuda", None, "cuda"),
        ("cuda", "H200", "H200"),
        ("cuda:0", "H200", "H200"),
        ("cuda:1", "cuda:1", "cuda:1"),
        ("cuda", "cuda:0", "cuda:0"),
        (SERVER, "H200", SERVER),
    ],
)
def test_a_kind_of_the_same_sort_is_what_the_job_needs(
    store: Store, device: str, device_kind: str | None, taken: str
) -> None:
    assert admit(store, device, device_kind).device == taken


def test_the_refusal_names_field_rule_what_came_and_what_would_do(shared_client: TestClient) -> None:
    answer = shared_client.post("/api/v1/benchmarks", params={"device_kind": "H200"}, json=SMALL | {"device": "cpu"})
    assert answer.status_code == 422
    assert answer.json()["errors"] == [
        {
            "field": "device_kind",
            "rule": "must be cpu or left out where the request's device is cpu",
            "received": "H200",
            "suggestion": 'leave device_kind out, or ask for "device": "cuda"',
        }
    ]
