"""Whose token the dashboard sends: the user's own, or the one of ``DYAD_API_TOKEN`` where a single person uses it.

A token that is typed in lives in this browser session's state and nowhere else: not in the address, not in a cache that another
session reads, not in a file. What is kept for several sessions is kept under :func:`Access.key`, so that nobody is shown
an answer to another one's token.
"""

from __future__ import annotations

import hashlib
import re
import uuid
from dataclasses import dataclass, field

import streamlit as st

from frontend.settings import api_token, api_url

__all__ = ["Access", "access", "forget_button", "set_token", "unusable"]

TOKEN, NAME = "access.token", "access.name"
_USABLE = re.compile(r"[\x21-\x7e]{1,500}", re.ASCII)


@dataclass(frozen=True)
class Access:
    """The service, the token to ask it with, which is never part of its text, and the name of this session."""

    address: str
    token: str | None = field(default=None, repr=False)
    name: str | None = field(default=None, compare=False)

    def key(self) -> str:
        """What tells two accesses apart in a cache; the token cannot be read from it."""
        return hashlib.sha256(f"{self.address}\n{self.token or ''}".encode()).hexdigest()


def access() -> Access:
    """How this session asks the service now."""
    return Access(api_url(), st.session_state.get(TOKEN) or api_token(), session_name())


def session_name() -> str:
    """A name of this browser session, so that the queue is fair between those who use one dashboard."""
    if NAME not in st.session_state:
        st.session_state[NAME] = f"dashboard-{uuid.uuid4().hex[:8]}"
    name: str = st.session_state[NAME]
    return name


def set_token(token: str | None) -> None:
    """Keep the token of this session; None forgets it."""
    st.session_state[TOKEN] = token


def unusable(token: str) -> bool:
    """Whether a text cannot be a token: no header could carry it."""
    return _USABLE.fullmatch(token) is None


def forget_button() -> None:
    """Draw the way to forget the token that was typed in; nothing where none was."""
    if st.session_state.get(TOKEN):
        st.button("Forget my token", icon=":material/logout:", key="access.forget", on_click=set_token, args=(None,))
