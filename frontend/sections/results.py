"""A finished run: what it says, how sure it is, its charts, its table and its files."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal

import pandas as pd
import streamlit as st

from frontend.client import ApiClient
from frontend.logic import words
from frontend.logic.noise import disturbances, quiet_warnings
from frontend.logic.rows import Row, rows_of
from frontend.logic.run_table import FORMATS, table_records
from frontend.logic.run_words import chart_note, environment_line, pass_words, sampling_line
from frontend.schemas import RunRecord, RunResult
from frontend.sections.backend import show_warnings
from frontend.sections.candidates_view import show_candidates
from frontend.sections.details_view import show_details
from frontend.sections.stored_view import again_button, show_stored
from frontend.sections.verdict_view import show_verdict

__all__ = ["show_result"]

FILES: dict[Literal["csv", "json", "parquet"], str] = {
    "csv": "text/csv",
    "json": "application/json",
    "parquet": "application/vnd.apache.parquet",
}


def show_result(api: ApiClient, record: RunRecord, result: RunResult) -> None:
    """Draw a finished run."""
    show_stored(api, record)
    show_verdict(api, record["id"])
    st.markdown(f"### {result.get('reading') or 'No reading was made for this run.'}")
    show_disturbance(result)
    show_warnings(quiet_warnings([*(record.get("warnings") or []), *(result.get("warnings") or [])]))
    _show_sampling(result)
    line = environment_line(result["environment"])
    note = f"Measured on {line} · {words.moment(result['created_at'])} · took {words.duration(result['duration_s'])}"
    foot = [chart_note(record["spec"], result["environment"])]
    chosen = show_candidates(
        record["spec"],
        result["candidates"],
        note=note,
        foot=lambda name: [*foot, *(f"! {said}" for said in disturbances(result, name))],
    )
    show_details(result, chosen, note=note, foot=[*foot, *(f"! {said}" for said in disturbances(result, chosen))])
    st.markdown("### Every candidate")
    _table(rows_of(result["candidates"]))
    with st.container(horizontal=True):
        for form, mime in FILES.items():
            st.download_button(
                f"Download {form.upper() if form != 'parquet' else 'Parquet'}",
                data=_export(api, record["id"], form),
                file_name=f"dyad-{record['id'][:8]}.{form}",
                mime=mime,
                icon=":material/download:",
                on_click="ignore",
                key=f"lab.download.{form}",
            )
        again_button(api, record, key="lab.again")


def show_disturbance(result: RunResult) -> None:
    """Say at the top that a run was not alone on its machine."""
    said = disturbances(result)
    if said:
        listed = f" {said[0]}." if len(said) == 1 else "\n\n" + "\n".join(f"- {each}." for each in said)
        st.warning(f"**This run was not alone on its machine.**{listed}", icon=":material/groups:")


def _show_sampling(result: RunResult) -> None:
    """One line per pass: how narrow the intervals are, after how many rounds, and why it stopped."""
    lines = [f"**{pass_words(each['pass'])}**: {sampling_line(each)}." for each in result.get("sampling") or []]
    if lines:
        method = (result.get("sampling") or [])[0].get("method") or ""
        st.markdown("  \n".join(lines), help=method or None)


def _export(api: ApiClient, run_id: str, form: Literal["csv", "json", "parquet"]) -> Callable[[], bytes]:
    return lambda: api.export(run_id, form)


def _table(rows: Sequence[Row]) -> None:
    frame = pd.DataFrame(table_records(rows))
    columns: dict[str, Any] = {name: st.column_config.NumberColumn(name, format=form) for name, form in FORMATS.items()}
    columns["candidate"] = st.column_config.TextColumn("candidate", pinned=True)
    columns["parameters"] = st.column_config.NumberColumn("parameters", format="localized")
    st.dataframe(frame, hide_index=True, column_config=columns, alt="All candidates of the run with their figures")
