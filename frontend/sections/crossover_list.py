"""Earlier sweeps, to be opened again."""

from __future__ import annotations

import streamlit as st

from frontend.client import ApiClient
from frontend.logic import words
from frontend.logic.listing import STATUSES
from frontend.sections.crossover_view import spec_words

__all__ = ["earlier_sweeps"]

SHOWN = 10


def earlier_sweeps(api: ApiClient) -> None:
    """List the newest sweeps of this service with a link to each; nothing where there is none."""
    found = api.sweeps(limit=SHOWN)
    if not found["items"]:
        return
    with st.expander(f"Earlier maps ({words.count(found['total'])})", icon=":material/history:"):
        for record in found["items"]:
            word = STATUSES[record["status"]][0]
            st.page_link(
                "views/crossover.py",
                label=f"{words.moment(record['created_at'])} · {word} · {spec_words(record)}",
                icon=":material/map:",
                query_params={"sweep": record["id"]},
            )
            if record.get("headline"):
                st.caption(record["headline"])
