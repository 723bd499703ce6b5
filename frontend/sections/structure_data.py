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
from frontend.sections.access import Access
from frontend.sections.backend import client_of

__all__ = ["STACKED", "Window", "advice", "connectivity", "pair", "pattern", "reach_of", "reachability", "together"]

Window = tuple[int, int, int, int]
Layers = tuple[Layer, ...]
_BOUNDS = ("out_start", "out_stop", "in_start", "in_stop")
AT_ONCE = 6
_TOLD_APART: dict[str | type[Any], Callable[[Any], Any]] = {Layer: repr, Access: Access.key}
STACKED = 12
"""Layers of a stack of one layer."""


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


@st.cache_data(ttl=600.0, max_entries=64, show_spinner=False, hash_funcs=_TOLD_APART)
def pattern(
    who: Access, layer: Layer, window: Window | None, max_cells: int, weights: tuple[tuple[str, Any], ...] = ()
) -> PatternJson:
    """Return the pattern of the whole layer or of a window; ``who`` asks belongs to the key.

    ``weights``, as pairs of name and value, asks for actual values beside it: seed and init, or upload and tensor.
    """
    asked: Any = None if window is None else dict(zip(_BOUNDS, window, strict=True))
    return client_of(who).pattern(
        layer.to_json(), window=asked, max_cells=max_cells, weights=dict(weights) if weights else None
    )


@st.cache_data(ttl=600.0, max_entries=64, show_spinner=False, hash_funcs=_TOLD_APART)
def connectivity(who: Access, layer: Layer, feature: tuple[str, int] | None = None) -> ConnectivityJson:
    """Return which features meet in which block, and what a chosen one meets."""
    return client_of(who).connectivity(layer.to_json(), feature=feature)


@st.cache_data(ttl=600.0, max_entries=256, show_spinner=False, hash_funcs=_TOLD_APART)
def reachability(who: Access, layer: Layer, depth: int) -> ReachabilityJson:
    """Return the reach of ``depth`` layers: the layer and, when it is not square, its way back, in turn."""
    return client_of(who).reachability([step.to_json() for step in chain(layer, depth)])


@st.cache_data(ttl=600.0, max_entries=256, show_spinner=False, hash_funcs=_TOLD_APART)
def reach_of(who: Access, layers: Layers, asked: tuple[tuple[str, Any], ...] = ()) -> ReachabilityJson:
    """Return the reach of a chain and what else is ``asked``, as pairs of name and value."""
    given = {name: dict(value) if isinstance(value, tuple) else value for name, value in asked}
    return client_of(who).reachability([layer.to_json() for layer in layers], **given)


def pair(who: Access, layer: Layer, feature: int, output: int) -> ReachabilityJson:
    """Return how input ``feature`` reaches ``output`` in at most 12 layers: the layer and, when it is not square, its way back."""
    depth = STACKED if layer.in_features == layer.out_features else STACKED - 1  # ends at the outputs of the layer
    return reach_of(who, tuple(chain(layer, depth)), (("pair", (("input", feature), ("output", output))),))


@st.cache_data(ttl=600.0, max_entries=64, show_spinner=False, hash_funcs=_TOLD_APART)
def advice(who: Access, in_features: int, out_features: int) -> AdviceJson:
    """Return every legal n for two sizes."""
    return client_of(who).advice(in_features, out_features)
