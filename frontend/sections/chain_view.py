"""The Reachability page's results by depth: reach, numbers of paths, evenness, connected parts."""

from __future__ import annotations

from concurrent.futures import Future
from functools import partial
from typing import Any

import streamlit as st

from frontend.client import ApiProblemError
from frontend.figures.stack import (
    evenness_alt,
    evenness_figure,
    parts_alt,
    parts_figure,
    paths_alt,
    paths_figure,
    reach_alt,
    reach_figure,
)
from frontend.logic import words
from frontend.logic.chain import Chain
from frontend.logic.chain_rows import depth_records
from frontend.logic.geometry import Layer
from frontend.schemas import PatternJson
from frontend.schemas_chain import ReachabilityJson
from frontend.sections import structure_data
from frontend.sections.access import access
from frontend.sections.backend import show_problem, show_warnings
from frontend.sections.chart import chart

__all__ = ["show_depths"]

Answers = dict[str, Future[Any]]

KINDS = 4
"""Kinds of layers whose definition is shown."""


def show_depths(chain: Chain) -> bool:
    """Draw the four charts by depth; False when there is no such chain.

    The reach comes at once; beside it the numbers of paths are asked for, which may take a second or two.
    """
    question = partial(structure_data.reach_of, access(), chain.layers)
    try:
        reach: ReachabilityJson = question()
    except ApiProblemError as error:
        heading = "**These layers do not make a chain:**" if error.errors else "**The reach could not be computed:**"
        show_problem(error, heading=heading)
        return False
    kinds = list(dict.fromkeys(chain.unit))[:KINDS]
    rules = {str(place): partial(structure_data.pattern, access(), layer, None, 1) for place, layer in enumerate(kinds)}
    answers = structure_data.together(paths=partial(question, (("paths", True),)), **rules)
    st.markdown(_sentence(chain, reach))
    definitions = st.empty()
    show_warnings(reach.get("warnings") or [])
    left, right = st.columns(2, gap="large")
    with left:
        st.markdown("**Reached share**")
        note = "Counted exactly from the structure, weights being anything but zero."
        chart(
            reach_figure(reach), key="reach.share", alt=reach_alt(reach), note=note, rows=partial(depth_records, reach)
        )
        st.markdown("**Connected parts**")
        chart(
            parts_figure(reach["depths"]),
            key="reach.parts",
            alt=parts_alt(reach["depths"]),
            note="Parts of the layers up to a depth that no path joins; 1 is a stack that hangs together.",
            rows=partial(depth_records, reach),
        )
    with right:
        _show_paths(answers)
    definitions.markdown("\n".join(_rule(layer, answers[str(place)].result()) for place, layer in enumerate(kinds)))
    return True


def _rule(layer: Layer, whole: PatternJson) -> str:
    """One line: a kind of layer and when it connects, with its numbers put in."""
    grain = "" if layer.grain == 1 else f", grain {layer.grain}"
    name = f"{layer.in_features} → {layer.out_features}, {layer.variant.upper()}, n = {layer.n_blocks}{grain}"
    return f"- **{name}:** {words.formula(whole['formula'])}"


def _show_paths(answers: Answers) -> None:
    st.markdown("**Paths of a pair**")
    with st.spinner("Counting paths", show_time=False) if not answers["paths"].done() else st.container():
        try:
            known: ReachabilityJson = answers["paths"].result()
        except ApiProblemError as error:
            show_problem(error, heading="**The spread of paths is not known for this chain:**")
            return
    depths = known["depths"]
    logs = [entry["depth"] for entry in depths if (paths := entry.get("paths")) and paths["logarithmic"]]
    note = "Exact counts."
    if logs:
        note = f"Exact up to depth {logs[0] - 1}; " if logs[0] > 1 else ""
        note += "open marks are decimal logarithms, good to ten digits."
    chart(paths_figure(depths), key="reach.paths", alt=paths_alt(depths), note=note, rows=partial(depth_records, known))
    st.markdown("**Evenness of paths**")
    chart(
        evenness_figure(depths),
        key="reach.evenness",
        alt=evenness_alt(depths),
        note="Jain's index: 1 when every pair has as many paths as every other. Reachable is not yet evenly mixed.",
        rows=partial(depth_records, known),
    )


def _sentence(chain: Chain, reach: ReachabilityJson) -> str:
    last = reach["depths"][-1]
    dense = sum(layer.in_features * layer.out_features for layer in chain.layers)
    weights = sum(layer.parameters for layer in chain.layers)
    full = reach.get("first_full_depth")
    reached = (
        f"Every input reaches every output from depth **{full}** on."
        if full is not None
        else f"After all of them **{words.percent(last['reached_share'], 2)}** of the input-output pairs are connected."
    )
    return (
        f"{words.plural(chain.depth, 'layer')}, {chain.words}: {words.count(weights)} weights, "
        f"{words.percent(weights / dense, 1)} of dense. {reached}"
    )
