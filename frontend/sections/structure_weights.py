"""Actual weights of the layer on the Structure page: one draw of a fresh layer, as magnitude or as sign."""

from __future__ import annotations

from functools import partial
from typing import Any

import streamlit as st

from frontend.client import ApiProblemError
from frontend.figures.weights import weights_alt, weights_figure
from frontend.logic.geometry import Layer
from frontend.logic.picture import decode_picture, weight_records
from frontend.sections import state, structure_data
from frontend.sections.backend import show_problem
from frontend.sections.chart import chart
from frontend.sections.structure_controls import KEEP, current_draw, current_window
from frontend.settings import api_url

__all__ = ["show_weights"]

CELLS = {"whole": 128, "close-up": 96}
RULES = {"": "none", "paper": "paper: U(±1/√in)", "variance_preserving": "variance-preserving: times √(n/2)"}


def show_weights(layer: Layer) -> None:
    """Draw the choice of a draw and, when there is one, the whole weight and the close-up."""
    st.header("What the weights hold", anchor=False, divider="gray")
    shown = "magnitude"
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.radio(
            "Drawn weights",
            list(RULES),
            horizontal=True,
            format_func=RULES.__getitem__,
            key="structure.weights",
            help="Draw a fresh layer by a rule of initialisation and see its values. Weights of a file are on the Weights page.",
            **KEEP,
        )
        if state.value("structure", "weights"):
            st.number_input(
                "seed", step=1, format="%d", key="structure.seed", width=140, help="Seed of the draw, from 0.", **KEEP
            )
            shown = st.radio(
                "as",
                ["magnitude", "sign"],
                horizontal=True,
                key="structure.weights_as",
                help="Mean magnitude or mean sign of the entries of a cell.",
            )
    draw = current_draw()
    if draw is None:
        return
    windows = {"whole": None, "close-up": current_window()}
    answers = structure_data.together(
        **{
            name: partial(structure_data.pattern, api_url(), layer, window, CELLS[name], draw)
            for name, window in windows.items()
        }
    )
    for column, (name, answer) in zip(st.columns(2, gap="large"), answers.items(), strict=True):
        with column:
            try:
                picture: Any = answer.result()["weights"]
            except ApiProblemError as error:
                show_problem(error, heading="**These weights cannot be drawn:**")
                return
            grid = decode_picture(picture)
            chart(
                weights_figure(grid, shown, blocks=_blocks(layer)),
                key=f"structure.weights.{name}",
                alt=weights_alt(grid, shown),
                note=f"One draw, seed {draw[0]}. "
                + ("Single entries." if grid.single_entries else "Means over each cell."),
                rows=partial(weight_records, grid),
            )


def _blocks(layer: Layer) -> tuple[int, int, int]:
    return layer.out_features // layer.n_blocks, layer.in_features // layer.n_blocks, layer.n_blocks
