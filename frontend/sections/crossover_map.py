"""The heat maps of a sweep, up to four at a time, and the table of their points."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from frontend.figures.crossover import MOST_MAPS, crossover_alt, crossover_figure
from frontend.logic.crossover import Map, point_records
from frontend.sections.chart import chart

__all__ = ["show_maps"]


def show_maps(maps: Sequence[Map], *, note: str, foot: Sequence[str], table: bool = False) -> None:
    """Draw the chosen maps; where there are more than four, a choice above them."""
    shown = list(maps)
    if len(maps) > 1:
        labels = {each.key.label: each for each in maps}
        first = list(labels)[:MOST_MAPS]
        chosen = st.multiselect(
            "maps",
            list(labels),
            default=first,
            max_selections=MOST_MAPS,
            key=f"crossover.maps.{len(labels)}",
            help=f"One map per n, variant, implementation and pass; up to {MOST_MAPS} side by side, in one scale of colours.",
        )
        shown = [labels[label] for label in chosen or first[:1] if label in labels]
    if not shown:
        return
    chart(
        crossover_figure(shown),
        key="chart.crossover",
        alt=crossover_alt(shown),
        note=f"Marks are measured sizes, figures in brackets are interpolated between corners that agree. {note}",
        rows=lambda: point_records(shown),
        foot=foot,
        wide=True,
    )
    if table:
        records = point_records(maps)
        st.markdown("### Every measured size")
        st.dataframe(
            pd.DataFrame(records),
            hide_index=True,
            column_config={
                "map": st.column_config.TextColumn(pinned=True),
                **{
                    name: st.column_config.NumberColumn(format="%.2f")
                    for name in ("speed-up (x)", "95 % low (x)", "95 % high (x)")
                },
            },
            alt=crossover_alt(maps),
        )
