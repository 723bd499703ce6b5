"""What a finished run holds beyond speed and memory: the ladder of implementations, and the roofline, what disturbed."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from frontend.figures.roofline import roofline_alt, roofline_figure
from frontend.figures.speed import speedup_alt, speedup_figure
from frontend.logic.ladder import ladder_rows, ladder_sentence, weights_of
from frontend.logic.noise import noise_records, noise_sentence
from frontend.logic.roofline import ceiling_of, placed_records, placed_rows
from frontend.logic.rows import Row, rows_of
from frontend.logic.run_table import table_records
from frontend.schemas import RunResult
from frontend.sections.chart import chart

__all__ = ["show_details"]


def show_details(result: RunResult, pass_name: str, *, note: str, foot: Sequence[str]) -> None:
    """Draw the ladder where one weight has several implementations, and the roofline where ceilings are known."""
    rows = [row for row in rows_of(result["candidates"]) if row.pass_name == pass_name]
    _show_ladder(rows, note=note, foot=foot)
    _show_roofline(result, rows, note=note, foot=foot)
    _show_noise(result)


def _show_ladder(rows: Sequence[Row], *, note: str, foot: Sequence[str]) -> None:
    weights = weights_of(rows)
    if not weights:
        return
    st.markdown("### Ladder: every implementation of one weight")
    labels = {weight.label: weight for weight in weights}
    chosen = next(iter(labels))
    if len(labels) > 1:
        chosen = st.radio(
            "weight",
            list(labels),
            horizontal=True,
            label_visibility="collapsed",
            key="lab.view.weight",
            help="Whose implementations are shown.",
        )
    ladder = ladder_rows(rows, labels.get(chosen) or weights[0])
    st.markdown(ladder_sentence(ladder, labels.get(chosen) or weights[0]))
    chart(
        speedup_figure(ladder),
        key="chart.ladder",
        alt=f"Ladder of {chosen}. {speedup_alt(ladder)}",
        note=f"The number beside ✓ is the distance from the oracle, relative to its largest value. {note}",
        rows=lambda: table_records(ladder),
        wide=True,
        foot=[f"{chosen} · {line}" if at == 0 else line for at, line in enumerate(foot)],
    )


def _show_roofline(result: RunResult, rows: Sequence[Row], *, note: str, foot: Sequence[str]) -> None:
    ceiling = ceiling_of(result.get("ceilings"))
    if ceiling is None:
        return
    placed = placed_rows(rows, ceiling)
    if not placed:
        return
    st.markdown("### Roofline: what this machine allows, and what is lost")
    st.caption(f"Ceilings of {ceiling.words}.")
    chart(
        roofline_figure(placed, ceiling),
        key="chart.roofline",
        alt=roofline_alt(placed, ceiling),
        note=f"Every byte is counted once: a candidate whose operands stay in a cache can stand above the line. {note}",
        rows=lambda: placed_records(placed),
        foot=foot,
        wide=True,
    )
    st.dataframe(
        pd.DataFrame(placed_records(placed)),
        hide_index=True,
        column_config={
            "candidate": st.column_config.TextColumn(pinned=True),
            "the gap": st.column_config.TextColumn(width="large"),
            **{
                name: st.column_config.NumberColumn(format=form)
                for name, form in {
                    "predicted (ms)": "%.3g",
                    "measured (ms)": "%.3g",
                    "of attainable (%)": "%.0f",
                    "GFLOP per call": "%.3g",
                    "MiB moved at least": "%.3g",
                    "FLOP per byte": "%.3g",
                    "attained (GFLOP/s)": "%.3g",
                }.items()
            },
        },
        alt=roofline_alt(placed, ceiling),
    )


def _show_noise(result: RunResult) -> None:
    records = noise_records(result.get("noise"))
    if not records:
        return
    with st.expander("What else the machine did: load, clock, temperature, other work", icon=":material/groups:"):
        st.caption(f"{noise_sentence(result.get('noise')) or 'Other work could not be read here'}.")
        st.dataframe(
            pd.DataFrame(records),
            hide_index=True,
            column_config={
                "after (s)": st.column_config.NumberColumn(format="%.1f"),
                "load average": st.column_config.NumberColumn(format="%.2f"),
                "taken by others (%)": st.column_config.NumberColumn(format="%.0f"),
                "clock (MHz)": st.column_config.NumberColumn(format="%.0f"),
            },
            alt="Readings of the machine before, during and after the run",
        )
