"""How one input reaches one output: in how many layers, by how many paths, and one of the shortest, drawn and listed."""

from __future__ import annotations

from functools import partial

import pandas as pd
import streamlit as st

from frontend.figures.route import route_alt, route_figure
from frontend.logic import words
from frontend.logic.chain_rows import path_records
from frontend.logic.numbers import number_words
from frontend.schemas_chain import ReachabilityJson
from frontend.sections.chart import chart

__all__ = ["show_route"]


def show_route(answer: ReachabilityJson, *, key: str) -> None:
    """Draw the answer to a question about one pair; ``key`` is that of the chart."""
    trace, depth = answer["pair"], len(answer["layers"])
    where = f"Input {trace['input']} reaches output {trace['output']}"
    if trace["hops"] is None:
        st.markdown(f"**{where} by no path** within {words.plural(depth, 'layer')}.")
        return
    at_hops = trace["paths_at_hops"]
    noun = "path" if at_hops["text"] == "1" else "paths"
    whole = "" if trace["hops"] == depth else f", by {number_words(trace['paths'])} through all {depth}"
    st.markdown(
        f"{where} after **{words.plural(trace['hops'], 'layer')}**, by **{number_words(at_hops)}** {noun}{whole}."
    )
    if trace["paths"]["count"] is None:
        st.caption(f"Exactly {trace['paths']['text']} paths through all {depth} layers.")
    st.markdown("**One of the shortest**")
    alt = route_alt(trace)
    chart(
        route_figure(trace, answer["layers"]),
        key=key,
        alt=alt,
        note="Features by their relative place, blocks by their number; faint squares are the blocks not taken.",
        rows=partial(path_records, trace["path"]),
    )
    st.dataframe(pd.DataFrame(path_records(trace["path"])), hide_index=True, alt=alt)
