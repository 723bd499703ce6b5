"""Reachability: what a stack of DYAD layers can mix, by depth and in detail."""

import streamlit as st

from frontend.sections.backend import guarded
from frontend.sections.chain_controls import chain_controls, current_chain, publish, take_address
from frontend.sections.chain_details import details
from frontend.sections.chain_view import show_depths


def page() -> None:
    """Draw the editor, the results by depth, and the question that is open."""
    st.title("Reachability", anchor=False)
    st.markdown("How deep must a stack of layers be until every output depends on every input, and how evenly?")
    take_address()
    chain = current_chain()
    chain_controls()
    if show_depths(chain):
        st.fragment(details, key="details")(chain)
    publish()


guarded(page)
