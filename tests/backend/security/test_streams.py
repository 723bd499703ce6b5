"""Event streams behind the gate: they need a token, pass through as they come, and end when their token does."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path
from typing import Any

import httpx
import pytest
from service_tools import LONG, ended, serving, wait_until

from backend.security import registry as registry_module
from backend.security import watching
from backend.security.authentication import Authentication
from backend.security.registry import Registry
from backend.security.scopes import Scope
from backend.settings import Settings
from backend.store.database import open_database

from .tools import JOBS, bearer, make_token, token_store

EVENTS = {"type": "http", "method": "GET", "path": f"{JOBS}/x/events"}


class Stream:
    """An application that streams until it is cancelled, and says so."""

    def __init__(self, media_type: bytes = b"text/event-stream; charset=utf-8") -> None:
        self.sent: list[Any] = []
        self.cancelled = False
        self._media_type = media_type

    async def __call__(self, _scope: Any, _receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", self._media_type)]})
        try:
            for _ in range(40):
                await send({"type": "http.response.body", "body": b"data", "more_body": True})
                await asyncio.sleep(0.05)
        except asyncio.CancelledError:
            self.cancelled = True
            raise

    async def send(self, message: Any) -> None:
        self.sent.append(message)


async def receive() -> Any:
    await asyncio.Event().wait()


@pytest.mark.parametrize("revoked", [True, False])
def test_a_stream_ends_in_order_when_its_token_does(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, revoked: bool
) -> None:
    monkeypatch.setattr(registry_module, "KEPT_S", 0.05)
    monkeypatch.setattr(watching, "KEPT_S", 0.05)
    secret, stream = make_token(settings, "ann"), Stream()
    scope = EVENTS | {"headers": [(b"authorization", f"Bearer {secret}".encode())]}

    async def run() -> None:
        registry = Registry(None)
        engine = open_database(settings)
        await registry.open(engine)
        if revoked:
            with token_store(settings) as store:
                asyncio.get_running_loop().call_later(0.2, store.revoke, "ann")
                await Authentication(stream, registry)(scope, receive, stream.send)
        else:
            await Authentication(stream, registry)(scope, receive, stream.send)
        await asyncio.sleep(0)  # what was cancelled ends now
        assert [task for task in asyncio.all_tasks() if task is not asyncio.current_task()] == []
        engine.dispose()

    asyncio.run(run())
    assert stream.cancelled is revoked
    if revoked:
        assert stream.sent[-1] == {"type": "http.response.body", "body": b"", "more_body": False}
    assert stream.sent[1]["body"] == b"data"


def test_a_reader_that_goes_away_cancels_as_without_a_token(settings: Settings) -> None:
    secret, stream = make_token(settings, "ann"), Stream()
    scope = EVENTS | {"headers": [(b"authorization", f"Bearer {secret}".encode())]}

    async def run() -> None:
        registry = Registry(None)
        engine = open_database(settings)
        await registry.open(engine)
        task = asyncio.create_task(Authentication(stream, registry)(scope, receive, stream.send))
        while not stream.sent:
            await asyncio.sleep(0.01)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        assert task.cancelled()
        engine.dispose()

    asyncio.run(run())
    assert stream.cancelled


def test_a_real_server_streams_to_whoever_may_read(tmp_path: Path) -> None:
    home = tmp_path / "home"
    runner = make_token(Settings(home=home), "ann")
    reader = make_token(Settings(home=home), "eve", Scope.READ)
    with serving(home) as (client, _process):
        run = client.post("/api/v1/benchmarks", json=LONG, headers=bearer(runner)).json()
        events = f"{JOBS}/{run['id']}/events"
        assert client.get(events).status_code == 401
        with client.stream("GET", events, headers=bearer(reader)) as answer:
            assert answer.headers["x-content-type-options"] == "nosniff"
            lines = answer.iter_lines()
            assert next(lines) == "event: status"
            assert client.post(f"{JOBS}/{run['id']}/cancel", headers=bearer(reader)).status_code == 403
            assert client.post(f"{JOBS}/{run['id']}/cancel", headers=bearer(runner)).status_code == 202
            assert "cancelled" in "".join(lines)
        client.headers.update(bearer(reader))
        assert ended(client, run["id"])["status"] == "cancelled"


def test_a_stream_of_a_real_server_is_cut_within_ten_seconds_of_the_revocation(tmp_path: Path) -> None:
    home = tmp_path / "home"
    settings = Settings(home=home)
    runner, reader = make_token(settings, "ann"), make_token(settings, "eve", Scope.READ)
    with serving(home) as (client, _process):
        run = client.post("/api/v1/benchmarks", json=LONG, headers=bearer(runner)).json()
        with httpx.Client(base_url=client.base_url, trust_env=False, timeout=60) as other:
            with other.stream("GET", f"{JOBS}/{run['id']}/events", headers=bearer(reader)) as answer:
                assert answer.status_code == 200
                with token_store(settings) as store:
                    store.revoke("eve")
                for _ in answer.iter_raw():  # it ends by itself, in order, while the run goes on
                    pass
            wait_until(lambda: other.get(JOBS, headers=bearer(reader)).status_code == 401, "the end of the token")
        client.headers.update(bearer(runner))
        assert client.get(f"{JOBS}/{run['id']}").json()["status"] in ("queued", "running")
        assert client.post(f"{JOBS}/{run['id']}/cancel").status_code == 202
        assert ended(client, run["id"])["status"] == "cancelled"
