"""What the tests of security share: an application with tokens in its database, and requests that carry one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from fastapi.testclient import TestClient
from pydantic import SecretStr

from backend.app import create_app
from backend.security import registry
from backend.security.scopes import Scope
from backend.security.tokens import TokenStore
from backend.settings import Settings
from backend.store.database import open_database

JOBS = "/api/v1/jobs"
GEOMETRY = {"in_features": 64, "out_features": 64, "n_blocks": 4, "variant": "it"}


def bearer(secret: str) -> dict[str, str]:
    """The header that carries a token."""
    return {"Authorization": f"Bearer {secret}"}


def with_shared(settings: Settings, secret: str) -> Settings:
    """The settings with ``DYAD_API_TOKEN``."""
    return settings.model_copy(update={"api_token": SecretStr(secret)})


@contextmanager
def token_store(settings: Settings) -> Iterator[TokenStore]:
    """The table of tokens, as the command line has it: beside the service."""
    engine = open_database(settings)
    try:
        yield TokenStore(engine)
    finally:
        engine.dispose()


def make_token(settings: Settings, name: str, scope: Scope = Scope.RUN, days: int | None = None) -> str:
    """Make a token and return its secret."""
    with token_store(settings) as store:
        return store.create(name, scope, days)[1]


@contextmanager
def service(settings: Settings, **options: Any) -> Iterator[TestClient]:
    """The application; an error of its own is an answer of 500 here, as it is on the network."""
    with TestClient(create_app(settings, **options), raise_server_exceptions=False) as client:
        yield client


def forget(client: TestClient) -> None:
    """Let the time pass after which the service reads its tokens anew."""
    client.app.state.registry._read_at -= registry.KEPT_S  # type: ignore[attr-defined]
