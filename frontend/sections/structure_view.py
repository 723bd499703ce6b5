"""The pictures of the Structure page: pattern, close-up, reach. All are asked for at once, each drawn as it comes."""

from __future__ import annotations

from concurrent.futures import Future
from dataclasses import replace
from functools import partial
from typing import Any

import streamlit as st

from frontend.client import ApiProblemError
from frontend.figures.pattern import LINES_UP_TO, pattern_alt, pattern_figure
from frontend.figures.reachability import reachability_alt, reachability_figure
from frontend.logic import words
from frontend.logic.chain_rows import reach_records
from frontend.logic.geometry import VARIANT_WORDS, Layer, overview_cells
from frontend.logic.pattern import decode, feature_window, pattern_records, totals_words
from frontend.schemas import PatternJson
from frontend.schemas_chain import ReachabilityJson
from frontend.sections import state, structure_data
from frontend.sections.access import access
from frontend.sections.backend import show_problem, show_warnings
from frontend.sections.chart import chart
from frontend.sections.structure_controls import (
    WINDOW,
    current_feature,
    current_pair,
    current_window,
    reset_window,
    window_controls,
)

__all__ = ["Answers", "ask", "show_pattern", "show_reach", "show_totals", "whole_pattern"]

CLOSE_UP_CELLS = 96

Answers = dict[str, Future[Any]]


def whole_pattern(layer: Layer) -> PatternJson:
    """Ask for the whole weight: the first picture, and the judge of the layer."""
    fits = min(layer.in_features, layer.out_features, layer.n_blocks, layer.grain) > 0
    # A layer of nothing is refused, whatever is asked of it.
    return structure_data.pattern(access(), layer, None, overview_cells(layer) if fits else 1)


def ask(layer: Layer) -> Answers:
    """Ask for everything else that the page draws, at the same time."""
    who = access()
    questions: dict[str, Any] = {
        "closeup": partial(structure_data.pattern, who, layer, current_window(), CLOSE_UP_CELLS),
        "graph": partial(structure_data.connectivity, who, layer, current_feature()),
    }
    if (pair := current_pair()) is not None:
        questions["pair"] = partial(structure_data.pair, who, layer, *pair)
    for variant in VARIANT_WORDS:
        questions[variant] = partial(
            structure_data.reachability, who, replace(layer, variant=variant), structure_data.STACKED
        )
    return structure_data.together(**questions)


def show_totals(layer: Layer, whole: PatternJson) -> None:
    """Draw the definition with its numbers, and the costs."""
    st.markdown(f"**{layer.variant.upper()}**, {VARIANT_WORDS[layer.variant]}. " + words.formula(whole["formula"]))
    with st.container(horizontal=True):
        for name, value, explanation in totals_words(whole["totals"]):
            st.metric(name, value, help=explanation, width="content", border=True)
    if whole["totals"]["limit"] <= 1:
        st.warning(
            f"With n = {layer.n_blocks} this layer saves nothing: it has {words.percent(1 / whole['totals']['limit'])} of the "
            "dense parameters and multiply-adds. Savings start at n = 3.",
            icon=":material/warning:",
        )


def show_pattern(layer: Layer, whole: PatternJson) -> Answers:
    """Draw the whole weight and, beside it, a close-up of the chosen window; return the answers for the rest of the page.

    They are asked for once the first picture is on its way: reading them would hold it up.
    """
    st.header("Where the weights are", anchor=False, divider="gray")
    left, right = st.columns(2, gap="large")
    with left:
        st.markdown("**Whole weight.** Drag a box to look closer.")
        grid = decode(whole)
        chart(
            pattern_figure(grid, marked=current_window()),
            key="structure.overview",
            alt=pattern_alt(grid, whole["totals"]),
            note=_cells_note(layer, grid.shape),
            rows=partial(pattern_records, grid),
            on_select=_take_box,
            selection_mode="box",
        )
    answers = ask(layer)
    with right:
        st.markdown("**Close-up** of the marked window.")
        try:
            part = answers["closeup"].result()
        except ApiProblemError as error:
            show_problem(error, heading="**This window cannot be shown:**")
        else:
            closer = decode(part)
            chart(
                pattern_figure(closer),
                key="structure.closeup",
                alt=pattern_alt(closer, part["totals"]),
                note="One cell is one entry of the weight."
                if closer.single_entries
                else _cells_note(layer, closer.shape),
                rows=partial(pattern_records, closer),
            )
        window_controls()
        st.button("Back to the first block corner", on_click=reset_window, icon=":material/my_location:")
    return answers


def _cells_note(layer: Layer, shape: tuple[int, int]) -> str:
    rows, columns = shape
    text = (
        f"{rows} × {columns} cells, counted exactly on the server. Hue mixes the components of a cell, opacity grows with "
        "the square root of its covered share."
    )
    if layer.n_blocks > LINES_UP_TO:
        text += f" Borders of the {layer.n_blocks} blocks are not drawn as lines."
    return text


def _take_box() -> None:
    """Make the box drawn on the whole weight the window of the close-up."""
    selection: Any = st.session_state.get("structure.overview")
    boxes = (selection or {}).get("selection", {}).get("box") or []
    if not boxes:
        return
    layer = st.session_state["structure.window_of"]
    whole = structure_data.pattern(access(), layer, None, overview_cells(layer))
    state.fill(
        "structure", dict(zip(WINDOW, feature_window(decode(whole), boxes[-1]["x"], boxes[-1]["y"]), strict=True))
    )


def show_reach(layer: Layer, answers: Answers) -> None:
    """Draw which share of input-output pairs is connected after 1 to 12 layers, all variants beside the chosen one."""
    st.header("Reach of stacked layers", anchor=False, divider="gray")
    if layer.in_features == layer.out_features:
        st.markdown(f"The same layer again and again, 1 to {structure_data.STACKED} times.")
    else:
        st.markdown(
            f"Layers alternate {layer.in_features} → {layer.out_features} and {layer.out_features} → {layer.in_features}, as in a "
            f"feed-forward pair: odd depths end at {layer.out_features} outputs, even depths back at {layer.in_features}."
        )
    chains: dict[str, ReachabilityJson] = {}
    for variant in VARIANT_WORDS:
        try:
            chains[variant] = answers[variant].result()
        except ApiProblemError as error:
            # Another variant may not exist for these sizes; then its line is missing.
            if variant == layer.variant:
                show_problem(error, heading=_refused(error))
                return
    chosen = chains[layer.variant]
    st.markdown(_reach_sentence(layer, chosen))
    show_warnings(chosen.get("warnings") or [])
    note = "Counted exactly from the structure, weights being anything but zero."
    under = [name.upper() for name, other in chains.items() if name != layer.variant and _same(other, chosen)]
    if under:
        note += f" Hidden below the line of {layer.variant.upper()}: {' and '.join(under)}, reaching the same."
    chart(
        reachability_figure(chains, layer.variant),
        key="structure.reach",
        alt=reachability_alt(chosen, layer.variant),
        note=note,
        rows=partial(reach_records, chains),
    )


def _same(one: ReachabilityJson, other: ReachabilityJson) -> bool:
    return all(a["reached_pairs"] == b["reached_pairs"] for a, b in zip(one["depths"], other["depths"], strict=True))


def _refused(error: ApiProblemError) -> str:
    """What to say above a refusal: only a wrong field is about the layers."""
    return "**No stack can be made of this layer:**" if error.errors else "**The reach could not be computed:**"


def _reach_sentence(layer: Layer, chosen: ReachabilityJson) -> str:
    first = chosen["depths"][0]
    start = f"One {layer.variant.upper()} layer connects {words.percent(first['reached_share'], 2)} of all input-output pairs; "
    full = chosen.get("first_full_depth")
    if full is not None:
        return start + f"from depth **{full}** on every input reaches every output."
    last = chosen["depths"][-1]
    return (
        start
        + f"after {last['depth']} layers it is **{words.percent(last['reached_share'], 2)}**: some pairs stay apart."
    )
