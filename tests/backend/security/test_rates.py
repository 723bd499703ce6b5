"""How often a client may ask, and how many streams it may hold; each client for itself."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from fastapi.testclient import TestClient
from service_tools import SMALL

from backend.security.rates import Rates, client_key
from backend.settings import Settings

from .tools import GEOMETRY, JOBS, bearer, make_token, service

LIMIT = 20


def limited(settings: Settings, **limits: int) -> Settings:
    return settings.model_copy(update=limits)


def until_refused(client: TestClient, method: str, path: str, **options: Any) -> tuple[int, Any]:
    """How many requests were served before one was refused; the window slides, so one or two more may be."""
    for served in range(3 * LIMIT):
        answer = client.request(method, path, **options)
        if answer.status_code == 429:
            return served, answer
    return pytest.fail("nothing was refused")


def test_reading_too_often_is_refused_with_the_time_to_wait(settings: Settings) -> None:
    with service(limited(settings, reads_per_minute=LIMIT)) as client:
        served, answer = until_refused(client, "GET", JOBS)

        assert served >= LIMIT
        assert 1 <= int(answer.headers["retry-after"]) <= 120
        assert answer.headers["content-type"] == "application/problem+json"
        assert f"More than {LIMIT} requests in a minute; DYAD_READS_PER_MINUTE" in answer.json()["detail"]
        assert (
            client.post("/api/v1/structure/pattern", json=GEOMETRY).status_code == 429
        )  # a computation counts as reading
        assert client.get("/readyz").status_code == 200  # whoever supervises the service is never refused
        assert client.post("/api/v1/benchmarks", json=SMALL).status_code == 202


def test_changing_too_often_is_refused_and_reading_goes_on(settings: Settings) -> None:
    with service(limited(settings, writes_per_minute=LIMIT)) as client:
        served, answer = until_refused(client, "DELETE", f"{JOBS}/{'0' * 32}")

        assert served >= LIMIT
        assert "DYAD_WRITES_PER_MINUTE" in answer.json()["detail"]
        assert client.get(JOBS).status_code == 200


def test_each_client_is_counted_for_itself(settings: Settings) -> None:
    ann, bob = make_token(settings, "ann"), make_token(settings, "bob")
    with service(limited(settings, reads_per_minute=LIMIT)) as client:
        until_refused(client, "GET", JOBS, headers=bearer(ann))
        assert client.get(JOBS, headers=bearer(bob)).status_code == 200
        assert client.get(JOBS, headers=bearer(ann) | {"X-Dyad-Client": "another"}).status_code == 429


def test_zero_is_no_limit_and_the_usual_ones_are_far_away(settings: Settings) -> None:
    assert Settings().reads_per_minute >= 6000
    assert Settings().writes_per_minute >= 600
    with service(limited(settings, reads_per_minute=0, writes_per_minute=0)) as client:
        assert {client.get(JOBS).status_code for _ in range(3 * LIMIT)} == {200}


def test_who_is_counted() -> None:
    assert client_key({"state": {"client": "ann"}, "client": ("10.0.0.1", 1)}) == "token ann"
    assert client_key({"client": ("10.0.0.1", 1)}) == "address 10.0.0.1"
    assert client_key({"client": None}) == "address unknown"


def test_streams_of_one_client_are_bounded_and_given_back(settings: Settings) -> None:
    released = asyncio.Event()
    statuses: list[int] = []

    async def stream(_scope: Any, _receive: Any, send: Any) -> None:
        await released.wait()
        await send({"type": "http.response.start", "status": 200, "headers": []})

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    async def receive() -> Any: ...

    async def run() -> None:
        rates = Rates(stream, limited(settings, streams_per_client=2))
        ask = {"type": "http", "method": "GET", "path": f"{JOBS}/x/events", "client": ("10.0.0.1", 1)}
        held = [asyncio.create_task(rates(ask, receive, send)) for _ in range(2)]
        await asyncio.sleep(0)
        await rates(ask, receive, send)
        other = asyncio.create_task(rates(ask | {"client": ("10.0.0.2", 1)}, receive, send))
        await asyncio.sleep(0)
        assert statuses == [429]
        held[0].cancel()  # its reader went away
        released.set()
        await asyncio.gather(*held, other, return_exceptions=True)
        await rates(ask, receive, send)
        assert not rates._streams

    asyncio.run(run())
    assert statuses == [429, 200, 200, 200]
