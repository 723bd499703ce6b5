"""System: what the service can measure on."""

import pandas as pd
import streamlit as st

from frontend.logic import words
from frontend.logic.machine import device_records, queue_sentence, version_records
from frontend.sections.backend import guarded, system
from frontend.settings import public_api_url


def page() -> None:
    """Draw devices, queue, versions and notes."""
    st.title("System", anchor=False)
    st.markdown("What can this machine measure, with which versions, and is it busy?")
    machine = system()
    st.header("Devices", anchor=False)
    st.table(pd.DataFrame(device_records(machine)).set_index("device"))
    if not any(device.get("kind") == "cuda" for device in machine["devices"]):
        st.info(
            "**No CUDA device here.** Figures on this page and in the Layer lab are of the CPU. To see a GPU, run "
            "`python -m dyad_core.bench --suite reference` on a machine that has one and import the file on the Runs page.",
            icon=":material/developer_board_off:",
        )
    for note in machine.get("notes") or []:
        st.caption(note)
    st.header("Queue", anchor=False)
    running = (machine.get("queue") or {}).get("running")
    st.markdown(queue_sentence(machine))
    if running:
        st.page_link("views/layer_lab.py", label="Open the running one", query_params={"run": running})
    left, right = st.columns(2, gap="large")
    with left:
        st.header("Versions", anchor=False)
        st.table(pd.DataFrame(version_records(machine)).set_index("software"))
    with right:
        st.header("Implementations", anchor=False)
        st.table(pd.DataFrame(machine.get("implementations") or [], columns=["name", "summary"]).set_index("name"))
    st.markdown(
        f"Service at {public_api_url()}, up since {words.moment(machine.get('server_started_at'))}, "
        f"runs kept in {machine.get('database', 'a database')}."
    )


guarded(page)
