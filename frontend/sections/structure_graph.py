"""The graph of the Structure page: which inputs meet which outputs, through which block, and in how many layers two meet."""

from __future__ import annotations

from functools import partial

import streamlit as st

from frontend.client import ApiProblemError
from frontend.figures.connectivity import LINES_UP_TO, connectivity_figure
from frontend.figures.connectivity_words import Meeting, connectivity_alt, neighbour_words, pair_words, spread_words
from frontend.figures.style import COMPONENTS
from frontend.logic import words
from frontend.logic.chain_rows import hub_records
from frontend.logic.geometry import Layer
from frontend.schemas import NeighboursJson
from frontend.sections.backend import show_problem
from frontend.sections.chart import chart
from frontend.sections.route_view import show_route
from frontend.sections.structure_controls import current_pair, feature_controls
from frontend.sections.structure_view import Answers

__all__ = ["show_graph"]


def show_graph(layer: Layer, answers: Answers) -> None:
    """Draw which inputs meet which outputs; a chosen feature and the way to a chosen other one stand out."""
    st.header("Who meets whom", anchor=False, divider="gray")
    feature_controls()
    try:
        graph = answers["graph"].result()
    except ApiProblemError as error:
        show_problem(error)
        return
    reads, feeds = spread_words(graph["reads_per_output"]), spread_words(graph["feeds_per_input"])
    st.markdown(
        f"Every output reads **{reads}** of {words.count(layer.in_features)} inputs, every input feeds **{feeds}** of "
        f"{words.count(layer.out_features)} outputs. All features that enter a block meet there, and nowhere else."
    )
    chosen = graph.get("neighbours")
    if chosen is not None:
        _show_neighbours(chosen)
    meeting = _meeting(layer)
    if meeting is not None:
        st.markdown(f"**{pair_words(meeting)}**")
    chart(
        connectivity_figure(graph, chosen, meeting),
        key="structure.graph",
        alt=connectivity_alt(graph, chosen, meeting),
        note="Left and right: n blocks of neighbouring features. Squares: BLOCKDIAG blocks. Circles: BLOCKTRANS blocks."
        + (" A face: every block meets every block." if layer.n_blocks > LINES_UP_TO else ""),
        rows=partial(hub_records, graph),
    )
    if "pair" in answers:
        _show_pair(layer, answers)


def _show_neighbours(chosen: NeighboursJson) -> None:
    st.markdown(f"**{neighbour_words(chosen)}**")
    for partner in chosen["components"]:
        more = ", …" if partner["count"] > len(partner["first"]) else ""
        listed = ", ".join(str(index) for index in partner["first"])
        st.caption(f"{COMPONENTS[partner['component']].name} block {partner['block']}: {listed}{more}")


def _meeting(layer: Layer) -> Meeting | None:
    """The chosen pair and the blocks that join it; None where none is chosen or it is outside the layer."""
    pair = current_pair()
    if pair is None or not (0 <= pair[0] < layer.in_features and 0 <= pair[1] < layer.out_features):
        return None
    return (*pair, layer.meeting_blocks(*pair))


def _show_pair(layer: Layer, answers: Answers) -> None:
    st.markdown(
        "**The two in a stack** of this layer"
        + ("." if layer.in_features == layer.out_features else ", its way back and so on, as in the reach below.")
    )
    try:
        show_route(answers["pair"].result(), key="structure.route")
    except ApiProblemError as error:
        show_problem(error)
