"""One way to show a figure: theme colours, a text alternative, under it where it was measured, and its data as CSV.

The camera in the tool bar saves the picture as the side bar says, SVG or PNG; the button below saves the data.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from frontend.figures.style import chart_config, footnote

__all__ = ["Rows", "chart", "csv_button", "picture_format"]

Rows = Callable[[], Sequence[Mapping[str, Any]]]
"""Makes the records of a table when somebody asks for them."""

FORM = "pictures.form"


def picture_format() -> None:
    """Draw the choice of what a chart's camera saves; it holds for every page."""
    st.session_state.setdefault(FORM, "svg")
    st.radio(
        "Camera saves",
        ["svg", "png"],
        horizontal=True,
        format_func=str.upper,
        key=FORM,
        help="What the camera in the tool bar of every chart saves: SVG stays sharp at any size, PNG fits everywhere.",
        persist_state="session",
    )


def chart(
    figure: go.Figure,
    *,
    key: str,
    alt: str,
    note: str = "",
    rows: Rows | None = None,
    foot: Sequence[str] = (),
    wide: bool = False,
    **options: Any,
) -> Any:
    """Show ``figure`` over the full width, below it ``note`` and a button for its data; returns what Streamlit returns.

    Args:
        figure: what to show.
        key: of the chart, and with dashes the name of what is saved.
        alt: the picture in words.
        note: a caption.
        rows: the data of the picture as records, for the CSV file.
        foot: lines that belong into the picture itself: precision, device, and what disturbed it.
        wide: the picture takes the whole width, so that these lines may be long.
        options: passed on to ``st.plotly_chart``.
    """
    name = key.replace(".", "-")
    figure = footnote(figure, foot, wide=wide) if foot else figure
    config = chart_config(name, st.session_state.get(FORM, "svg"))
    state = st.plotly_chart(figure, key=key, alt=alt, theme="streamlit", config=config, **options)
    if rows is None:
        if note:
            st.caption(note)
        return state
    with st.container(horizontal=True, wrap=False, gap="small"):
        st.caption(note or "", width="stretch")
        csv_button(rows, key=key)
    return state


def csv_button(rows: Rows, *, key: str) -> None:
    """Draw a button that saves the records as CSV; they are made when it is pressed."""
    st.download_button(
        "CSV",
        data=lambda: pd.DataFrame(rows()).to_csv(index=False).encode(),
        file_name=f"dyad-{key.replace('.', '-')}.csv",
        mime="text/csv",
        icon=":material/download:",
        on_click="ignore",
        key=f"{key}.csv",
        type="tertiary",
        help="The data of this picture as a table.",
    )
