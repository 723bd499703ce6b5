"""Two or more runs side by side: what differs first, then what can be compared, then the ratios."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from frontend.client import ApiClient, ApiProblemError
from frontend.figures.comparison import comparison_alt, comparison_figure
from frontend.logic.comparison import (
    QUANTITIES,
    difference_records,
    pair_sentences,
    passes_in,
    ratio_records,
    ratios_of,
    run_line,
)
from frontend.schemas_verdict import ComparedJson, ComparisonJson
from frontend.sections.backend import show_problem
from frontend.sections.chart import chart

__all__ = ["CHOSEN", "MOST", "compare_bar", "compare_view"]

CHOSEN = "runs.chosen"
"""Ids of the runs that are chosen for comparison, in the order they were chosen."""

MOST = 8


def compare_bar() -> None:
    """Say how many runs are chosen, with the way to compare them and to choose anew."""
    chosen: list[str] = st.session_state.setdefault(CHOSEN, [])
    if not chosen:
        return
    with st.container(horizontal=True, vertical_alignment="center", border=True):
        names = ", ".join(run_id[:8] for run_id in chosen)
        st.markdown(f"**{len(chosen)} chosen to compare**: {names}. The first is what the others are held against.")
        if st.button(
            "Compare",
            key="runs.compare",
            type="primary",
            icon=":material/compare_arrows:",
            disabled=not 2 <= len(chosen) <= MOST,
            help=f"Needs 2 to {MOST} finished runs.",
        ):
            st.query_params["compare"] = ",".join(chosen)
            st.rerun()
        st.button("Choose none", key="runs.choose_none", on_click=_choose_none)


def _choose_none() -> None:
    for run_id in st.session_state.pop(CHOSEN, []):
        st.session_state[f"runs.pick.{run_id}"] = False
    st.query_params.pop("compare", None)


def compare_view(api: ApiClient) -> None:
    """Draw the comparison that the address asks for; nothing when it asks for none."""
    asked = [part for part in st.query_params.get("compare", "").split(",") if part]
    if not asked:
        return
    st.header("Side by side", anchor=False, divider="gray")
    try:
        compared = api.compare(asked)
    except ApiProblemError as error:
        show_problem(error, heading="**These runs cannot be shown side by side:**")
    else:
        _show(compared)
    if st.button("Close the comparison", key="runs.compare_close", icon=":material/close:"):
        st.query_params.pop("compare", None)
        st.rerun()


def _show(compared: ComparedJson) -> None:
    comparison = compared["comparison"]
    st.markdown("\n".join(f"- {run_line(compared, place)}" for place in range(len(compared["runs"]))))
    _show_differences(comparison)
    st.markdown("**What can be compared**")
    st.markdown("\n".join(f"- {sentence}" for sentence in pair_sentences(comparison)))
    if comparison.get("reading"):
        st.markdown(f"**{comparison['reading']}**")
    _show_ratios(comparison)
    if comparison["candidates"]:
        _table(comparison)
    unmatched = [f"{each['run']}: {', '.join(each['labels'])}" for each in comparison.get("unmatched") or []]
    if unmatched:
        st.caption("Only in one run: " + "; ".join(unmatched) + ".")
    if comparison.get("method"):
        st.caption(comparison["method"])


def _show_differences(comparison: ComparisonJson) -> None:
    st.markdown("**What differs**")
    lasting, momentary = difference_records(comparison), difference_records(comparison, momentary=True)
    if lasting:
        st.dataframe(
            pd.DataFrame(lasting), hide_index=True, alt="Fields that differ between the runs, with both values"
        )
    else:
        st.caption("Nothing: the requests and the machines are the same.")
    if momentary:
        with st.expander("What differs always: load and free memory"):
            st.dataframe(pd.DataFrame(momentary), hide_index=True, alt="Fields that differ at every moment")


def _show_ratios(comparison: ComparisonJson) -> None:
    known = {name: ratios_of(comparison, name) for name in QUANTITIES}
    useful = [name for name, ratios in known.items() if any(ratio.value is not None for ratio in ratios)]
    if not useful:
        return
    passes = passes_in(known[useful[0]])
    with st.container(horizontal=True):
        quantity = useful[0]
        if len(useful) > 1:
            quantity = st.radio(
                "ratio of",
                useful,
                horizontal=True,
                format_func=QUANTITIES.__getitem__,
                label_visibility="collapsed",
                key="runs.compare.quantity",
                help="Times need equal sizes; speed-ups over the dense twin of the same run do not.",
            )
        chosen = next(iter(passes))
        if len(passes) > 1:
            chosen = st.radio(
                "pass",
                list(passes),
                horizontal=True,
                format_func=passes.__getitem__,
                label_visibility="collapsed",
                key="runs.compare.pass",
                help="Which pass the chart shows; the table has all.",
            )
    shown = [ratio for ratio in known[quantity] if ratio.pass_name == chosen]
    chart(
        comparison_figure(shown, quantity),
        key="chart.compare",
        alt=comparison_alt(shown, quantity),
        rows=lambda: ratio_records(comparison),
        foot=[f"{passes[chosen]} · bars are 95 % intervals, open marks are not distinguishable from 1.0x"],
        wide=True,
    )


def _table(comparison: ComparisonJson) -> None:
    frame = pd.DataFrame(ratio_records(comparison))
    columns = {
        name: st.column_config.NumberColumn(format="%.3g" if name.endswith("(ms)") else "%.3f")
        for name in frame.columns
        if name.endswith(("(ms)", "(x)", "low", "high"))
    }
    st.dataframe(
        frame,
        hide_index=True,
        column_config={**columns, "candidate": st.column_config.TextColumn(pinned=True)},
        alt="Every candidate with its figures in every run and the ratios",
    )
