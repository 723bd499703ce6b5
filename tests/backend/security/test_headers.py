"""Every answer carries the headers: of each documented address, problems, mistakes, streams."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient
from service_tools import NewSettings
from starlette.requests import Request
from starlette.responses import Response

from backend.app import create_app
from backend.security.headers import ALWAYS, SEALED
from backend.settings import Settings

from .tools import JOBS, bearer, with_shared

SECRET = "a-long-shared-token"


def breaks(_request: Request) -> Response:
    raise LookupError("private words")


@pytest.fixture(scope="module")
def closed(new_settings: NewSettings) -> Iterator[TestClient]:
    with new_settings() as settings:
        app = create_app(with_shared(settings, SECRET))
        app.add_route("/api/v1/breaks", breaks)
        with TestClient(app, raise_server_exceptions=False) as client:
            yield client


PATHS = create_app(Settings()).openapi()["paths"]
OPERATIONS = sorted((method.upper(), path) for path, methods in PATHS.items() for method in methods)


def carried(answer: object) -> dict[str, str]:
    headers = answer.headers  # type: ignore[attr-defined]
    return {name: headers[name] for name in (*ALWAYS, "Content-Security-Policy")}


@pytest.mark.parametrize(("method", "path"), OPERATIONS)
def test_every_documented_address_allowed_or_not(closed: TestClient, method: str, path: str) -> None:
    address = re.sub(r"\{\w+\}", "0" * 32, path)
    for headers in ({}, bearer(SECRET)):
        answer = closed.request(method, address, headers=headers)
        assert answer.status_code < 500
        assert carried(answer) == {**ALWAYS, "Content-Security-Policy": SEALED}
        assert "server" not in answer.headers


@pytest.mark.parametrize(
    ("method", "path", "headers", "status"),
    [
        ("GET", "/nothing", {}, 404),
        ("PUT", JOBS, {}, 405),
        ("GET", JOBS, {"Host": "evil.example"}, 400),
        ("DELETE", JOBS, {"Origin": "https://evil.example"}, 403),
        ("GET", f"/{'x' * 9000}", {}, 414),
        ("GET", "/api/v1/breaks", {}, 500),
    ],
)
def test_every_problem(closed: TestClient, method: str, path: str, headers: dict[str, str], status: int) -> None:
    answer = closed.request(method, path, headers=bearer(SECRET) | headers)

    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert carried(answer) == {**ALWAYS, "Content-Security-Policy": SEALED}
    assert "private words" not in answer.text


@pytest.mark.parametrize("path", ["/docs", "/redoc"])
def test_the_pages_run_their_own_script_and_nothing_inline_besides(closed: TestClient, path: str) -> None:
    page = closed.get(path)
    policy = page.headers["content-security-policy"]
    script = next(part for part in policy.split("; ") if part.startswith("script-src"))
    inline = re.findall(r"<script>(.*?)</script>", page.text, re.DOTALL)

    assert "unsafe" not in script
    assert len(inline) == policy.count("'sha256-")
    for text in inline:
        assert f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'" in script
    for source in re.findall(r'src="(https://[^/"]+)', page.text):
        assert source in policy
    assert "frame-ancestors 'none'" in policy
