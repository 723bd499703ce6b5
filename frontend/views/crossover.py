"""Crossover: from which width and how many tokens a DYAD layer pays on this machine."""

import streamlit as st

from frontend.client import ApiClient, ApiProblemError
from frontend.schemas_sweep import SweepRecord
from frontend.sections.backend import client, guarded, show_problem, system
from frontend.sections.crossover_form import crossover_form, refill
from frontend.sections.crossover_list import earlier_sweeps
from frontend.sections.crossover_view import crossover_view


def wanted_sweep(api: ApiClient) -> SweepRecord | None:
    """Return the sweep that the address names; the first time it is seen, the controls take its request."""
    sweep_id = st.query_params.get("sweep")
    if not sweep_id:
        return None
    try:
        record = api.sweep(sweep_id)
    except ApiProblemError as error:
        show_problem(error, heading="**This map cannot be shown.** It may have been deleted.")
        return None
    if st.session_state.get("crossover.filled") != sweep_id:
        refill(record["spec"])
        st.session_state["crossover.filled"] = sweep_id
    return record


def page() -> None:
    """Draw the controls, then the sweep of the address."""
    st.title("Crossover", anchor=False)
    st.markdown("From which width and how many tokens does a DYAD layer pay, here?")
    api, machine = client(), system()
    record = wanted_sweep(api)
    st.fragment(crossover_form, key="crossover-form")(api, machine)
    earlier_sweeps(api)
    if record is None:
        st.caption(
            "Press Start for a map. The address then holds it: reload it, share it, close it; the sweep goes on."
        )
        return
    crossover_view(api, record)


guarded(page)
