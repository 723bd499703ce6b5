"""The application on a real SQLite file, as each test of the service gets it."""

import os
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from fastapi.testclient import TestClient
from service_tools import serving

from backend.app import create_app
from backend.settings import Settings
from backend.store.database import open_database
from backend.store.store import Store


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path / "home", reference_runs=False)


@pytest.fixture
def store(settings: Settings) -> Iterator[Store]:
    engine = open_database(settings)
    yield Store(engine)
    engine.dispose()


@pytest.fixture
def client(settings: Settings) -> Iterator[TestClient]:
    """The application as it is served, the queue running, benchmarks measured by the real engine."""
    with TestClient(create_app(settings)) as client:
        yield client


@pytest.fixture(scope="module")
def shared_client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """The same for tests that leave nothing behind which another would notice."""
    home = tmp_path_factory.mktemp("home")
    with TestClient(create_app(Settings(home=home, reference_runs=False))) as client:
        yield client


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A client of one real server process, for tests that only add runs to it."""
    with serving(tmp_path_factory.mktemp("home")) as (client, _process):
        yield client


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("DYAD_") and name != "DYAD_DATA_DIR":
            monkeypatch.delenv(name)
