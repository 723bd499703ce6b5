"""One projection: how far it is, and when it is done what the patterns keep. Drawn by the polling fragment of the page."""

from __future__ import annotations

from functools import partial

import pandas as pd
import streamlit as st

from frontend.client import ApiClient
from frontend.figures.energies import energies_alt, energies_figure
from frontend.figures.spectrum import spectrum_alt, spectrum_figure
from frontend.figures.weights import PARTS, weights_alt, weights_figure
from frontend.logic import words
from frontend.logic.geometry import Layer
from frontend.logic.picture import decode_picture, weight_records
from frontend.logic.projection import candidate_label, candidate_records, sentences, source_line, spectrum_records
from frontend.schemas_weights import ExaminationJson, JobRecord, ProjectionResult, ReorderingJson
from frontend.sections import structure_data
from frontend.sections.access import access
from frontend.sections.backend import show_warnings
from frontend.sections.chart import chart
from frontend.sections.job_log import show_log
from frontend.sections.job_state import show_ending, show_progress, times
from frontend.sections.polling import polling_panel

__all__ = ["projection_view"]


def projection_view(api: ApiClient, record: JobRecord) -> None:
    """Draw the job and, until it is over, draw it anew every second."""
    polling_panel(record, partial(api.job, record["id"]), partial(_show, api), key="projection")


def _show(api: ApiClient, record: JobRecord) -> None:
    st.header("What the patterns keep", anchor=False, divider="gray")
    result = record.get("result")
    if record["status"] in ("queued", "running"):
        _show_progress(api, record)
    elif result is not None:
        show_warnings(record.get("warnings") or [])
        _show_result(result)
    else:
        show_ending(record, "projection", did="ran")
    show_log(api, record, key="weights.log")


def _show_progress(api: ApiClient, record: JobRecord) -> None:
    progress = record.get("progress") or {}
    text = " · ".join([f"**{(progress.get('message') or 'starting').capitalize()}**", *times(progress)])
    show_progress(record, text, partial(api.cancel_job, record["id"]), key="weights.cancel")


def _show_result(result: ProjectionResult) -> None:
    st.caption(source_line(result))
    st.markdown("\n".join(f"- {sentence}" for sentence in sentences(result["reading"])))
    _show_rule(result)
    show_warnings(f"{note}." for note in result.get("notes") or [])
    candidates = result["candidates"]
    chart(
        energies_figure(candidates),
        key="weights.energies",
        alt=energies_alt(candidates),
        note="The marks of one row have at most as many parameters as the DYAD layer of that row. By chance: what the pattern "
        "keeps of a matrix without structure, its share of the positions.",
        rows=partial(candidate_records, candidates),
    )
    _table(result)
    examination = result.get("examination")
    if examination is not None:
        _show_examination(examination)
    elif result.get("spectrum") is not None:
        _show_spectrum({"original": result["spectrum"]})
    reordering = result.get("reordering")
    if reordering is not None:
        _show_reordering(reordering)


def _show_rule(result: ProjectionResult) -> None:
    """Say what is kept, by the formula of one structure with its numbers put in."""
    examination = result.get("examination")
    one = examination["candidate"] if examination is not None else result["candidates"][0]
    sizes = result["source"]["in_features"], result["source"]["out_features"]
    layer = Layer(*sizes, one["n_blocks"], one["variant"], one["grain"])
    rule = words.formula(structure_data.pattern(access(), layer, None, 1)["formula"])
    st.markdown(
        "The nearest weight has the matrix's own value wherever the pattern has a position, and 0 elsewhere; where both "
        "components meet, each holds half. Kept energy is the sum of w² on the pattern over that of the whole matrix, "
        f"1 − (relative error)². **{candidate_label(one)}**: {rule} Here 1 − {one['relative_error']:.4f}² = "
        f"**{words.percent(one['captured_energy'], 1)}**."
    )


def _table(result: ProjectionResult) -> None:
    frame = pd.DataFrame(candidate_records(result["candidates"]))
    shares = [name for name in frame.columns if name.endswith("(%)")]
    st.dataframe(
        frame,
        hide_index=True,
        column_config={
            **{name: st.column_config.NumberColumn(format="%.2f") for name in shares},
            **{
                name: st.column_config.NumberColumn(format="localized")
                for name in frame.columns
                if "parameters" in name
            },
            "relative error": st.column_config.NumberColumn(format="%.4f"),
            "structure": st.column_config.TextColumn(pinned=True),
        },
        alt=energies_alt(result["candidates"]),
    )
    if result.get("skipped"):
        with st.expander(f"{words.plural(len(result['skipped']), 'structure')} skipped, and why"):
            st.dataframe(
                pd.DataFrame(result["skipped"]), hide_index=True, alt="Structures that do not fit, each with the reason"
            )


def _show_spectrum(spectra: dict[str, object]) -> None:
    st.header("Singular values", anchor=False, divider="gray")
    chart(
        spectrum_figure(spectra),  # type: ignore[arg-type] # spectra by name
        key="weights.spectrum",
        alt=spectrum_alt(spectra),  # type: ignore[arg-type] # spectra by name
        note="A dotted line, where there is one, is the size of rounding noise.",
        rows=lambda: spectrum_records(spectra),  # type: ignore[arg-type] # spectra by name
    )


def _show_examination(examination: ExaminationJson) -> None:
    one = examination["candidate"]
    _show_spectrum(dict(examination["spectra"]))
    st.header(f"The matrix and what {candidate_label(one)} drops of it", anchor=False, divider="gray")
    shown = st.radio(
        "pictures show",
        ["magnitude", "sign"],
        horizontal=True,
        key="weights.as",
        help="Mean magnitude or mean sign of the entries of a cell.",
    )
    pictures = {name: decode_picture(picture) for name, picture in examination["pictures"].items()}
    largest = float(pictures["all"].magnitude.max())
    for column, name in zip(st.columns(2, gap="large"), ("all", "dropped"), strict=True):
        grid = pictures[name]
        n = one["n_blocks"]
        blocks = int(grid.row_edges[-1]) // n, int(grid.column_edges[-1]) // n, n
        with column:
            st.markdown(f"**{PARTS[name].capitalize()}**")
            chart(
                weights_figure(grid, shown, blocks=blocks, largest=largest),
                key=f"weights.picture.{name}",
                alt=weights_alt(grid, shown),
                note="Means over each cell, both pictures on one scale.",
                rows=partial(weight_records, grid),
            )


def _show_reordering(reordering: ReorderingJson) -> None:
    st.header("Another order of the hidden units", anchor=False, divider="gray")
    st.markdown(reordering["reading"])
    frame = pd.DataFrame(
        {
            "weight": name,
            "kept in the given order": words.percent(reordering["before"][name], 2),
            "kept in the new order": words.percent(reordering["after"][name], 2),
        }
        for name in ("first", "second", "both")
    )
    st.table(frame.set_index("weight"))
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(
            f"{words.count(reordering['moved'])} of {words.count(len(reordering['permutation']))} hidden units move. "
            "Apply the same order to the rows of the first weight, its bias, and the columns of the second.",
            width="stretch",
        )
        st.download_button(
            "Order as CSV",
            data=lambda: (
                pd.DataFrame({"place": range(len(reordering["permutation"])), "unit": reordering["permutation"]})
                .to_csv(index=False)
                .encode()
            ),
            file_name="dyad-hidden-order.csv",
            mime="text/csv",
            icon=":material/download:",
            on_click="ignore",
            key="weights.order.csv",
        )
