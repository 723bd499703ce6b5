"""Structure: where the weights of a DYAD layer are, and what it connects."""

import streamlit as st

from frontend.client import ApiProblemError
from frontend.logic.geometry import overview_cells
from frontend.sections import structure_data
from frontend.sections.backend import client, guarded, show_problem
from frontend.sections.structure_controls import current_layer, geometry_controls, take_address
from frontend.sections.structure_view import show_graph, show_pattern, show_reach, show_totals


def page() -> None:
    """Draw the controls, then the pictures of the chosen layer."""
    st.title("Structure", anchor=False)
    st.markdown(
        "Which entries of the weight exist, what meets what in one layer, and how far does a stack of them reach?"
    )
    take_address()
    geometry_controls()
    layer = current_layer()
    try:
        whole = structure_data.pattern(client().address, layer, None, overview_cells(layer))
    except ApiProblemError as error:
        show_problem(error, heading="**There is no such layer:**")
        return
    show_totals(layer, whole)
    show_pattern(layer, whole)
    show_graph(layer)
    show_reach(layer)


guarded(page)
