"""One way to show a figure: theme colours, a text alternative, and under it where it was measured."""

from __future__ import annotations

from typing import Any

import plotly.graph_objects as go
import streamlit as st

from frontend.figures.style import chart_config

__all__ = ["chart"]


def chart(figure: go.Figure, *, key: str, alt: str, note: str = "", **options: Any) -> Any:
    """Show ``figure`` over the full width with ``note`` as a caption below; returns what Streamlit returns."""
    config = chart_config(key.replace(".", "-"))
    state = st.plotly_chart(figure, key=key, alt=alt, theme="streamlit", config=config, **options)
    if note:
        st.caption(note)
    return state
