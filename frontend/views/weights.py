"""Weights: what DYAD patterns keep of a trained matrix, beside low rank and block-diagonal of equal size."""

import streamlit as st

from frontend.client import ApiClient, ApiProblemError
from frontend.schemas_weights import JobRecord
from frontend.sections import state
from frontend.sections.backend import client, guarded, show_problem, system
from frontend.sections.projection_view import projection_view
from frontend.sections.weights_form import refill, weights_form
from frontend.sections.weights_source import choose_tensor, choose_upload, publish, take_address


def wanted_job(api: ApiClient) -> JobRecord | None:
    """Return the projection that the address names; the first time it is seen, the controls take its request."""
    job_id = state.value("weights", "job")
    if not job_id:
        return None
    try:
        record = api.job(job_id)
    except ApiProblemError as error:
        show_problem(error, heading="**This projection cannot be shown.** It may have been deleted.")
        return None
    if st.session_state.get("weights.filled") != job_id:
        refill(record["spec"])
        st.session_state["weights.filled"] = job_id
    return record


def page() -> None:
    """Draw the choice of a matrix, what to hold it against, and the projection of the address."""
    st.title("Weights", anchor=False)
    st.markdown(
        "How much of a trained matrix do DYAD patterns keep? **A conversion is never free:** what a pattern drops is lost, "
        "the layer computes another function, and it has to be trained again before its quality can be judged."
    )
    api, machine = client(), system()
    take_address()
    record = wanted_job(api)
    upload = choose_upload(api, machine)
    if upload is not None:
        tensor = choose_tensor(upload)
        if tensor is not None:
            weights_form(api, upload, tensor)
    if record is not None:
        projection_view(api, record)
    publish()


guarded(page)
