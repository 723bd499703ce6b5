"""The application on a real database, as each test of the service gets it: a SQLite file, or a PostgreSQL server.

Without ``--database`` everything runs on SQLite, and the quick tests that use the database most run on both: those in the
folders of ``ON_BOTH`` and those with the mark ``database("sqlite", "postgresql")``. The mark with one name is for tests that are
about that database; they run on it whatever the option says.
"""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from fastapi.testclient import TestClient
from postgres_tools import PostgresServer, running_postgres
from service_tools import NewSettings, serving

from backend.app import create_app
from backend.settings import Settings
from backend.store.database import open_database
from backend.store.store import Store

ON_BOTH = ("store", "jobs")
HERE = Path(__file__).parent


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test that uses a database on each that it is meant for."""
    if "database" not in metafunc.fixturenames:
        return
    mark = metafunc.definition.get_closest_marker("database")
    folder = metafunc.definition.path.relative_to(HERE).parts[0]
    names = mark.args if mark else ("sqlite", "postgresql") if folder in ON_BOTH else ("sqlite",)
    chosen = metafunc.config.getoption("--database")
    if chosen is not None and (mark is None or len(names) > 1):
        names = (chosen,)
    ids = names if len(names) > 1 else [pytest.HIDDEN_PARAM]
    metafunc.parametrize("database", names, ids=ids, indirect=True, scope="session")


@pytest.fixture(scope="session")
def database(request: pytest.FixtureRequest) -> str:
    """The name of the database that is used, ``sqlite`` or ``postgresql``."""
    name: str = request.param
    return name


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """The PostgreSQL server of this session, started when the first test asks for it."""
    with running_postgres() as server:
        yield server


@pytest.fixture(scope="session")
def new_settings(
    database: str, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> NewSettings:
    """Makes settings with a home and a database of their own, for the length of a ``with`` block."""

    @contextlib.contextmanager
    def make(*, empty: bool = False, **values: object) -> Iterator[Settings]:
        home = tmp_path_factory.mktemp("data") / "home"
        values = {"home": home, "reference_runs": False} | values
        if database == "sqlite":
            yield Settings(**values)  # type: ignore[arg-type]
            return
        server: PostgresServer = request.getfixturevalue("postgres")
        name = server.new_database() if empty else server.migrated_database()
        try:
            yield Settings(**values | {"database_url": server.url(name)})  # type: ignore[arg-type]
        finally:
            server.drop(name)

    return make


@pytest.fixture
def settings(new_settings: NewSettings) -> Iterator[Settings]:
    with new_settings() as settings:
        yield settings


@pytest.fixture
def empty_settings(new_settings: NewSettings) -> Iterator[Settings]:
    """The same with a database in which there is nothing yet, not even tables."""
    with new_settings(empty=True) as settings:
        settings.home.mkdir()
        yield settings


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
def shared_client(new_settings: NewSettings) -> Iterator[TestClient]:
    """The same for tests that leave nothing behind which another would notice."""
    with new_settings() as settings, TestClient(create_app(settings)) as client:
        yield client


@pytest.fixture(scope="session")
def server(new_settings: NewSettings) -> Iterator[httpx.Client]:
    """A client of one real server process, for tests that only add runs to it."""
    with new_settings() as settings, serving(settings) as (client, _process):
        yield client


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("DYAD_") and name != "DYAD_DATA_DIR":
            monkeypatch.delenv(name)
