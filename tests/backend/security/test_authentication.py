"""Who may do what: wrong, expired, missing and revoked tokens, scopes too small, and what is said each time."""

from __future__ import annotations

import hmac
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from fastapi.testclient import TestClient
from service_tools import SMALL
from sqlalchemy import event, text
from starlette.responses import PlainTextResponse

from backend.app import create_app
from backend.security import registry as registry_module
from backend.security.scopes import Scope
from backend.settings import Settings

from .tools import GEOMETRY, JOBS, bearer, forget, make_token, service, token_store, with_shared

SHARED = "a-long-shared-token-of-this-service"


@pytest.fixture
def shared(settings: Settings) -> Iterator[TestClient]:
    """A service with ``DYAD_API_TOKEN``."""
    with service(with_shared(settings, SHARED)) as client:
        yield client


def problem_of(answer: Any, status: int) -> dict[str, Any]:
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    found: dict[str, Any] = answer.json()
    assert found["status"] == status
    return found


def test_without_any_token_nobody_is_asked(client: TestClient) -> None:
    assert client.get(JOBS).status_code == 200
    assert client.get(JOBS, headers=bearer("whatever")).status_code == 200


def test_the_shared_token_turns_authentication_on_and_may_do_everything(shared: TestClient) -> None:
    assert shared.get(JOBS, headers=bearer(SHARED)).status_code == 200
    assert shared.post("/api/v1/benchmarks", json=SMALL, headers=bearer(SHARED)).status_code == 202
    assert shared.get(JOBS).status_code == 401


def test_an_empty_shared_token_is_none(settings: Settings) -> None:
    with service(with_shared(settings, "")) as client:
        assert client.get(JOBS).status_code == 200


def test_a_missing_token_is_asked_for(shared: TestClient) -> None:
    answer = shared.get(JOBS)

    assert "wants a token" in problem_of(answer, 401)["detail"]
    assert answer.headers["www-authenticate"] == 'Bearer realm="dyad-explorer"'


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/openapi.json", "/docs", "/redoc"])
def test_health_and_the_description_stay_open(shared: TestClient, path: str) -> None:
    assert shared.get(path).status_code == 200


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/metrics"),
        ("GET", "/api/v1/nothing"),
        ("POST", "/healthz/"),
        ("OPTIONS", JOBS),
        ("HEAD", JOBS),
        ("GET", "//healthz"),
        ("GET", "/healthz%2f..%2fmetrics"),
    ],
)
def test_everything_else_is_closed(shared: TestClient, method: str, path: str) -> None:
    assert shared.request(method, path).status_code == 401


@pytest.mark.parametrize(
    "header",
    [
        "Bearer wrong",
        "Bearer",
        "Bearer ",
        f"Basic {SHARED}",
        SHARED,
        f"Bearer {SHARED}x",
        f"Bearer {SHARED[:-1]}",
        "Bearer \xff",
    ],
)
def test_a_wrong_token_is_refused_and_not_repeated(shared: TestClient, header: str) -> None:
    answer = shared.get(JOBS, headers=[(b"authorization", header.encode("latin-1"))])  # type: ignore[arg-type]

    problem_of(answer, 401)
    assert answer.headers["www-authenticate"] == 'Bearer realm="dyad-explorer", error="invalid_token"'
    assert SHARED[:10] not in answer.text
    assert "wrong" not in answer.text


def test_two_headers_are_one_too_many(shared: TestClient) -> None:
    answer = shared.get(JOBS, headers=[("Authorization", f"Bearer {SHARED}"), ("Authorization", "Bearer other")])  # type: ignore[arg-type]
    assert "must be one" in problem_of(answer, 401)["detail"]


def test_the_word_bearer_may_be_written_in_any_case(shared: TestClient) -> None:
    assert shared.get(JOBS, headers={"Authorization": f"bearer  {SHARED} "}).status_code == 200


def test_a_token_of_the_database_turns_authentication_on_and_names_its_client(settings: Settings) -> None:
    secret = make_token(settings, "ann")
    app = create_app(settings)
    app.add_route("/api/v1/who", lambda request: PlainTextResponse(request.state.client))
    with TestClient(app) as client:
        assert client.get("/api/v1/who", headers=bearer(secret)).text == "ann"
        assert client.get("/api/v1/who").status_code == 401


def test_an_expired_token_says_so_and_does_not_open_the_service(settings: Settings) -> None:
    secret = make_token(settings, "ann", days=1)
    with token_store(settings) as store, store._engine.begin() as connection:
        connection.execute(text("UPDATE tokens SET expires_at = :at"), {"at": datetime.now(UTC) - timedelta(hours=1)})
    with service(settings) as client:
        answer = client.get(JOBS, headers=bearer(secret))
        assert "expired at" in problem_of(answer, 401)["detail"]
        assert "invalid_token" in answer.headers["www-authenticate"]
        assert client.get(JOBS).status_code == 401


def test_a_token_that_expires_while_it_is_known_is_refused_at_once(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = make_token(settings, "ann", days=1)
    with service(settings) as client:
        assert client.get(JOBS, headers=bearer(secret)).status_code == 200

        class Tomorrow(datetime):
            @classmethod
            def now(cls, tz: Any = None) -> datetime:
                return datetime.now(tz) + timedelta(days=1, seconds=1)

        monkeypatch.setattr(registry_module, "datetime", Tomorrow)
        assert "expired at" in problem_of(client.get(JOBS, headers=bearer(secret)), 401)["detail"]


def test_a_revoked_token_stops_working_and_does_not_open_the_service(settings: Settings) -> None:
    secret = make_token(settings, "ann")
    with service(settings) as client:
        assert client.get(JOBS, headers=bearer(secret)).status_code == 200
        with token_store(settings) as store:
            store.revoke("ann")
        forget(client)
        assert "was revoked" in problem_of(client.get(JOBS, headers=bearer(secret)), 401)["detail"]
        assert client.get(JOBS).status_code == 401
        with token_store(settings) as store:
            store.forget_all()
        forget(client)
        assert client.get(JOBS).status_code == 200


def test_a_service_that_was_open_closes_with_the_first_token(settings: Settings) -> None:
    with service(settings) as client:
        assert client.get(JOBS).status_code == 200
        secret = make_token(settings, "ann")
        forget(client)
        assert client.get(JOBS).status_code == 401
        assert client.get(JOBS, headers=bearer(secret)).status_code == 200


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/api/v1/benchmarks"),
        ("POST", "/api/v1/benchmarks/import"),
        ("POST", "/api/v1/sweeps"),
        ("POST", "/api/v1/uploads"),
        ("POST", "/api/v1/structure/projection"),
        ("POST", f"{JOBS}/{'0' * 32}/cancel"),
        ("DELETE", f"{JOBS}/{'0' * 32}"),
        ("DELETE", f"/api/v1/uploads/{'0' * 32}"),
    ],
)
def test_a_scope_that_is_too_small_is_named(settings: Settings, method: str, path: str) -> None:
    secret = make_token(settings, "eve", Scope.READ)
    with service(settings) as client:
        answer = client.request(method, path, headers=bearer(secret))

        problem = problem_of(answer, 403)
        assert problem["detail"] == "This token may read, and this needs the scope run."
        assert problem["errors"][0]["rule"] == "must have the scope run"
        assert 'error="insufficient_scope", scope="run"' in answer.headers["www-authenticate"]


def test_read_looks_and_computes(settings: Settings) -> None:
    secret = make_token(settings, "eve", Scope.READ)
    with service(settings) as client:
        client.headers.update(bearer(secret))
        assert client.get(JOBS).status_code == 200
        assert client.get("/metrics").status_code == 200
        assert client.post("/api/v1/structure/pattern", json=GEOMETRY).status_code == 200
        assert client.post("/api/v1/structure/advice", json={"in_features": 64, "out_features": 64}).status_code == 200


def test_comparing_takes_the_same_time_and_looks_at_every_token(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    secrets = [make_token(settings, f"t{number}") for number in range(3)]
    compared: list[tuple[str, str]] = []

    def counted(kept: str, given: str) -> bool:
        compared.append((kept, given))
        return hmac.compare_digest(kept, given)

    monkeypatch.setattr(registry_module, "hmac", SimpleNamespace(compare_digest=counted))
    with service(with_shared(settings, SHARED)) as client:
        counts = []
        for secret in (secrets[0], secrets[2], SHARED, "wrong"):
            compared.clear()
            client.get(JOBS, headers=bearer(secret))
            counts.append(len(compared))
            assert all(
                len(kept) == len(given) == 64 for kept, given in compared
            )  # hashes: the length tells nothing either
    assert counts == [4, 4, 4, 4]


def test_polling_costs_no_query_for_the_token_and_its_use_is_noted_once(settings: Settings) -> None:
    secret = make_token(settings, "ann")
    with service(settings) as client:
        statements: list[str] = []
        engine = client.app.state.registry._store._engine  # type: ignore[attr-defined]
        event.listen(engine, "before_cursor_execute", lambda *args: statements.append(args[2]))
        client.app.state.registry._read_at += 3600  # type: ignore[attr-defined] # no reading in between, however slow this machine is
        for _ in range(10):
            assert client.post("/api/v1/structure/pattern", json=GEOMETRY, headers=bearer(secret)).status_code == 200
        of_tokens = [statement.split()[0] for statement in statements if "tokens" in statement]
    assert of_tokens == ["UPDATE"]
    with token_store(settings) as store:
        assert store.all()[0].last_used_at is not None


def test_without_its_database_nobody_is_let_in_on_old_knowledge(settings: Settings) -> None:
    secret = make_token(settings, "ann")
    with service(settings) as client:
        assert client.get(JOBS, headers=bearer(secret)).status_code == 200
        with token_store(settings) as store, store._engine.begin() as connection:
            connection.execute(text("ALTER TABLE tokens RENAME TO hidden"))
        forget(client)
        answer = client.post("/api/v1/structure/pattern", json=GEOMETRY, headers=bearer(secret))
        assert "tokens cannot be read" in problem_of(answer, 503)["detail"]
        assert answer.headers["retry-after"] == "5"
        assert client.get("/healthz").status_code == 200
        with token_store(settings) as store, store._engine.begin() as connection:
            connection.execute(text("ALTER TABLE hidden RENAME TO tokens"))
        assert client.get(JOBS, headers=bearer(secret)).status_code == 200


def test_the_openapi_document_declares_the_scheme_and_the_scopes(settings: Settings) -> None:
    with service(settings) as client:
        document = client.get("/openapi.json").json()

    scheme = document["components"]["securitySchemes"]["token"]
    assert (scheme["type"], scheme["scheme"]) == ("http", "bearer")
    paths = document["paths"]
    assert paths["/api/v1/benchmarks"]["post"]["security"] == [{"token": ["run"]}, {}]
    assert paths["/api/v1/benchmarks"]["get"]["security"] == [{"token": ["read"]}, {}]
    assert paths["/healthz"]["get"]["security"] == []
