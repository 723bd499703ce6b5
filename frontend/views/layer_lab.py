"""Layer lab: measure DYAD layers against their dense twin on this machine."""

import streamlit as st

from frontend.client import ApiClient, ApiProblemError
from frontend.logic.geometry import Layer
from frontend.schemas import RunRecord
from frontend.sections.backend import client, guarded, show_problem, system
from frontend.sections.lab_form import lab_form, refill
from frontend.sections.original_view import original_conditions
from frontend.sections.run_view import run_view


def wanted_run(api: ApiClient) -> RunRecord | None:
    """Return the run that the address names; the first time it is seen, the controls take its request."""
    run_id = st.query_params.get("run")
    if not run_id:
        return None
    try:
        record = api.run(run_id)
    except ApiProblemError as error:
        show_problem(
            error, heading="**This run cannot be shown.** It may have been deleted; the list of runs has the others."
        )
        return None
    if st.session_state.get("lab.filled") != run_id:
        refill(record["spec"])
        st.session_state["lab.filled"] = run_id
    return record


def page() -> None:
    """Draw the controls, then the run of the address."""
    st.title("Layer lab", anchor=False)
    st.markdown("How fast and how large is a DYAD layer beside its dense twin, here, at your sizes?")
    api, machine = client(), system()
    record = wanted_run(api)
    st.fragment(lab_form, key="form")(api, machine)
    st.fragment(original_conditions, key="original")(api)
    if record is None:
        st.caption(
            "Press Run for a first measurement. The address then holds the run: reload it, share it, open it twice."
        )
        return
    run_view(api, record)
    spec = record["spec"]
    layer = Layer(
        spec["in_features"], spec["out_features"], spec["n_blocks"][0], spec["variants"][0], spec["grains"][0]
    )
    st.page_link(
        "views/structure.py",
        label="See the structure of this layer",
        icon=":material/grid_on:",
        query_params={name: str(value) for name, value in layer.to_json().items()},
    )


guarded(page)
