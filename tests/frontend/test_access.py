"""Tokens in the dashboard, against a real service that wants them: asked for, tried, kept for one session alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import streamlit as st
from dashboard_tools import texts
from service_tools import serving
from streamlit.testing.v1 import AppTest

from backend.security.scopes import Scope
from backend.security.tokens import TokenStore
from backend.settings import Settings
from backend.store.database import open_database
from frontend.client import ApiClient, ApiProblemError, connect
from frontend.sections.access import TOKEN, Access, unusable

SHARED = "the-shared-token-of-this-service"
ASKING = "This service wants a token"


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[httpx.Client, dict[str, str]]]:
    """A service with three tokens, and their secrets by name."""
    home = tmp_path_factory.mktemp("closed") / "home"
    engine = open_database(Settings(home=home))
    store = TokenStore(engine)
    secrets = {
        "ann": store.create("ann", Scope.RUN, None)[1],
        "eve": store.create("eve", Scope.READ, None)[1],
        "old": store.create("old", Scope.RUN, None)[1],
    }
    store.revoke("old")
    engine.dispose()
    with serving(home, DYAD_API_TOKEN=SHARED) as (client, _):
        yield client, secrets | {"shared": SHARED}


@pytest.fixture
def open_closed(
    closed: tuple[httpx.Client, dict[str, str]], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., AppTest]]:
    """Open a page as a new session; caches live on between sessions, as they do in the dashboard."""
    monkeypatch.setenv("DYAD_API_URL", str(closed[0].base_url).rstrip("/"))
    monkeypatch.delenv("DYAD_API_TOKEN", raising=False)
    st.cache_data.clear()
    st.cache_resource.clear()

    def opened(page: str = "layer_lab") -> AppTest:
        app = AppTest.from_file(Path(__file__).resolve().parents[2] / "frontend" / "app.py", default_timeout=60).run()
        return app if page == "layer_lab" else app.switch_page(f"views/{page}.py").run()

    yield opened
    st.cache_resource.clear()


def give(app: AppTest, token: str) -> AppTest:
    app.text_input(key="access.given").set_value(token)
    return app.button[0].click().run() if app.button[0].label == "Use this token" else _submit(app)


def _submit(app: AppTest) -> AppTest:
    return next(button for button in app.button if button.label == "Use this token").click().run()


def everything(app: AppTest) -> str:
    return f"{app.main} {app.sidebar} {app.query_params}"


PAGES = ["layer_lab", "crossover", "structure", "reachability", "weights", "runs", "system"]


@pytest.mark.parametrize("page", PAGES)
def test_every_page_asks_for_the_token_and_shows_nothing_else(open_closed: Callable[..., AppTest], page: str) -> None:
    app = open_closed(page)

    assert not app.exception
    assert ASKING in texts(app.header)
    assert app.text_input(key="access.given").proto.type == app.text_input(key="access.given").proto.PASSWORD
    assert len(app.text_input) == 1
    assert not app.error


def test_a_good_token_opens_the_page_and_the_others_and_is_not_shown(
    open_closed: Callable[..., AppTest], closed: tuple[httpx.Client, dict[str, str]]
) -> None:
    secret = closed[1]["ann"]
    app = give(open_closed("system"), secret)

    assert not app.exception
    assert "Devices" in texts(app.header)
    assert ASKING not in texts(app.header)
    assert app.session_state[TOKEN] == secret
    assert secret not in everything(app)
    app.switch_page("views/runs.py").run()
    assert ASKING not in texts(app.header)

    next(button for button in app.button if button.label == "Forget my token").click().run()
    assert ASKING in texts(app.header)
    assert not app.session_state[TOKEN]


@pytest.mark.parametrize(
    ("token", "words"),
    [
        ("wrong-token", "not known here"),
        ("old", "was revoked"),
        ("two words", "one word"),
        ("", "one word"),
        ("tökén", "one word"),
    ],
)
def test_a_token_that_is_no_good_is_a_sentence_and_is_not_kept(
    open_closed: Callable[..., AppTest], closed: tuple[httpx.Client, dict[str, str]], token: str, words: str
) -> None:
    app = give(open_closed("system"), closed[1].get(token, token))

    assert not app.exception
    assert words in texts(app.error)
    assert ASKING in texts(app.header)
    assert TOKEN not in app.session_state


def test_another_session_does_not_share_the_token_nor_what_it_opened(
    open_closed: Callable[..., AppTest], closed: tuple[httpx.Client, dict[str, str]]
) -> None:
    for page in ("structure", "system", "reachability"):
        first = give(open_closed(page), closed[1]["ann"])
        assert ASKING not in texts(first.header)
        second = open_closed(page)  # the caches are full of what the first one asked
        assert ASKING in texts(second.header)
        assert "Forget my token" not in [button.label for button in second.button]


def test_the_token_of_the_environment_serves_a_single_user(
    open_closed: Callable[..., AppTest], closed: tuple[httpx.Client, dict[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DYAD_API_TOKEN", f"{SHARED}\n")
    app = open_closed("system")
    assert "Devices" in texts(app.header)
    assert SHARED not in everything(app)

    monkeypatch.setenv("DYAD_API_TOKEN", closed[1]["old"])
    app = open_closed("system")
    assert ASKING in texts(app.header)
    assert "was revoked" in texts(app.warning)
    assert "Devices" in texts(give(app, closed[1]["eve"]).header)


def test_a_scope_that_is_too_small_is_a_sentence_on_the_page(
    open_closed: Callable[..., AppTest], closed: tuple[httpx.Client, dict[str, str]]
) -> None:
    app = give(open_closed("layer_lab"), closed[1]["eve"])
    run = next(button for button in app.button if button.label.startswith("Run"))
    app = run.click().run()

    assert not app.exception
    assert "must have the scope run" in texts(app.error)


def test_the_client_sends_its_own_token_over_shared_connections(closed: tuple[httpx.Client, dict[str, str]]) -> None:
    http, secrets = closed
    ApiClient(http, secrets["ann"]).check_access()
    with pytest.raises(ApiProblemError) as caught:
        ApiClient(http).check_access()
    assert caught.value.wants_token
    with pytest.raises(ApiProblemError) as caught:
        ApiClient(http, secrets["eve"]).submit({"in_features": 64, "out_features": 64})
    assert caught.value.status == 403
    assert "authorization" not in http.headers
    api = connect(str(http.base_url), secrets["ann"])
    assert api.runs()["total"] == 0
    api.close()


def test_an_access_does_not_show_its_token() -> None:
    ann, bob = Access("http://x", "secret-of-ann"), Access("http://x", "secret-of-bob")
    assert "secret" not in repr(ann)
    assert "secret" not in ann.key()
    assert len({ann.key(), bob.key(), Access("http://x").key(), Access("http://y").key()}) == 4


@pytest.mark.parametrize(
    ("text", "is_wrong"),
    [("dyad_abc-123", False), ("", True), ("a b", True), ("é", True), ("a\r\nb", True), ("x" * 501, True)],
)
def test_what_cannot_be_a_token(text: Any, is_wrong: bool) -> None:
    assert unusable(text) is is_wrong
