"""Structure: where the weights of a DYAD layer are, and what it connects."""

import streamlit as st

from frontend.client import ApiProblemError
from frontend.logic.chain import Chain, write_chain
from frontend.logic.geometry import Layer
from frontend.sections.backend import guarded, show_problem
from frontend.sections.structure_controls import current_layer, geometry_controls, take_address
from frontend.sections.structure_graph import show_graph
from frontend.sections.structure_view import show_pattern, show_reach, show_totals, whole_pattern
from frontend.sections.structure_weights import show_weights


def page() -> None:
    """Draw the controls, then the pictures of the chosen layer."""
    st.title("Structure", anchor=False)
    st.markdown(
        "Which entries of the weight exist, what meets what in one layer, and how far does a stack of them reach?"
    )
    take_address()
    layer = current_layer()
    geometry_controls()
    try:
        whole = whole_pattern(layer)
    except ApiProblemError as error:
        show_problem(error, heading="**There is no such layer:**")
        return
    show_totals(layer, whole)
    answers = show_pattern(layer, whole)
    show_weights(layer)
    show_graph(layer, answers)
    show_reach(layer, answers)
    links(layer)


def links(layer: Layer) -> None:
    """Draw the way to the other questions about the same layer."""
    stack = Chain((layer,)).stacked(12)
    with st.container(horizontal=True):
        st.page_link(
            "views/reachability.py",
            label="Follow this layer through a stack",
            icon=":material/hub:",
            query_params={"chain": write_chain(stack)},
        )


guarded(page)
