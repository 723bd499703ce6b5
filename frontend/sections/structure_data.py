"""Answers about structure, kept for some minutes by their small arguments. Errors are raised and never kept.

A picture follows a control at once only when its answers come at once: the first picture's answer is asked for alone,
and while that picture is made :func:`together` asks for those of all others; each is waited for where it is drawn.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import streamlit as st
from streamlit.runtime.scriptrunner import add_script_run_ctx, get_script_run_ctx

from frontend.logic.geometry import Layer, chain
from frontend.schemas import ConnectivityJson, PatternJson
from frontend.schemas_chain import AdviceJson, ReachabilityJson
from frontend.sections.backend import client_at

__all__ = ["Window", "advice", "connectivity", "pattern", "reach_of", "reachability", "together"]

Window = tuple[int, int, int, int]
Layers = tuple[Layer, ...]
AT_ONCE = 6


@st.cache_resource(show_spinner=False)
def _pool() -> ThreadPoolExecutor:
    """Threads for all sessions: starting new ones for every picture would cost as much as the questions."""
    return ThreadPoolExecutor(AT_ONCE, thread_name_prefix="answers")


def together(**questions: Callable[[], Any]) -> dict[str, Future[Any]]:
    """Ask all ``questions`` at the same time; ``result()`` of each waits for its answer or raises its error."""
    context = get_script_run_ctx()

    def ask(question: Callable[[], Any]) -> Any:
        # The caches look for the session's thread; this one acts for it.
        add_script_run_ctx(threading.current_thread(), context)
        return question()

    return {name: _pool().submit(ask, question) for name, question in questions.items()}


@st.cache_data(ttl=600.0, max_entries=64, show_spinner=False, hash_funcs={Layer: repr})
def pattern(
    address: str, layer: Layer, window: Window | None, max_cells: int, draw: tuple[int, str] | None = None
) -> PatternJson:
    """Return the pattern of the whole layer or of a window; ``address`` belongs to the key.

    ``draw`` (seed, init) asks for drawn weights beside it.
    """
    asked = None
    if window is not None:
        out_start, out_stop, in_start, in_stop = window
        asked = {"out_start": out_start, "out_stop": out_stop, "in_start": in_start, "in_stop": in_stop}
    weights = None if draw is None else {"seed": draw[0], "init": draw[1]}
    return client_at(address).pattern(layer.to_json(), window=asked, max_cells=max_cells, weights=weights)  # type: ignore[arg-type] # the four keys


@st.cache_data(ttl=600.0, max_entries=64, show_spinner=False, hash_funcs={Layer: repr})
def connectivity(address: str, layer: Layer, feature: tuple[str, int] | None = None) -> ConnectivityJson:
    """Return which features meet in which block, and what a chosen one meets."""
    return client_at(address).connectivity(layer.to_json(), feature=feature)


@st.cache_data(ttl=600.0, max_entries=256, show_spinner=False, hash_funcs={Layer: repr})
def reachability(address: str, layer: Layer, depth: int) -> ReachabilityJson:
    """Return the reach of ``depth`` layers: the layer and, when it is not square, its way back, in turn."""
    return client_at(address).reachability([step.to_json() for step in chain(layer, depth)])


@st.cache_data(ttl=600.0, max_entries=256, show_spinner=False, hash_funcs={Layer: repr})
def reach_of(address: str, layers: Layers, asked: tuple[tuple[str, Any], ...] = ()) -> ReachabilityJson:
    """Return the reach of a chain and what else is ``asked``, as pairs of name and value."""
    given = {name: dict(value) if isinstance(value, tuple) else value for name, value in asked}
    return client_at(address).reachability([layer.to_json() for layer in layers], **given)


@st.cache_data(ttl=600.0, max_entries=64, show_spinner=False)
def advice(address: str, in_features: int, out_features: int) -> AdviceJson:
    """Return every legal n for two sizes."""
    return client_at(address).advice(in_features, out_features)
