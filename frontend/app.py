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

from frontend.sections.access import forget_button  # noqa: E402 # the path above comes first
from frontend.sections.chart import picture_format  # noqa: E402 # the path above comes first

st.set_page_config(
    page_title="DYAD Explorer",
    page_icon=str(Path(__file__).with_name("icon.svg")),
    layout="wide",
    initial_sidebar_state=200,
)
current = st.navigation(
    [
        st.Page("views/layer_lab.py", title="Layer lab", icon=":material/speed:", default=True),
        st.Page("views/crossover.py", title="Crossover", icon=":material/map:"),
        st.Page("views/models.py", title="Models", icon=":material/model_training:"),
        st.Page("views/structure.py", title="Structure", icon=":material/grid_on:"),
        st.Page("views/reachability.py", title="Reachability", icon=":material/hub:"),
        st.Page("views/weights.py", title="Weights", icon=":material/blur_on:"),
        st.Page("views/runs.py", title="Runs", icon=":material/list:"),
        st.Page("views/system.py", title="System", icon=":material/memory:"),
    ]
)
with st.sidebar:
    picture_format()
    forget_button()
current.run()
