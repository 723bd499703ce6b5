"""The entry script."""

import tomllib
from pathlib import Path

import pytest

from backend.settings import Settings
from frontend import settings

FRONTEND = Path(settings.__file__).parent


def test_no_folder_called_pages_lies_beside_the_entry_script() -> None:
    """A link to a page, opened first after a start, had no navigation: Streamlit took the folder for its own older scheme."""
    assert (FRONTEND / "app.py").exists()
    assert not (FRONTEND / "pages").exists()


def test_people_are_shown_the_address_that_is_theirs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DYAD_API_URL", "http://backend:8000/")
    assert settings.public_api_url() == "http://backend:8000"

    monkeypatch.setenv("DYAD_PUBLIC_API_URL", "http://127.0.0.1:9000/")
    assert settings.public_api_url() == "http://127.0.0.1:9000"
    assert settings.api_url() == "http://backend:8000"


def test_a_file_as_large_as_the_service_takes_comes_through_the_dashboard() -> None:
    """A file of 256 MB stopped at Streamlit's own limit of 200, whatever the box of the page said."""
    config = tomllib.loads((FRONTEND / ".streamlit" / "config.toml").read_text(encoding="utf-8"))
    assert config["server"]["maxUploadSize"] * 2**20 >= Settings().max_upload_bytes
