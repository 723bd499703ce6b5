"""One pass of a measured model: its time beside the prediction, the parts it is made of, and its memory."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from frontend.figures.memory import memory_alt, memory_figure
from frontend.figures.model_parts import parts_alt, parts_figure
from frontend.figures.model_times import step_alt, step_figure
from frontend.logic.models_measured import (
    ModelRow,
    measured_records,
    memory_rows,
    part_records,
    part_stacks,
    passes_measured,
)
from frontend.logic.noise import disturbances
from frontend.logic.run_words import pass_words
from frontend.schemas_models import ModelResult
from frontend.sections.chart import chart

__all__ = ["show_pass"]


def show_pass(result: ModelResult, rows: Sequence[ModelRow], *, note: str, conditions: str) -> None:
    """Draw the pictures of one pass; with several passes, a choice above them. ``conditions`` stands in each picture."""
    passes = passes_measured(rows)
    if not passes:
        return
    chosen = passes[0]
    if len(passes) > 1:
        chosen = st.radio(
            "pass",
            passes,
            horizontal=True,
            format_func=pass_words,
            label_visibility="collapsed",
            key="models.view.pass",
            help="Which pass the three pictures below show; the table has all.",
        )
    shown = [row for row in rows if row.pass_name == chosen]
    lines = [f"{pass_words(chosen)} · {conditions}", *(f"! {said}" for said in disturbances(result, chosen))]
    left, right = st.columns(2, gap="large")
    with left:
        st.markdown(f"**Time of the {pass_words(chosen)}, measured and predicted**")
        chart(
            step_figure(shown),
            key="models.step",
            alt=step_alt(shown),
            note=note,
            rows=lambda: measured_records(shown),
            foot=lines,
        )
    with right:
        _memory(shown, chosen, lines[:1])
    _parts(result, shown, chosen, lines)


def _memory(shown: Sequence[ModelRow], chosen: str, foot: Sequence[str]) -> None:
    st.markdown("**Peak memory**")
    uses = memory_rows(shown, chosen)
    if any(row.memory is not None for row in uses):
        chart(memory_figure(uses), key="models.peak", alt=memory_alt(uses), foot=foot)
    else:
        st.caption("Memory was not measured in this pass.")


def _parts(result: ModelResult, shown: Sequence[ModelRow], chosen: str, foot: Sequence[str]) -> None:
    parts = result.get("parts") or []
    stacks = part_stacks(parts, shown, chosen)
    if not stacks:
        return
    st.markdown("**Where the time goes: its parts, each measured by itself**")
    chart(
        parts_figure(stacks),
        key="models.parts_chart",
        alt=parts_alt(stacks, chosen),
        rows=lambda: part_records(parts),
        foot=foot,
        wide=True,
    )
    with st.expander("Every part with its quartiles"):
        st.dataframe(
            pd.DataFrame(part_records(parts)),
            hide_index=True,
            alt=parts_alt(stacks, chosen),
        )
