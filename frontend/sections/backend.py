"""The client of this server, and what a page does when the service is down: say so, wait, go on by itself."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import httpx
import streamlit as st

from frontend.client import ApiClient, ApiProblemError, BackendUnreachableError, connections
from frontend.logic.words import problem_sentence
from frontend.schemas import SystemJson
from frontend.sections.access import Access, access, set_token, unusable
from frontend.settings import api_url

__all__ = ["ask_anew", "client", "client_of", "guarded", "show_problem", "show_unreachable", "show_warnings", "system"]

RETRY_SECONDS = 2.0


@st.cache_resource(max_entries=4, on_release=httpx.Client.close, show_spinner=False)
def _connections(address: str) -> httpx.Client:
    """Connections to one address, made once for all sessions; none of them carries a token by itself."""
    return connections(address)


def client_of(who: Access) -> ApiClient:
    """Return a client that sends this token."""
    return ApiClient(_connections(who.address), who.token, who.name)


def client() -> ApiClient:
    """Return the client of the service that this dashboard belongs to, with the token of this session."""
    return client_of(access())


@st.cache_data(ttl=5.0, max_entries=64, show_spinner=False, hash_funcs={Access: Access.key})
def _system(who: Access) -> SystemJson:
    # An error is raised, and Streamlit does not keep what was raised.
    return client_of(who).system()


def system() -> SystemJson:
    """Return the machine of the service, at most five seconds old."""
    return _system(access())


@st.cache_data(ttl=5.0, max_entries=256, show_spinner=False, hash_funcs={Access: Access.key})
def _is_let_in(who: Access) -> bool:
    client_of(who).check_access()
    return True


def ask_anew() -> None:
    """Draw the page anew after a token ended in the middle of it."""
    _is_let_in.clear()
    st.rerun()


def guarded(page: Callable[[], Any]) -> None:
    """Run a page; when the service does not answer, say so and try again every two seconds, when it wants a token, ask for it."""
    try:
        _is_let_in(access())
        page()
    except BackendUnreachableError as error:
        _wait_for(error.address)
    except ApiProblemError as error:
        if not error.wants_token:
            raise
        _ask_for_token(error)


def _ask_for_token(refused: ApiProblemError) -> None:
    """Draw the one field that is missing; what is typed is tried before it is kept."""
    st.header("This service wants a token", anchor=False)
    st.markdown(
        "Whoever runs it makes one with `dyad tokens create NAME`. It stays in this browser tab and is forgotten when "
        "you close or reload it."
    )
    if access().token is not None:
        st.warning(refused.detail, icon=":material/key_off:")
    with st.form("access.form", border=False):
        given = st.text_input("Token", type="password", autocomplete="off", key="access.given").strip()
        sent = st.form_submit_button("Use this token", type="primary")
    if not sent:
        return
    if unusable(given):
        st.error("A token is one word of letters, digits and signs, without spaces.", icon=":material/error:")
        return
    try:
        client_of(Access(api_url(), given)).check_access()
    except ApiProblemError as error:
        show_problem(error)
    except BackendUnreachableError as error:
        show_unreachable(error)
    else:
        set_token(given)
        st.rerun()


def _wait_for(address: str) -> None:
    def retry() -> None:
        try:
            client().check()
        except BackendUnreachableError as error:
            show_unreachable(error)
        except ApiProblemError as error:
            show_problem(error)
        else:
            st.rerun()

    st.fragment(retry, run_every=RETRY_SECONDS, key=f"retry-{address}")()


def show_unreachable(error: BackendUnreachableError) -> None:
    """Say which address did not answer and that nobody needs to reload."""
    st.error(
        f"**The service does not answer at {error.address}** ({error.reason}). This page tries again every "
        f"{RETRY_SECONDS:.0f} seconds and goes on by itself. Finished runs are kept. To start the service: `dyad up`; if it "
        "listens elsewhere, set `DYAD_API_URL`.",
        icon=":material/cloud_off:",
    )


def show_problem(error: ApiProblemError, *, heading: str = "") -> None:
    """Say what the service refused: one sentence per wrong field."""
    lines = [
        problem_sentence(entry["field"], entry["rule"], entry.get("received"), entry.get("suggestion") or "")
        for entry in error.errors
    ]
    text = "\n".join(f"- {line}" for line in lines) if lines else error.detail or error.title
    st.error(f"{heading}\n\n{text}" if heading else text, icon=":material/error:")


def show_warnings(warnings: Iterable[str]) -> None:
    """Say every warning once, all in one box."""
    lines = list(dict.fromkeys(warnings))
    if lines:
        st.warning("\n".join(f"- {line}" for line in lines) if len(lines) > 1 else lines[0], icon=":material/warning:")
