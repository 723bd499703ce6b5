"""Original conditions: the published headline and what it is made of, labelled as not like for like."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from frontend.client import ApiClient, ApiProblemError
from frontend.figures.original import original_alt, original_figure
from frontend.logic.original import passes_of, split_records, splits_of
from frontend.logic.run_words import PASS_WORDS
from frontend.schemas_verdict import OriginalConditionsJson
from frontend.sections.backend import show_problem
from frontend.sections.chart import chart

__all__ = ["original_conditions", "show_original"]


def original_conditions(api: ApiClient) -> None:
    """Draw the expander; nothing is asked for before it is switched on."""
    with st.expander("Original conditions: where the published 3.2x comes from", icon=":material/history_edu:"):
        if not st.toggle(
            "Show the published timing",
            key="lab.original",
            help="Takes the published rows of the authors apart: float16 DYAD was held against float32 dense.",
        ):
            st.caption("**Not like for like**: the published timing holds float16 DYAD against float32 dense.")
            return
        try:
            published = api.published_timing()
        except ApiProblemError as error:
            show_problem(error, heading="**The published timing cannot be shown:**")
            return
        show_original(published["original_conditions"])


def show_original(conditions: OriginalConditionsJson) -> None:
    """Draw one decomposition record, replayed or measured."""
    st.badge(conditions["label"], color="orange", icon=":material/warning:")
    st.markdown(conditions["reading"])
    passes = passes_of(conditions)
    if not passes:
        return
    chosen = passes[0]
    if len(passes) > 1:
        chosen = st.radio(
            "pass",
            passes,
            horizontal=True,
            format_func=lambda name: PASS_WORDS.get(name, name),
            label_visibility="collapsed",
            key="lab.original.pass",
            help="total is forward and backward together.",
        )
    splits = splits_of(conditions, chosen)
    kind = "Replay of published figures" if conditions.get("kind") == "replay" else "Measured"
    chart(
        original_figure(splits),
        key="chart.original",
        alt=original_alt(splits),
        note=f"{kind}: {conditions['source']}. Device: {conditions.get('device_name') or 'not stated'}.",
        rows=lambda: split_records(splits),
        foot=[f"! {conditions['label']}: DYAD in float16, dense in float32", str(conditions.get("conditions") or "")],
        wide=True,
    )
    st.dataframe(
        pd.DataFrame(split_records(splits)),
        hide_index=True,
        column_config={"how": st.column_config.TextColumn(width="large")},
        alt=original_alt(splits),
    )
    missing = [each["missing"] for each in conditions.get("decompositions") or [] if each.get("missing")]
    for said in dict.fromkeys([*(conditions.get("caveats") or []), *missing]):
        st.caption(f"{said[:1].upper()}{said[1:].rstrip('.')}.")
