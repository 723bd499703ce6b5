"""Names the service answers under, and web pages that may or may not use it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient
from service_tools import SMALL, NewSettings

from backend.security.origins import host_name

from .tools import JOBS, bearer, service, with_shared

PAGE = "https://lab.example"
RUNS = "/api/v1/benchmarks"


@pytest.fixture(scope="module")
def strict(new_settings: NewSettings) -> Iterator[TestClient]:
    with new_settings() as settings, service(settings) as client:
        yield client


@pytest.fixture(scope="module")
def friendly(new_settings: NewSettings) -> Iterator[TestClient]:
    with (
        new_settings(cors_origins=(PAGE,), allowed_hosts=("backend", "*.lab.example")) as settings,
        service(with_shared(settings, "secret")) as client,
    ):
        yield client


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "127.0.0.1:8000",
        "localhost:8000",
        "LOCALHOST",
        "[::1]:8000",
        "10.1.2.3",
        "api.localhost",
        "testserver",
    ],
)
def test_loopback_digits_and_the_name_it_was_reached_by_are_known(strict: TestClient, host: str) -> None:
    assert strict.get(JOBS, headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "localhost.evil.example",
        "evil.example:8000",
        "127.0.0.1.evil.example",
        "",
        "a@localhost",
        "localhost/x",
        "localhost:x",
        "xlocalhost",
        "backend",
    ],
)
def test_another_name_is_refused_whatever_it_asks(strict: TestClient, host: str) -> None:
    for path in (JOBS, "/healthz", "/docs"):
        answer = strict.get(path, headers={"Host": host})
        assert answer.status_code == 400
        assert answer.json()["errors"][0]["field"] == "Host"
        assert "DYAD_ALLOWED_HOSTS" in answer.json()["errors"][0]["suggestion"]


@pytest.mark.parametrize(("host", "status"), [("backend:8000", 200), ("a.b.lab.example", 200), ("lab.example", 400)])
def test_names_can_be_added(friendly: TestClient, host: str, status: int) -> None:
    assert friendly.get("/healthz", headers={"Host": host}).status_code == status


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ("a", "a"),
        ("A.b:1", "a.b"),
        ("[::1]", "::1"),
        ("[::1]:80", "::1"),
        ("a:", None),
        ("a:123456", None),
        ("a b", None),
        ("a,b", "a,b"),
    ],
)
def test_the_name_of_a_host_header(header: str, name: str | None) -> None:
    assert host_name(header) == name


def test_no_foreign_page_reads_an_answer_by_default(strict: TestClient) -> None:
    answer = strict.get(JOBS, headers={"Origin": PAGE})
    assert "access-control-allow-origin" not in answer.headers
    asked = {"Origin": PAGE, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type"}
    assert "access-control-allow-origin" not in strict.options(RUNS, headers=asked).headers


@pytest.mark.parametrize(
    "origin", [PAGE, "null", "http://localhost:3000", "http://testserver.evil.example", "testserver", "http://["]
)
def test_no_foreign_page_changes_anything_also_without_asking_first(strict: TestClient, origin: str) -> None:
    before = strict.get(JOBS).json()["total"]
    for method, path in (
        ("POST", RUNS),
        ("POST", "/api/v1/uploads"),
        ("DELETE", f"{JOBS}/{'0' * 32}"),
        ("POST", f"{JOBS}/{'0' * 32}/cancel"),
    ):
        answer = strict.request(method, path, headers={"Origin": origin}, json=SMALL if path == RUNS else None)
        assert answer.status_code == 403
        assert answer.json()["errors"][0]["field"] == "Origin"
    assert strict.get(JOBS).json()["total"] == before


def test_the_page_that_describes_the_service_may_use_it(strict: TestClient) -> None:
    headers = {"Origin": "http://testserver"}
    assert (
        strict.post(
            "/api/v1/structure/advice", json={"in_features": 64, "out_features": 64}, headers=headers
        ).status_code
        == 200
    )


def test_a_page_that_is_named_may_use_it_with_a_token(friendly: TestClient) -> None:
    asked = {
        "Origin": PAGE,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization,content-type",
    }
    may = friendly.options(RUNS, headers=asked)
    assert may.status_code == 200
    assert may.headers["access-control-allow-origin"] == PAGE
    assert "access-control-allow-credentials" not in may.headers

    answer = friendly.get(JOBS, headers={"Origin": PAGE, **bearer("secret")})
    assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (200, PAGE)
    assert "Origin" in answer.headers["vary"]
    refused = friendly.get(JOBS, headers={"Origin": PAGE})
    assert (refused.status_code, refused.headers["access-control-allow-origin"]) == (
        401,
        PAGE,
    )  # so that the page can read why


def test_another_page_still_may_not(friendly: TestClient) -> None:
    headers = {"Origin": "https://evil.example", **bearer("secret")}
    assert "access-control-allow-origin" not in friendly.get(JOBS, headers=headers).headers
    assert friendly.post(RUNS, json=SMALL, headers=headers).status_code == 403
    asked = {"Origin": "https://evil.example", "Access-Control-Request-Method": "GET"}
    assert "access-control-allow-origin" not in friendly.options(RUNS, headers=asked).headers
