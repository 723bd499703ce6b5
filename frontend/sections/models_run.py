"""One measurement of a whole model: its bar while it runs, then measured against predicted, pass by pass."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Literal

import pandas as pd
import streamlit as st

from frontend.client import ApiClient
from frontend.figures.model_speed import whole_alt, whole_figure
from frontend.logic import words
from frontend.logic.listing import origin_words
from frontend.logic.models_measured import ModelRow, measured_records, model_rows, passes_measured
from frontend.logic.models_words import as_run, job_line, measured_note, reading_lines
from frontend.logic.noise import disturbances, quiet_warnings
from frontend.logic.run_words import environment_line, pass_words, sampling_line
from frontend.schemas_models import ModelCandidateJson, ModelRecord, ModelResult
from frontend.sections.backend import show_warnings
from frontend.sections.chart import chart
from frontend.sections.job_log import show_log
from frontend.sections.job_state import show_ending, show_progress, times
from frontend.sections.models_passes import show_pass
from frontend.sections.polling import polling_panel

__all__ = ["run_view"]

# Drawing takes the machine that measures processor time: the bar moves every second, figures every ten.
FIGURES_SECONDS = 10.0

STAGES = {
    "starting": "Starting the measuring process",
    "building": "Building the models",
    "checking": "Checking every candidate against the oracle",
    "warming_up": "Warming up until times are stable",
    "timing": "Timing in interleaved rounds",
    "parts": "Timing the layers of one block",
    "memory": "Measuring memory",
    "finished": "Finishing",
}


def run_view(api: ApiClient, record: ModelRecord) -> None:
    """Draw the measurement and, until it is over, draw it anew every second."""
    polling_panel(record, partial(api.model_run, record["id"]), partial(_show, api), key="model-run")


def _show(api: ApiClient, record: ModelRecord) -> None:
    st.header("Measured", anchor=False, divider="gray")
    elsewhere = origin_words(as_run(record))
    origin = f" · {elsewhere}" if elsewhere else ""
    st.caption(f"{job_line(record['spec'])} · {words.moment(record['created_at'])}{origin} · job {record['id']}")
    result = record.get("result")
    if record["status"] in ("queued", "running"):
        _show_progress(api, record)
    elif result is not None:
        _show_result(api, record, result)
    else:
        _show_ending(record)
    show_log(api, record, key="models.log")


def _show_progress(api: ApiClient, record: ModelRecord) -> None:
    progress = record.get("progress") or {}
    stage = STAGES.get(progress.get("stage", ""), (progress.get("stage") or "starting").replace("_", " ").capitalize())
    message = f": {progress['message']}" if progress.get("message") else ""
    show_progress(
        record,
        " · ".join([f"**{stage}**{message}", *times(progress)]),
        partial(api.cancel_model, record["id"]),
        key="models.cancel",
        waiting="One measurement runs at a time, so that they do not disturb each other.",
    )
    show_warnings(record.get("warnings") or [])
    _whole(_settled(record["id"], progress.get("candidates") or []), note="preliminary, from the rounds so far")


def _settled(job_id: str, candidates: list[ModelCandidateJson]) -> list[ModelRow]:
    """The figures to show now: those shown before, until they are ten seconds old or know fewer rows."""
    kept_id, shown_at, kept = st.session_state.get("models.figures", ("", 0.0, []))
    now = time.monotonic()
    if kept_id == job_id and len(kept) >= len(candidates) and now - shown_at < FIGURES_SECONDS:
        return model_rows(kept)
    st.session_state["models.figures"] = (job_id, now, candidates)
    return model_rows(candidates)


def _whole(rows: Sequence[ModelRow], *, note: str, foot: Sequence[str] = (), live: bool = True) -> None:
    if not any(not row.is_dense for row in rows):
        return
    st.markdown("**Speed-up of the whole model over dense**")
    chart(
        whole_figure(rows),
        key=f"models.whole{'.live' if live else ''}",
        alt=whole_alt(rows),
        note=note,
        rows=None if live else lambda: measured_records(rows),
        foot=foot,
        wide=True,
    )


def _show_result(api: ApiClient, record: ModelRecord, result: ModelResult) -> None:
    st.markdown(reading_lines(result.get("reading") or "No reading was made for this measurement."))
    said = disturbances(result)
    if said:
        st.warning(
            "**This measurement was not alone on its machine.**\n\n" + "\n".join(f"- {each}." for each in said),
            icon=":material/groups:",
        )
    warnings = quiet_warnings([*(record.get("warnings") or []), *(result.get("warnings") or [])])
    show_warnings(words.as_it_is(warning) for warning in warnings)
    _sampling(result)
    note = (
        f"Measured on {environment_line(result['environment'])} · {words.moment(result['created_at'])} · "
        f"took {words.duration(result['duration_s'])}"
    )
    conditions = measured_note(record["spec"], result["environment"])
    rows = model_rows(result["candidates"])
    disturbed = [pass_words(name) for name in passes_measured(rows) if disturbances(result, name)]
    alone = [f"! disturbed while it was timed: {', '.join(disturbed)}"] if disturbed else []
    _whole(rows, note=note, foot=[f"{result['name']} · {conditions}", *alone], live=False)
    show_pass(result, rows, note=note, conditions=conditions)
    _table(rows)
    with st.container(horizontal=True):
        for form, mime in (("csv", "text/csv"), ("json", "application/json")):
            st.download_button(
                f"Download {form.upper()}",
                data=_export(api, record["id"], "csv" if form == "csv" else "json"),
                file_name=f"dyad-model-{record['id'][:8]}.{form}",
                mime=mime,
                icon=":material/download:",
                on_click="ignore",
                key=f"models.download.{form}",
            )


def _sampling(result: ModelResult) -> None:
    """One line per pass: how narrow the intervals are, after how many rounds, and why it stopped."""
    known = result.get("sampling") or []
    lines = [f"**{pass_words(each['pass'])}**: {sampling_line(each)}." for each in known]
    if lines:
        st.markdown("  \n".join(lines), help=known[0].get("method") or None)


def _export(api: ApiClient, job_id: str, form: Literal["csv", "json"]) -> Callable[[], bytes]:
    return lambda: api.export_model(job_id, form)


def _table(rows: Sequence[ModelRow]) -> None:
    st.markdown("### Every measured candidate")
    frame = pd.DataFrame(measured_records(rows))
    formats = {"(x)": "%.2f", "(ms)": "%.4g", "(%)": "%+.1f", "per s": "%.4g", "(MiB)": "%.0f", "error": "%.1e"}
    columns = {
        name: st.column_config.NumberColumn(name, format=form)
        for name in frame.columns
        for ending, form in formats.items()
        if ending in name
    }
    st.dataframe(
        frame,
        hide_index=True,
        column_config={
            "model": st.column_config.TextColumn("model", pinned=True),
            "parameters": st.column_config.NumberColumn("parameters", format="localized"),
            "detail": st.column_config.TextColumn("detail", width="large"),
            **columns,
        },
        alt=whole_alt(rows),
    )


def _show_ending(record: ModelRecord) -> None:
    show_ending(record, "measurement", did="was measuring")
    rows = model_rows((record.get("progress") or {}).get("candidates") or [])
    if any(row.speedup is not None for row in rows):
        st.markdown("What was measured until then, **not a result**:")
        _whole(rows, note="measured before it ended")
