"""The figures of a run: reading, charts, table, files."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import pandas as pd
import streamlit as st

from frontend.client import ApiClient
from frontend.figures.memory import memory_alt, memory_figure
from frontend.figures.speed import speedup_alt, speedup_figure, time_alt, time_figure
from frontend.logic import rows as run_rows
from frontend.logic import words
from frontend.logic.rows import Row
from frontend.schemas import CandidateJson, RunRecord, RunResult
from frontend.sections.backend import show_warnings
from frontend.sections.chart import chart

__all__ = ["show_candidates", "show_result"]

PASS_WORDS = {"forward": "forward", "train_step": "training step"}
SPEED_VIEWS = {"speedup": "speed-up", "time": "time per call"}


def show_result(api: ApiClient, record: RunRecord, result: RunResult) -> None:
    """Draw a finished run."""
    st.markdown(f"### {result.get('reading') or 'No reading was made for this run.'}")
    show_warnings([*(record.get("warnings") or []), *(result.get("warnings") or [])])
    line = run_rows.environment_line(result["environment"])
    note = f"Measured on {line} · {words.moment(result['created_at'])} · took {words.duration(result['duration_s'])}"
    show_candidates(record["spec"], result["candidates"], note=note)
    st.markdown("### Every candidate")
    _table(run_rows.rows_of(result["candidates"]))
    with st.container(horizontal=True):
        for form, label in (("csv", "CSV"), ("json", "JSON")):
            st.download_button(
                f"Download {label}",
                data=_export(api, record["id"], "csv" if form == "csv" else "json"),
                file_name=f"dyad-{record['id'][:8]}.{form}",
                mime="text/csv" if form == "csv" else "application/json",
                icon=":material/download:",
                on_click="ignore",
                key=f"lab.download.{form}",
            )


def _export(api: ApiClient, run_id: str, form: Literal["json", "csv"]) -> Callable[[], bytes]:
    return lambda: api.export(run_id, form)


def show_candidates(
    spec: Mapping[str, Any], candidates: Sequence[CandidateJson], *, note: str, live: bool = False
) -> None:
    """Draw the two charts of one pass side by side; with several passes, a choice above them.

    Charts of a live run have a key of their own, so that the finished ones start afresh.
    """
    passes = run_rows.passes_of(spec)
    every = run_rows.rows_of(candidates)
    suffix = ".live" if live else ""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        chosen = passes[0]
        if len(passes) > 1:
            chosen = st.radio(
                "pass",
                passes,
                horizontal=True,
                format_func=lambda name: PASS_WORDS.get(name, name),
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
    shown = run_rows.expected_rows(spec, every, chosen)
    speed, memory = st.columns(2, gap="large")
    with speed:
        if view == "time":
            st.markdown("**Time per call**")
            chart(time_figure(shown), key=f"chart.time{suffix}", alt=time_alt(shown), note=note)
        else:
            st.markdown("**Speed-up over dense**")
            chart(speedup_figure(shown), key=f"chart.speed{suffix}", alt=speedup_alt(shown), note=note)
    with memory:
        st.markdown("**Peak memory**")
        if any(row.peak_bytes is not None for row in shown):
            chart(memory_figure(shown), key=f"chart.memory{suffix}", alt=memory_alt(shown), note=note)
        else:
            st.caption("Memory is measured in a pass of its own, after the timing.")


def _table(rows: Sequence[Row]) -> None:
    frame = pd.DataFrame(run_rows.table_records(rows))
    formats = {
        "speed-up (x)": "%.2f",
        "95 % low (x)": "%.2f",
        "95 % high (x)": "%.2f",
        "limit (x)": "%.1f",
        "of limit (%)": "%.0f",
        "median (ms)": "%.3g",
        "lower quartile (ms)": "%.3g",
        "upper quartile (ms)": "%.3g",
        "GFLOP per call": "%.3g",
        "peak memory (MiB)": "%.1f",
        "peak of dense (%)": "%.0f",
        "relative error": "%.1e",
    }
    columns: dict[str, Any] = {name: st.column_config.NumberColumn(name, format=form) for name, form in formats.items()}
    columns["candidate"] = st.column_config.TextColumn("candidate", pinned=True)
    columns["parameters"] = st.column_config.NumberColumn("parameters", format="localized")
    st.dataframe(frame, hide_index=True, column_config=columns, alt="All candidates of the run with their figures")
