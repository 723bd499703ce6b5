"""The advisor: every legal n for two sizes, one of them recommended, and padded sizes where none fits well."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

from frontend.figures.advice import advice_alt, advice_figure
from frontend.logic.advice import choice_records, padding_records
from frontend.logic.chain import Chain, write_chain
from frontend.logic.geometry import Layer
from frontend.sections import state, structure_data
from frontend.sections.access import access
from frontend.sections.backend import client
from frontend.sections.chart import chart
from frontend.sections.verdict_view import show_layer_verdict

__all__ = ["show_advice"]

PAGE = "reach"
KEEP: dict[str, Any] = {"persist_state": "session"}


def show_advice() -> None:
    """Draw the two sizes, the recommendation, all choices and padded sizes."""
    with st.container(horizontal=True):
        for name, label in (("advise_in", "in_features"), ("advise_out", "out_features")):
            st.number_input(
                f"{label} to advise on",
                step=1,
                format="%d",
                key=f"reach.{name}",
                width=220,
                help="A size, at most 2^20; it need not be one of the chain.",
                **KEEP,
            )
    sizes = state.value(PAGE, "advise_in"), state.value(PAGE, "advise_out")
    found = structure_data.advice(access(), *sizes)
    reason = found["reason"] + "."
    if found["recommended"] is None:
        st.warning(reason[0].upper() + reason[1:], icon=":material/warning:")
    else:
        layer = Layer.from_json(found["choices"][found["recommended"]])  # type: ignore[arg-type] # has the five fields
        st.success(
            f"**Recommended: {layer.variant.upper()} with n = {layer.n_blocks}:** {reason}", icon=":material/thumb_up:"
        )
        with st.container(horizontal=True):
            st.page_link(
                "views/structure.py",
                label="See its structure",
                icon=":material/grid_on:",
                query_params={name: str(value) for name, value in layer.to_json().items()},
            )
            st.page_link(
                "views/reachability.py",
                label="Stack it here",
                icon=":material/hub:",
                query_params={"chain": write_chain(Chain((layer,)).stacked(12)), "view": "advisor"},
            )
        if st.toggle(
            "What was measured of it",
            key="reach.advice_verdict",
            help="The decision that the newest stored run of these sizes supports: the same record as in the Layer lab.",
        ):
            size = {"in_features": layer.in_features, "out_features": layer.out_features}
            show_layer_verdict(client(), size, layer.variant, layer.n_blocks)
    if found["choices"]:
        chart(
            advice_figure(found),
            key="reach.advice",
            alt=advice_alt(found),
            note="Depth is that of an alternating stack of this layer. Choices that never reach everything stand on top.",
            rows=lambda: choice_records(found),
        )
        st.dataframe(
            pd.DataFrame(choice_records(found)),
            hide_index=True,
            column_config={
                "parameters": st.column_config.NumberColumn(format="localized"),
                "of dense (%)": st.column_config.NumberColumn(format="%.1f"),
                "saves (%)": st.column_config.NumberColumn(format="%.1f"),
                "limit (x)": st.column_config.NumberColumn(format="%.1f"),
                "density (%)": st.column_config.NumberColumn(format="%.2f"),
                "reach of two (%)": st.column_config.NumberColumn(format="%.2f"),
            },
            alt=advice_alt(found),
        )
    if found["padding"]:
        st.markdown("**Padded sizes**, where an n does not divide these:")
        st.table(pd.DataFrame(padding_records(found)).set_index("n"))
    for note in found["notes"]:
        st.caption(note + ".")
