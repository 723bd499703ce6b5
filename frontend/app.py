"""Entry script of the dashboard: navigation only.

Run with ``streamlit run frontend/app.py``; ``DYAD_API_URL`` says where the service is.
"""

import sys
from pathlib import Path

import streamlit as st

# Streamlit puts this folder on the path; the package that the pages import lies in the one above.
ROOT = str(Path(__file__).resolve().parent.parent)
if ROOT not in sys.path:
    sys.path.insert(0, ROOT)

st.set_page_config(
    page_title="DYAD Explorer",
    page_icon=str(Path(__file__).with_name("icon.svg")),
    layout="wide",
    initial_sidebar_state=200,
)
st.navigation(
    [
        st.Page("pages/layer_lab.py", title="Layer lab", icon=":material/speed:", default=True),
        st.Page("pages/structure.py", title="Structure", icon=":material/grid_on:"),
        st.Page("pages/runs.py", title="Runs", icon=":material/list:"),
        st.Page("pages/system.py", title="System", icon=":material/memory:"),
    ]
).run()
