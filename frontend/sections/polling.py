"""A panel about one job, drawn anew every second until the job is over, and then once more as a whole page."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import streamlit as st

from frontend.client import ApiProblemError, BackendUnreachableError
from frontend.schemas import TERMINAL
from frontend.sections.backend import ask_anew, show_problem, show_unreachable

__all__ = ["polling_panel"]

POLL_SECONDS = 1.0

Record = TypeVar("Record", bound=Any)


def polling_panel(record: Record, ask: Callable[[], Record], show: Callable[[Record], None], *, key: str) -> None:
    """Draw a job as it stands now, again and again while it is queued or running.

    There is one such fragment and it is drawn at the top level of the page; once the job is terminal it no longer
    repeats, and the whole page is drawn once more so that nothing keeps polling.

    Args:
        record: the job as the page knows it.
        ask: fetches it anew.
        show: draws it.
        key: of the fragment.
    """
    live = record["status"] not in TERMINAL

    def panel() -> None:
        try:
            current = ask()
        except BackendUnreachableError as error:
            show_unreachable(error)
            return
        except ApiProblemError as error:
            if error.wants_token:
                ask_anew()  # and the page asks for it
            show_problem(error)
            return
        if live != (current["status"] not in TERMINAL):
            st.rerun()
        show(current)

    st.fragment(panel, run_every=POLL_SECONDS if live else None, key=key)()
