"""Addresses, headers and bodies that are too long, with and without a declared length, at every kind of address."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from fastapi.testclient import TestClient
from service_tools import NewSettings

from backend.problems import Refusal
from backend.security import sizes

from .tools import JOBS, service

BODY, UPLOAD = 4096, 16384


@pytest.fixture(scope="module")
def small(new_settings: NewSettings) -> Iterator[TestClient]:
    with new_settings(max_body_bytes=BODY, max_upload_bytes=UPLOAD) as settings, service(settings) as client:
        yield client


def pieces(size: int) -> Iterator[bytes]:
    """A body without a declared length."""
    for _ in range(size // 512 + 1):
        yield b" " * 512


READERS = [
    "/api/v1/benchmarks",
    "/api/v1/benchmarks/import",
    "/api/v1/sweeps",
    "/api/v1/structure/pattern",
    "/api/v1/verdicts",
]


@pytest.mark.parametrize("path", READERS)
@pytest.mark.parametrize("declared", [True, False])
def test_a_body_above_the_limit_is_refused_at_every_address(small: TestClient, path: str, declared: bool) -> None:
    content: Any = b" " * (BODY + 1) if declared else pieces(BODY)
    answer = small.post(path, content=content, headers={"Content-Type": "application/json"})

    assert answer.status_code == 413
    assert answer.json()["detail"] == f"The body is larger than {BODY} bytes; DYAD_MAX_BODY_BYTES changes the limit."


@pytest.mark.parametrize(
    ("method", "path"), [("GET", JOBS), ("DELETE", f"{JOBS}/{'0' * 32}"), ("POST", "/nothing"), ("GET", "/healthz")]
)
def test_an_address_that_reads_no_body_refuses_a_large_one_too(small: TestClient, method: str, path: str) -> None:
    assert small.request(method, path, content=b" " * (BODY + 1)).status_code == 413
    assert small.request(method, path, content=b" " * BODY).status_code < 413


@pytest.mark.parametrize("declared", [True, False])
def test_only_uploads_may_be_larger(small: TestClient, declared: bool) -> None:
    headers = {"Content-Type": "application/octet-stream"}
    content: Any = b" " * UPLOAD if declared else pieces(UPLOAD - 1024)
    assert small.post("/api/v1/uploads", content=content, headers=headers).status_code == 422
    content = b" " * (UPLOAD + 1) if declared else pieces(UPLOAD)
    answer = small.post("/api/v1/uploads", content=content, headers=headers)
    assert answer.status_code == 413
    assert "DYAD_MAX_UPLOAD_BYTES" in answer.json()["detail"]


@pytest.mark.parametrize("length", ["99999999999999999999999999", "-1", "1e9", "²"])
def test_a_declared_length_that_is_odd_breaks_nothing(small: TestClient, length: str) -> None:
    headers = [("Content-Length", length.encode()), ("Content-Type", b"application/json")]
    assert small.post("/api/v1/verdicts", content=b"{}", headers=headers).status_code in (413, 422)  # type: ignore[arg-type]


@pytest.mark.parametrize("path", [f"/{'x' * sizes.MAX_ADDRESS_BYTES}", f"{JOBS}?{'x' * sizes.MAX_ADDRESS_BYTES}"])
def test_a_long_address_is_refused(small: TestClient, path: str) -> None:
    assert small.get(path).status_code == 414


@pytest.mark.parametrize(
    "headers", [{"X-Long": "x" * sizes.MAX_HEADER_BYTES}, {f"X-{number}": "" for number in range(101)}]
)
def test_long_or_many_headers_are_refused(small: TestClient, headers: dict[str, str]) -> None:
    assert small.get(JOBS, headers=headers).status_code == 431


def test_a_body_that_stops_arriving_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sizes, "IDLE_S", 0.05)

    async def never() -> Any:
        await asyncio.Event().wait()

    with pytest.raises(Refusal, match="did not arrive") as caught:
        asyncio.run(sizes._bounded(never, 10, "")())
    assert caught.value.status == 408


def test_after_the_body_a_stream_may_wait_for_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sizes, "IDLE_S", 0.01)
    messages = [{"type": "http.request", "body": b"x", "more_body": False}, {"type": "http.disconnect"}]

    async def slow() -> Any:
        if len(messages) == 1:
            await asyncio.sleep(0.1)
        return messages.pop(0)

    async def both() -> list[Any]:
        receive = sizes._bounded(slow, 10, "")
        return [await receive(), await receive()]

    assert asyncio.run(both())[1] == {"type": "http.disconnect"}


def test_a_real_server_gives_up_endless_headers_and_goes_on(server: httpx.Client) -> None:
    address = server.base_url
    with socket.create_connection((address.host, address.port or 0)) as connection:
        connection.settimeout(30)
        with contextlib.suppress(OSError):  # whichever way the connection is cut
            while True:
                connection.sendall(b"GET / HTTP/1.1\r\nX-Endless: " + b"x" * 2**20)
    assert server.get("/healthz").status_code == 200
