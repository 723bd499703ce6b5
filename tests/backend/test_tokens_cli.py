"""``dyad tokens``: made, listed, revoked and forgotten beside a service, in text and in JSON."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from typer.testing import CliRunner, Result

from backend.app import create_app
from backend.settings import Settings
from backend.tokens_cli import tokens

JOBS = "/api/v1/jobs"


@pytest.fixture(autouse=True)
def folder(_no_settings_from_outside: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DYAD_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def said(*arguments: str, text: str = "") -> Result:
    return CliRunner().invoke(tokens, arguments, input=text)


def test_a_token_is_shown_once_and_works(folder: Path) -> None:
    made = said("create", "ann", "--scope", "read", "--days", "30")

    assert made.exit_code == 0
    secret = made.stdout.strip()
    assert secret.startswith("dyad_")
    assert "not shown again" in made.stderr
    with TestClient(create_app(Settings(home=folder, reference_runs=False))) as client:
        headers = {"Authorization": f"Bearer {secret}"}
        assert client.get(JOBS, headers=headers).status_code == 200
        assert client.delete(f"{JOBS}/x", headers=headers).status_code == 403
    listed = said("list").output
    assert "ann" in listed
    assert "usable" in listed
    assert secret not in listed
    assert secret not in said("list", "--json").output


def test_everything_in_json() -> None:
    made = json.loads(said("create", "ann", "--json").stdout)
    assert made["token"].startswith("dyad_")
    assert (made["name"], made["scope"], made["state"], made["expires_at"]) == ("ann", "run", "usable", None)

    (listed,) = json.loads(said("list", "--json").stdout)
    assert listed == {name: value for name, value in made.items() if name != "token"}
    assert json.loads(said("revoke", "ann", "--json").stdout)["state"] == "revoked"
    assert json.loads(said("clear", "--yes", "--json").stdout) == {"forgotten": 1}
    assert json.loads(said("list", "--json").stdout) == []


def test_revoking_and_forgetting_say_what_follows() -> None:
    said("create", "ann")
    assert "within 10 seconds" in said("revoke", "ann").output
    assert "revoked" in said("list").output
    assert said("clear", text="n\n").exit_code == 1
    assert said("clear", text="y\n").exit_code == 0
    assert "asks for none" in said("list").output


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("create", "a b"), "name: must be 1 to 80 letters"),
        (("create", "ann", "--days", "0"), "days: must lie between 1 and 3650"),
        (("create", "ann", "--scope", "all"), "all"),
        (("revoke", "nobody"), "name: must be that of a token"),
    ],
)
def test_wrong_input_is_answered_by_a_sentence(arguments: tuple[str, ...], words: str) -> None:
    answer = said(*arguments)
    assert answer.exit_code == 2
    assert words in answer.output


def test_a_name_in_use_and_a_service_open_to_every_page_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    said("create", "ann")
    assert "dyad tokens revoke ann" in said("create", "ann").output
    monkeypatch.setenv("DYAD_CORS_ORIGINS", "*")
    refused = said("create", "bob")
    assert refused.exit_code == 1
    assert "every web page" in refused.output


def test_a_database_that_cannot_be_used_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DYAD_DATABASE_URL", "nonsense")
    answer = said("list")
    assert answer.exit_code == 1
    assert "DYAD_DATABASE_URL is not a database address" in answer.output
