"""Settings that every test shares."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import settings

# A property must not fail because the machine was busy: no time limit for a single example.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Which database the tests of the service use; without the option it is SQLite, and for some tests both."""
    parser.addoption("--database", choices=["sqlite", "postgresql"], help="run every test of the service on this one")


@pytest.fixture(scope="session", autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What is kept between runs goes to a folder of this session, never to the one of whoever runs the tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DYAD_HOME", str(tmp_path_factory.mktemp("home")))
        yield
