"""Runs: everything that was measured here or imported."""

import streamlit as st

from frontend.sections.backend import client, guarded, system
from frontend.sections.compare_view import compare_bar, compare_view
from frontend.sections.runs_list import import_box, runs_list


def page() -> None:
    """Draw the list."""
    st.title("Runs", anchor=False)
    st.markdown("What was measured, here and elsewhere, and what came out?")
    api, machine = client(), system()
    compare_view(api)
    import_box(api)
    compare_bar()
    runs_list(api, machine)


guarded(page)
