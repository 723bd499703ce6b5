"""Settings and imports: from the environment or by argument, and importing the service needs neither."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from service_tools import ROOT

from backend.settings import Settings


def test_defaults_are_the_documented_ones() -> None:
    settings = Settings()

    assert (settings.home, settings.host, settings.port) == (Path(".dyad"), "127.0.0.1", 8000)
    assert (settings.dashboard_port, settings.api_url) == (8501, "http://127.0.0.1:8000")
    assert settings.resolved_database_url == f"sqlite:///{Path('.dyad/dyad.sqlite3').absolute()}"


def test_the_environment_changes_them(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DYAD_HOME", str(tmp_path))
    monkeypatch.setenv("DYAD_PORT", "1234")

    assert (Settings().home, Settings().port) == (tmp_path, 1234)
    assert Settings(port=5).port == 5


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_postgresql_goes_through_psycopg_however_it_is_written(scheme: str) -> None:
    settings = Settings(database_url=f"{scheme}://ann@host/base")
    assert settings.resolved_database_url == "postgresql+psycopg://ann@host/base"


def test_importing_the_service_needs_no_environment_and_starts_nothing(tmp_path: Path) -> None:
    code = "import threading, backend.app, backend.cli, backend.__main__; print(threading.active_count())"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)},
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "1"
    assert list(tmp_path.iterdir()) == []
