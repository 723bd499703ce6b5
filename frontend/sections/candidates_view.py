"""The two charts of one pass: speed and memory. Live and finished runs share them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import streamlit as st

from frontend.figures.memory import memory_alt, memory_figure
from frontend.figures.speed import speedup_alt, speedup_figure
from frontend.figures.times import time_alt, time_figure
from frontend.logic.rows import expected_rows, rows_of
from frontend.logic.run_words import pass_words, passes_of
from frontend.schemas_runs import CandidateJson
from frontend.sections.chart import chart

__all__ = ["show_candidates"]

SPEED_VIEWS = {"speedup": "speed-up", "time": "time per call"}

Foot = Callable[[str], Sequence[str]]
"""Lines that belong into the pictures of a pass."""


def show_candidates(
    spec: Mapping[str, Any],
    candidates: Sequence[CandidateJson],
    *,
    note: str,
    foot: Foot = lambda _: (),
    live: bool = False,
) -> str:
    """Draw the two charts of one pass side by side; with several passes, a choice above them. Returns the chosen pass.

    Charts of a live run have a key of their own, so that the finished ones start afresh.
    """
    passes = passes_of(spec)
    suffix = ".live" if live else ""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        chosen = passes[0]
        if len(passes) > 1:
            chosen = st.radio(
                "pass",
                passes,
                horizontal=True,
                format_func=pass_words,
                label_visibility="collapsed",
                key=f"lab.view.pass{suffix}",
                help="Which pass the charts show; the table has all.",
            )
        view = st.radio(
            "speed as",
            list(SPEED_VIEWS),
            horizontal=True,
            format_func=SPEED_VIEWS.__getitem__,
            label_visibility="collapsed",
            key=f"lab.view.speed{suffix}",
            help="Speed-up: the paired ratio over the dense twin with its 95 % interval. Time: milliseconds per call.",
        )
    shown = expected_rows(spec, rows_of(candidates), chosen)
    lines = [f"{pass_words(chosen)} · {line}" if at == 0 else line for at, line in enumerate(foot(chosen))]
    speed, memory = st.columns(2, gap="large")
    with speed:
        if view == "time":
            st.markdown("**Time per call**")
            chart(time_figure(shown), key=f"chart.time{suffix}", alt=time_alt(shown), note=note, foot=lines)
        else:
            st.markdown("**Speed-up over dense**")
            chart(speedup_figure(shown), key=f"chart.speed{suffix}", alt=speedup_alt(shown), note=note, foot=lines)
    with memory:
        st.markdown("**Peak memory**")
        if any(row.peak_bytes is not None for row in shown):
            chart(memory_figure(shown), key=f"chart.memory{suffix}", alt=memory_alt(shown), note=note, foot=lines[:1])
        else:
            st.caption("Memory is measured in a pass of its own, after the timing.")
    return str(chosen)
