"""No token is ever written anywhere: not into the log of a real server, not into an answer, not into a message."""

from __future__ import annotations

from pathlib import Path

import pytest
from service_tools import serving

from backend.__main__ import main
from backend.ports import free_port
from backend.security.registry import Unauthorized
from backend.settings import Settings
from dyad_core.cli import main as command

from .tools import JOBS, bearer, make_token, with_shared

SHARED = "shared-secret-1234567890-abcdef"
WRONG = "wrong-secret-0987654321-fedcba"


def test_the_log_and_the_answers_of_a_real_server_hold_no_token(tmp_path: Path) -> None:
    home = tmp_path / "home"
    secret = make_token(Settings(home=home), "ann", days=1)
    texts = []
    with serving(home, DYAD_API_TOKEN=SHARED, DYAD_LOG_LEVEL="debug") as (client, process):
        for given in (SHARED, secret, WRONG):
            for method, path in (
                ("GET", JOBS), ("GET", "/metrics"), ("GET", "/nothing"), ("POST", "/api/v1/benchmarks"), ("PUT", JOBS),
                ("POST", "/api/v1/uploads"), ("GET", "/readyz"), ("GET", "/openapi.json"), ("GET", f"{JOBS}?limit=x"),
            ):  # fmt: skip
                answer = client.request(
                    method, path, headers=bearer(given), content=b"{}" if method == "POST" else None
                )
                texts.append(answer.text + str(answer.headers))
        assert process.poll() is None
    texts.append((tmp_path / "home.log").read_text(encoding="utf-8"))
    texts += [path.read_bytes().decode("latin-1") for path in home.rglob("*") if path.is_file()]

    assert len(texts) > 20
    for word in (SHARED, secret, WRONG):
        assert [text for text in texts if word in text] == []


def test_settings_do_not_show_the_token() -> None:
    settings = with_shared(Settings(), SHARED)
    assert SHARED not in repr(settings)
    assert SHARED not in str(settings.model_dump())
    assert SHARED not in settings.model_dump_json()


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({"DYAD_API_TOKEN": f"{SHARED} with spaces"}, "DYAD_API_TOKEN must be visible ASCII"),
        ({"DYAD_API_TOKEN": f"{SHARED}\n{SHARED}"}, "DYAD_API_TOKEN must be visible ASCII"),
        ({"DYAD_API_TOKEN": "  "}, "DYAD_API_TOKEN must be visible ASCII"),
        (
            {"DYAD_API_TOKEN": SHARED, "DYAD_CORS_ORIGINS": "https://a.example, *"},
            "DYAD_CORS_ORIGINS=* lets every web page",
        ),
        ({"DYAD_CORS_ORIGINS": "a.example"}, "DYAD_CORS_ORIGINS must list origins"),
        ({"DYAD_CORS_ORIGINS": "https://a.example/path"}, "DYAD_CORS_ORIGINS must list origins"),
        ({"DYAD_CORS_ORIGINS": "https://ann@a.example"}, "DYAD_CORS_ORIGINS must list origins"),
        ({"DYAD_CORS_ORIGINS": "https://a.example:x"}, "DYAD_CORS_ORIGINS must list origins"),
        ({"DYAD_ALLOWED_HOSTS": "a.example:80"}, "DYAD_ALLOWED_HOSTS must list names"),
        ({"DYAD_ALLOWED_HOSTS": "a.*.example"}, "DYAD_ALLOWED_HOSTS must list names"),
        ({"DYAD_READS_PER_MINUTE": "-1", "DYAD_API_TOKEN": SHARED}, "DYAD_READS_PER_MINUTE"),
    ],
)
def test_a_server_with_settings_that_contradict_each_other_does_not_start_and_says_why(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    environment: dict[str, str],
    words: str,
) -> None:
    own = {"DYAD_HOME": str(tmp_path), "DYAD_PORT": str(free_port("127.0.0.1"))}
    for name, value in (own | environment).items():
        monkeypatch.setenv(name, value)
    assert main() in (1, 2)
    said = capsys.readouterr().err
    assert words in said
    assert SHARED not in said


def test_every_page_and_a_token_of_the_database_contradict_each_other_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    make_token(Settings(home=tmp_path / "home"), "ann")
    monkeypatch.setenv("DYAD_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("DYAD_PORT", str(free_port("127.0.0.1")))
    monkeypatch.setenv("DYAD_CORS_ORIGINS", "*")
    assert main() == 1
    assert "name the pages that may use it" in capsys.readouterr().err


def test_a_refusal_knows_no_token() -> None:
    error = Unauthorized("This token is not known here.")
    assert error.__cause__ is None
    assert vars(error) == {"wrong": True}


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({"DYAD_HOST": "127.0.0.1"}, None),
        ({"DYAD_HOST": "0.0.0.0"}, "WARNING: THIS SERVICE IS OPEN TO OTHERS."),
        ({"DYAD_HOST": "0.0.0.0", "DYAD_API_TOKEN": "short"}, "WARNING: DYAD_API_TOKEN IS SHORT."),
        ({"DYAD_HOST": "0.0.0.0", "DYAD_API_TOKEN": SHARED}, None),
    ],
)
def test_listening_beyond_this_machine_without_a_token_is_warned_of(
    tmp_path: Path, environment: dict[str, str], said: str | None
) -> None:
    with serving(tmp_path / "home", **environment) as (client, _process):
        assert client.get("/healthz").status_code == 200
    log = (tmp_path / "home.log").read_text(encoding="utf-8")
    if said is None:
        assert "WARNING" not in log
    else:
        assert log.count(said) >= 2  # on standard error, in lines, and in the log
        lines = log[log.index("!!!!") :].splitlines()
        assert lines[1] == said
        assert len(lines) > 3
    assert SHARED not in log


def test_the_commands_send_the_token_and_say_what_they_lack(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    home = tmp_path / "home"
    with serving(home, DYAD_API_TOKEN=SHARED) as (client, _process):
        monkeypatch.setenv("DYAD_API_URL", str(client.base_url))

        def listed(token: str | None) -> tuple[int, str, str]:
            with monkeypatch.context() as patch:
                if token is not None:
                    patch.setenv("DYAD_API_TOKEN", token)
                with pytest.raises(SystemExit) as ended:
                    command(["runs", "list", "--json"])
            said = capsys.readouterr()
            return int(ended.value.code or 0), said.out, said.err

        code, out, _ = listed(SHARED)
        without, wrong = listed(None), listed(WRONG)
    assert code == 0
    assert '"total": 0' in out
    assert without[0] == wrong[0] == 1
    assert "wants a token" in without[2]
    assert "not known here" in wrong[2]
    assert WRONG not in wrong[2]
