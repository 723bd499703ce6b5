"""Models: what becomes of a whole model when DYAD layers take the place of its linear ones."""

import streamlit as st

from frontend.client import ApiClient, ApiProblemError
from frontend.schemas_models import ModelRecord
from frontend.sections import state
from frontend.sections.backend import client, guarded, show_problem, system
from frontend.sections.models_data import presets
from frontend.sections.models_estimate import estimate_view
from frontend.sections.models_form import models_form
from frontend.sections.models_list import earlier_measurements
from frontend.sections.models_run import run_view
from frontend.sections.models_source import PAGE, publish, refill, take_address, wants_refill


def wanted_job(api: ApiClient) -> ModelRecord | None:
    """Return the measurement that the address names; a link to it alone fills the controls with its request."""
    job_id = state.value(PAGE, "job")
    if not job_id:
        return None
    try:
        record = api.model_run(job_id)
    except ApiProblemError as error:
        show_problem(error, heading="**This measurement cannot be shown.** It may have been deleted.")
        return None
    if wants_refill(job_id):
        refill(record["spec"], job_id)
    return record


def page() -> None:
    """Draw the controls, the measurement of the address, and what changes in the model."""
    st.title("Models", anchor=False)
    st.markdown(
        "What becomes of a whole model when DYAD layers take the place of its linear ones: parameters, memory, time?"
    )
    api, machine = client(), system()
    take_address()
    record = wanted_job(api)
    models_form(api, machine, presets())
    earlier_measurements(api)
    if record is not None:
        run_view(api, record)
    estimate_view(record)
    publish()


guarded(page)
