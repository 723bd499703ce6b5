"""Answers about structure, kept for some minutes by their small arguments. Errors are raised and never kept."""

from __future__ import annotations

import streamlit as st

from frontend.logic.geometry import Layer, chain
from frontend.schemas import ConnectivityJson, PatternJson, ReachabilityJson
from frontend.sections.backend import client_at

__all__ = ["connectivity", "pattern", "reachability"]

Window = tuple[int, int, int, int]


@st.cache_data(ttl=600.0, max_entries=64, show_spinner=False, hash_funcs={Layer: repr})
def pattern(address: str, layer: Layer, window: Window | None, max_cells: int) -> PatternJson:
    """Return the pattern of the whole layer or of a window; ``address`` belongs to the key."""
    asked = None
    if window is not None:
        out_start, out_stop, in_start, in_stop = window
        asked = {"out_start": out_start, "out_stop": out_stop, "in_start": in_start, "in_stop": in_stop}
    return client_at(address).pattern(layer.to_json(), window=asked, max_cells=max_cells)  # type: ignore[arg-type] # the four keys


@st.cache_data(ttl=600.0, max_entries=64, show_spinner=False, hash_funcs={Layer: repr})
def connectivity(address: str, layer: Layer) -> ConnectivityJson:
    """Return which features meet in which block."""
    return client_at(address).connectivity(layer.to_json())


@st.cache_data(ttl=600.0, max_entries=256, show_spinner=False, hash_funcs={Layer: repr})
def reachability(address: str, layer: Layer, depth: int) -> ReachabilityJson:
    """Return the reach of ``depth`` layers: the layer and, when it is not square, its way back, in turn."""
    return client_at(address).reachability([step.to_json() for step in chain(layer, depth)])
