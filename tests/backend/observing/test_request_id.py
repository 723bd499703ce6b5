"""Every answer carries an id: a plain one of the caller's, or a new one; problem documents name it as their instance."""

import re
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from starlette.types import Receive, Scope, Send

from backend.app import create_app
from backend.observing.request_id import RequestIds, current_request_id, problem_instance
from backend.settings import Settings

NEW = re.compile(r"[0-9a-f]{32}")


@pytest.mark.parametrize("given", ["abc", "A-b_c.9", "x" * 64])
def test_a_plain_id_of_the_caller_comes_back(shared_client: TestClient, given: str) -> None:
    assert shared_client.get("/healthz", headers={"x-request-id": given}).headers["X-Request-ID"] == given


@pytest.mark.parametrize("given", ["", "x" * 65, "a b", "a\tb", "a/b", "é", '"', "{}", "a,b"])
def test_any_other_is_replaced(shared_client: TestClient, given: str) -> None:
    answer = shared_client.get("/healthz", headers={"x-request-id": given.encode()})

    assert NEW.fullmatch(answer.headers["X-Request-ID"])


def test_two_requests_have_two_ids(shared_client: TestClient) -> None:
    one, other = (shared_client.get("/healthz").headers["X-Request-ID"] for _ in range(2))

    assert one != other


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/nowhere", 404), ("PUT", "/healthz", 405), ("POST", "/api/v1/sweeps", 400), ("GET", "/api/v1/jobs/x", 404)],
)  # fmt: skip
def test_a_problem_names_its_request(shared_client: TestClient, method: str, path: str, status: int) -> None:
    answer = shared_client.request(method, path, headers={"X-Request-ID": "mine"})

    assert answer.status_code == status
    assert answer.headers.get_list("X-Request-ID") == ["mine"]
    assert answer.json()["instance"] == "urn:dyad-explorer:request:mine"


def test_so_does_a_mistake_of_the_service(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    app = create_app(Settings(home=tmp_path))

    @app.get("/broken")
    def broken() -> None:
        raise RuntimeError("a mistake")

    with TestClient(app, raise_server_exceptions=False) as client:
        answer = client.get("/broken", headers={"X-Request-ID": "mine"})

    assert answer.status_code == 500
    assert answer.headers.get_list("X-Request-ID") == ["mine"]
    assert answer.json()["instance"] == "urn:dyad-explorer:request:mine"


def test_outside_of_a_request_there_is_none() -> None:
    assert current_request_id() == ""
    assert problem_instance() == {}


def test_other_connections_pass_untouched() -> None:
    seen: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope["type"])

    coroutine = RequestIds(app)({"type": "lifespan"}, None, None)  # type: ignore[arg-type]
    with pytest.raises(StopIteration):
        coroutine.send(None)  # type: ignore[attr-defined]
    assert seen == ["lifespan"]
