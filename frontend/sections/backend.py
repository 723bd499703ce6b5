"""The client of this server, and what a page does when the service is down: say so, wait, go on by itself."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import streamlit as st

from frontend.client import ApiClient, ApiProblemError, BackendUnreachableError, connect
from frontend.logic.words import problem_sentence
from frontend.schemas import SystemJson
from frontend.settings import api_url

__all__ = ["client", "client_at", "guarded", "show_problem", "show_unreachable", "show_warnings", "system"]

RETRY_SECONDS = 2.0


@st.cache_resource(max_entries=4, on_release=ApiClient.close, show_spinner=False)
def client_at(address: str) -> ApiClient:
    """Return the client for one address, made once; connections are shared by all sessions."""
    return connect(address)


def client() -> ApiClient:
    """Return the client of the service that this dashboard belongs to."""
    return client_at(api_url())


@st.cache_data(ttl=5.0, max_entries=4, show_spinner=False)
def _system(address: str) -> SystemJson:
    # An error is raised, and Streamlit does not keep what was raised.
    return client_at(address).system()


def system() -> SystemJson:
    """Return the machine of the service, at most five seconds old."""
    return _system(api_url())


def guarded(page: Callable[[], Any]) -> None:
    """Run a page; when the service does not answer, say so and try again every two seconds."""
    try:
        page()
    except BackendUnreachableError as error:
        _wait_for(error.address)


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
