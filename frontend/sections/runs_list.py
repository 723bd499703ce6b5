"""The list of runs: filters, pages, and what can be done with each run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import streamlit as st

from frontend.client import ApiClient, ApiProblemError, BackendUnreachableError
from frontend.logic import words
from frontend.logic.listing import ORIGINS, STATUSES, Entry, entry, page_count
from frontend.schemas import RunRecord, SystemJson
from frontend.sections.backend import show_problem, show_unreachable
from frontend.sections.compare_view import CHOSEN

__all__ = ["import_box", "runs_list"]

PAGE_SIZE = 20
FORMS: tuple[Literal["json", "csv", "parquet"], ...] = ("json", "csv", "parquet")
VARIANTS = ["it", "ot", "dt", "bd"]
KEEP: dict[str, Any] = {"persist_state": "session"}


def import_box(api: ApiClient) -> None:
    """Take a result file that was measured elsewhere."""
    with st.expander("Import a result file from another machine", icon=":material/upload_file:"):
        st.caption("The JSON that Export writes, dyad bench --json prints and python -m dyad_core.bench makes.")
        # A new key after each import, so that the same file is not taken twice.
        turn = st.session_state.setdefault("runs.imports", 0)
        upload = st.file_uploader("Result file (JSON)", type=["json"], key=f"runs.upload.{turn}")
        if upload is None:
            return
        try:
            record = api.import_run(upload.getvalue())
        except ApiProblemError as error:
            show_problem(error, heading=f"**{upload.name} was not imported:**")
        except BackendUnreachableError as error:
            show_unreachable(error)
        else:
            st.session_state["runs.imports"] = turn + 1
            st.toast(_imported_words(upload.name, record), icon=":material/check:")
            st.rerun()


def _imported_words(name: str, record: RunRecord) -> str:
    """Say how many runs came in, and which of them were here before."""
    every = record.get("imported") or [record["id"]]
    known = record.get("existing") or []
    fresh = len(every) - len(known)
    if not fresh:
        return f"Everything in {name} was here already, as run {every[0][:8]}."
    text = f"Imported {words.plural(fresh, 'run')} from {name}, the first as {record['id'][:8]}."
    return (
        f"{text} {words.plural(len(known), 'run')} of it {'was' if len(known) == 1 else 'were'} here already."
        if known
        else text
    )


def runs_list(api: ApiClient, machine: SystemJson) -> None:
    """Draw filters and one page of runs; paging and filtering happen on the server."""
    filters = _filters([device["name"] for device in machine["devices"]])
    page = st.session_state.get("runs.page", 1)
    found = api.runs(filters, limit=PAGE_SIZE, offset=(page - 1) * PAGE_SIZE)
    if not found["items"] and page > 1:
        st.session_state["runs.page"] = 1
        st.rerun()
    if not found["total"]:
        _empty(any(filters.values()))
        return
    st.caption(f"{words.plural(found['total'], 'run')}, newest first.")
    for record in found["items"]:
        _entry(api, entry(record))
    pages = page_count(found["total"], PAGE_SIZE)
    if pages > 1:
        st.pagination(pages, key="runs.page")


def _filters(devices: list[str]) -> dict[str, str | None]:
    status, variant, device, origin = st.columns(4)
    options: dict[str, Any] = {"placeholder": "any", "on_change": _first_page, **KEEP}
    return {
        "status": status.selectbox(
            "status", list(STATUSES), index=None, key="runs.status", help="Show only runs in this state.", **options
        ),
        "variant": variant.selectbox(
            "variant",
            VARIANTS,
            index=None,
            format_func=str.upper,
            key="runs.variant",
            help="Show only runs that measured this variant.",
            **options,
        ),
        "device": device.selectbox(
            "device", devices, index=None, key="runs.device", help="Show only runs on this device.", **options
        ),
        "origin": origin.selectbox(
            "origin",
            ["local", "imported", "reference"],
            index=None,
            key="runs.origin",
            help="local: measured by this service. imported: from a file. reference: bundled, measured on named machines.",
            **options,
        ),
    }


def _first_page() -> None:
    st.session_state["runs.page"] = 1


def _empty(filtered: bool) -> None:
    if filtered:
        st.info("No run matches these filters.", icon=":material/filter_alt_off:")
        return
    st.info("No run yet. The Layer lab makes the first one in about a minute.", icon=":material/lightbulb:")
    st.page_link("views/layer_lab.py", label="Open the Layer lab", icon=":material/speed:")


def _entry(api: ApiClient, item: Entry) -> None:
    word, color, icon = STATUSES[item.status]
    with st.container(border=True, key=f"run-{item.run_id}"):
        text, actions = st.columns([4, 1.3], vertical_alignment="center")
        with text:
            with st.container(horizontal=True, vertical_alignment="center"):
                st.markdown(f"**{item.title}**", width="content")
                st.badge(word, color=color, icon=icon)  # type: ignore[arg-type] # one of the colours of STATUSES
                if item.origin in ORIGINS:
                    said, hue, sign = ORIGINS[item.origin]
                    st.badge(said, color=hue, icon=sign)  # type: ignore[arg-type] # one of the colours of ORIGINS
            if item.headline:
                st.markdown(item.headline)
            machine = "" if item.origin == "local" or not item.machine else f" · measured on {item.machine}"
            st.caption(f"{item.details}  \n{item.when}{machine} · run {item.run_id[:8]}")
        with actions, st.container(horizontal=True, horizontal_alignment="right"):
            _actions(api, item)


def _pick(run_id: str) -> None:
    """Keep the runs that are chosen in the order they were chosen."""
    chosen: list[str] = [other for other in st.session_state.get(CHOSEN, []) if other != run_id]
    st.session_state[CHOSEN] = [*chosen, run_id] if st.session_state[f"runs.pick.{run_id}"] else chosen


def _actions(api: ApiClient, item: Entry) -> None:
    if item.can_export:
        chosen: list[str] = st.session_state.setdefault(CHOSEN, [])
        st.session_state.setdefault(f"runs.pick.{item.run_id}", item.run_id in chosen)
        st.checkbox(
            "compare",
            key=f"runs.pick.{item.run_id}",
            on_change=_pick,
            args=(item.run_id,),
            help="Choose two or more finished runs and compare them.",
        )
    st.page_link("views/layer_lab.py", label="Open", icon=":material/open_in_new:", query_params={"run": item.run_id})
    if item.can_cancel and st.button("Cancel", key=f"runs.cancel.{item.run_id}", icon=":material/stop:"):
        _try(lambda: api.cancel(item.run_id))
    with st.popover("More", key=f"runs.more.{item.run_id}"):
        if item.can_export:
            for form in FORMS:
                st.download_button(
                    f"Export {form.upper()}",
                    data=_export(api, item.run_id, form),
                    file_name=f"dyad-{item.run_id[:8]}.{form}",
                    on_click="ignore",
                    key=f"runs.export.{form}.{item.run_id}",
                    width="stretch",
                )
        if item.can_delete and st.button(
            "Delete …", key=f"runs.delete.{item.run_id}", icon=":material/delete:", width="stretch"
        ):
            _confirm(api, item)
        elif not item.can_delete:
            st.caption("A running measurement can be deleted once it is cancelled.")


def _export(api: ApiClient, run_id: str, form: Literal["json", "csv", "parquet"]) -> Callable[[], bytes]:
    return lambda: api.export(run_id, form)


@st.dialog("Delete this run?")
def _confirm(api: ApiClient, item: Entry) -> None:
    st.markdown(f"**{item.title}**, {item.when}. Its samples and figures go with it; export them first if they matter.")
    with st.container(horizontal=True):
        if st.button("Delete", type="primary", key="runs.confirm"):
            _try(lambda: api.delete(item.run_id))
        if st.button("Keep", key="runs.keep"):
            st.rerun()


def _try(action: Callable[[], object]) -> None:
    try:
        action()
    except ApiProblemError as error:
        show_problem(error)
    except BackendUnreachableError as error:
        show_unreachable(error)
    else:
        st.rerun()
