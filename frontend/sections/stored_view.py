"""A run that was answered from the store: say so, say when it was measured, and offer to measure again."""

from __future__ import annotations

import streamlit as st

from frontend.client import ApiClient, ApiProblemError, BackendUnreachableError
from frontend.logic import words
from frontend.schemas import RunRecord
from frontend.sections.backend import show_problem, show_unreachable

__all__ = ["SERVED", "again_button", "show_stored"]

SERVED = "lab.served"
"""Which run was served from the store in this session."""


def show_stored(api: ApiClient, record: RunRecord) -> None:
    """Say that this session's request was answered from the store, with the way to measure again; else nothing."""
    if st.session_state.get(SERVED) != record["id"]:
        return
    measured = words.moment(record.get("measured_at") or record.get("created_at"))
    with st.container(horizontal=True, vertical_alignment="center"):
        st.info(
            f"**Served from the store**, measured at {measured}: the same request was measured before, on this machine and "
            "with these versions.",
            icon=":material/inventory_2:",
        )
        again_button(api, record, key="lab.stored")


def again_button(api: ApiClient, record: RunRecord, *, key: str) -> None:
    """Draw the button that measures the request of a run anew."""
    if st.button(
        "Measure again",
        icon=":material/replay:",
        key=key,
        help="Measures the same request anew on this machine; this run stays in the list.",
    ):
        _again(api, record)


def _again(api: ApiClient, record: RunRecord) -> None:
    try:
        fresh = api.submit(record["spec"], again=True)
    except ApiProblemError as error:
        show_problem(error, heading="**Not started.** The service cannot measure this here:")
    except BackendUnreachableError as error:
        show_unreachable(error)
    else:
        st.session_state.pop(SERVED, None)
        st.query_params["run"] = fresh["id"]
        st.rerun()
