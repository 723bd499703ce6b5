"""One run: what it does now, and when it is done what came out. Drawn by the polling fragment of the Layer lab."""

from __future__ import annotations

import time
from functools import partial

import streamlit as st

from frontend.client import ApiClient
from frontend.logic import words
from frontend.logic.listing import origin_words
from frontend.logic.run_words import spec_line, speedups
from frontend.schemas import RunRecord
from frontend.schemas_runs import CandidateJson
from frontend.sections.backend import show_warnings
from frontend.sections.candidates_view import show_candidates
from frontend.sections.job_log import show_log
from frontend.sections.job_state import show_ending, show_progress, times
from frontend.sections.polling import polling_panel
from frontend.sections.results import show_result

__all__ = ["run_view"]

# Drawing a chart anew takes a browser about as much processor time as a sample takes: on the machine that measures,
# once a second kept 0.9 of 2 processors busy. The bar moves every second; figures, once there, every ten.
FIGURES_SECONDS = 10.0

STAGES = {
    "starting": "Starting the measuring process",
    "checking": "Checking every candidate against the oracle",
    "warming_up": "Warming up until times are stable",
    "timing": "Timing in interleaved rounds",
    "memory": "Measuring memory",
    "finished": "Finishing",
}


def run_view(api: ApiClient, record: RunRecord) -> None:
    """Draw the run and, until it is finished, draw it anew every second."""
    polling_panel(record, partial(api.run, record["id"]), partial(_show, api), key="run")


def _show(api: ApiClient, record: RunRecord) -> None:
    st.header("Run", anchor=False, divider="gray")
    origin = f" · {said}" if (said := origin_words(record)) else ""
    st.caption(f"{spec_line(record['spec'])} · {words.moment(record['created_at'])}{origin} · run {record['id']}")
    result = record.get("result")
    if record["status"] in ("queued", "running"):
        _show_progress(api, record)
    elif result is not None:
        show_result(api, record, result)
    else:
        _show_ending(record)
    show_log(api, record, key="lab.log")


def _show_progress(api: ApiClient, record: RunRecord) -> None:
    progress = record.get("progress") or {}
    show_progress(
        record,
        _progress_words(record),
        partial(api.cancel, record["id"]),
        key="lab.cancel",
        waiting="One measurement runs at a time, so that runs do not disturb each other.",
    )
    show_warnings(record.get("warnings") or [])
    candidates = _settled(record["id"], progress.get("candidates") or [])
    if candidates:
        # In words too: these are there at once, while a first chart waits for the browser to load the chart library.
        st.markdown(f"**Preliminary figures**, from the rounds so far: {speedups(candidates)}.")
        show_candidates(record["spec"], candidates, note="preliminary", live=True)


def _settled(run_id: str, candidates: list[CandidateJson]) -> list[CandidateJson]:
    """The figures to show now: those shown before, until they are ten seconds old or know fewer candidates."""
    kept_id, shown_at, kept = st.session_state.get("run.figures", ("", 0.0, []))
    now = time.monotonic()
    if kept_id == run_id and len(kept) >= len(candidates) and now - shown_at < FIGURES_SECONDS:
        return list(kept)
    st.session_state["run.figures"] = (run_id, now, candidates)
    return candidates


def _progress_words(record: RunRecord) -> str:
    progress = record.get("progress") or {}
    stage = STAGES.get(progress.get("stage", ""), "Starting")
    message = progress.get("message") or ""
    parts = [f"**{stage}**" + (f": {message}" if message else "")]
    return " · ".join([*parts, *times(progress)])


def _show_ending(record: RunRecord) -> None:
    show_ending(record, "run", did="was measuring")
    candidates = (record.get("progress") or {}).get("candidates") or []
    if candidates:
        st.markdown("What was measured until then, **not a result**:")
        show_candidates(record["spec"], candidates, note="measured before the run ended")
