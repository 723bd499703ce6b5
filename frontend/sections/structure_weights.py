"""Actual weights of the layer on the Structure page, as magnitude or as sign: a draw of a fresh layer, or those of a file."""

from __future__ import annotations

from functools import partial
from typing import Any

import streamlit as st

from frontend.client import ApiProblemError
from frontend.figures.weights import weights_alt, weights_figure
from frontend.logic import words
from frontend.logic.geometry import Layer
from frontend.logic.pattern import decode, parameter_names
from frontend.logic.picture import decode_picture, weight_records
from frontend.logic.projection import fitting, tensor_words, upload_words
from frontend.sections import state, structure_data
from frontend.sections.access import access
from frontend.sections.backend import client, show_problem, system
from frontend.sections.chart import chart
from frontend.sections.structure_controls import FILE, KEEP, current_draw, current_window, publish

__all__ = ["show_weights"]

PAGE = "structure"
CELLS = {"whole": 128, "close-up": 96}
RULES = {
    "": "none",
    "paper": "paper: U(±1/√in)",
    "variance_preserving": "variance-preserving: times √(n/2)",
    FILE: "of a file",
}
LISTED = 100
Asked = tuple[tuple[str, Any], ...]


def show_weights(layer: Layer) -> None:
    """Draw the choice of weights and, when there is one, the whole weight and the close-up."""
    st.header("What the weights hold", anchor=False, divider="gray")
    shown = _controls()
    if not state.value(PAGE, "weights"):
        return
    most = (system().get("limits") or {}).get("max_realised_entries")
    entries = layer.in_features * layer.out_features
    if most is not None and entries > most:
        st.info(
            f"Values are shown of layers with up to {words.count(most)} entries, such as 1024 → 4096; this one has "
            f"{words.count(entries)}. Take smaller sizes; the Weights page pictures larger matrices of files.",
            icon=":material/info:",
        )
        return
    asked, note = _drawn() if current_draw() is not None else _chosen_file(layer)
    if asked is not None:
        _pictures(layer, asked, note, shown)


def _controls() -> str:
    """Draw what to show; return ``magnitude`` or ``sign``."""
    shown = "magnitude"
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.radio(
            "Weights",
            list(RULES),
            horizontal=True,
            format_func=RULES.__getitem__,
            key="structure.weights",
            help="Draw a fresh layer by a rule of initialisation, or take a matrix of a file sent on the Weights page.",
            **KEEP,
        )
        if current_draw() is not None:
            st.number_input(
                "seed", step=1, format="%d", key="structure.seed", width=140, help="Seed of the draw, from 0.", **KEEP
            )
        if state.value(PAGE, "weights"):
            shown = st.radio(
                "as",
                ["magnitude", "sign"],
                horizontal=True,
                key="structure.weights_as",
                help="Mean magnitude or mean sign of the entries of a cell.",
            )
    return shown


def _drawn() -> tuple[Asked, str]:
    seed, rule = current_draw() or (0, "paper")
    return (("seed", seed), ("init", rule)), f"One draw, seed {seed}."


def _chosen_file(layer: Layer) -> tuple[Asked | None, str]:
    """Draw the choice of a file and of a matrix of the layer's sizes in it."""
    known = {upload["id"]: upload for upload in client().uploads(limit=LISTED)["items"]}
    if not known:
        st.info("The service has no file yet: send one on the Weights page.", icon=":material/info:")
        return None, ""
    if state.value(PAGE, "file") not in known:
        state.fill(PAGE, {"file": next(iter(known))})
    left, right = st.columns(2)
    left.selectbox(
        "file",
        list(known),
        format_func=lambda one: upload_words(known[one]),
        key="structure.file",
        help=f"Newest first, at most {LISTED}.",
        **KEEP,
    )
    chosen = client().upload_of(state.value(PAGE, "file"))
    usable = {tensor["name"]: tensor for tensor in fitting(chosen, layer.in_features, layer.out_features)}
    if not usable:
        st.info(
            f"This file holds no matrix of {layer.in_features} → {layer.out_features}. Set the sizes above to those of a "
            "matrix, or come by the link on the Weights page.",
            icon=":material/info:",
        )
        return None, ""
    if state.value(PAGE, "tensor") not in usable:
        state.fill(PAGE, {"tensor": next(iter(usable))})
    right.selectbox(
        "matrix",
        list(usable),
        format_func=lambda name: tensor_words(usable[name]),
        key="structure.tensor",
        help="Matrices of the file that have the sizes of the layer, either way round.",
        **KEEP,
    )
    publish()
    name = state.value(PAGE, "tensor")
    turned = usable[name]["shape"] != [layer.out_features, layer.in_features]
    note = (
        f"{chosen['name']}, {name}{', turned to (out, in)' if turned else ''}: the whole matrix, on the pattern or not."
    )
    return (("upload", chosen["id"]), ("tensor", name), ("transpose", turned)), note


def _pictures(layer: Layer, asked: Asked, note: str, shown: str) -> None:
    windows = {"whole": None, "close-up": current_window()}
    answers = structure_data.together(
        **{
            name: partial(structure_data.pattern, access(), layer, window, CELLS[name], asked)
            for name, window in windows.items()
        }
    )
    for column, (name, answer) in zip(st.columns(2, gap="large"), answers.items(), strict=True):
        with column:
            try:
                found = answer.result()
            except ApiProblemError as error:
                show_problem(error, heading="**These weights cannot be shown:**")
                return
            grid = decode_picture(found["weights"])
            counts = decode(found)
            outside = "structural zero: no parameter" if current_draw() else "outside the pattern: no parameter"
            single = grid.single_entries and counts.single_entries
            names = parameter_names(counts, outside) if single else None
            chart(
                weights_figure(grid, shown, blocks=_blocks(layer), names=names),
                key=f"structure.weights.{name}",
                alt=weights_alt(grid, shown),
                note=f"{note} " + ("Single entries." if grid.single_entries else "Means over each cell."),
                rows=partial(weight_records, grid),
            )


def _blocks(layer: Layer) -> tuple[int, int, int]:
    return layer.out_features // layer.n_blocks, layer.in_features // layer.n_blocks, layer.n_blocks
