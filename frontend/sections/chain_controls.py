"""The chain editor of the Reachability page: presets, one control for every layer, and a table of the layers themselves.

The chain is kept as a whole under one key. The table shows the rows that it was made with and reports what was changed
in them, so a change is applied to these rows; every other control makes new rows and with them a new table.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pandas as pd
import streamlit as st

from frontend.logic import query
from frontend.logic.chain import (
    MAX_LAYERS,
    PRESETS,
    Chain,
    from_records,
    preset_of,
    read_chain,
    records,
    write_chain,
)
from frontend.logic.geometry import VARIANT_WORDS
from frontend.sections import address, state

__all__ = ["VIEWS", "chain_controls", "current_chain", "publish", "take_address"]

PAGE = "reach"
VIEWS = {
    "groups": "Heat maps",
    "locality": "Near and far",
    "pair": "One pair",
    "compare": "Other structures",
    "rank": "Rank",
    "advisor": "Advisor",
}
FURTHER: dict[str, Any] = {
    "view": None,
    "depth": 0,
    "input": 0,
    "output": 0,
    "seed": 0,
    "ranked": 0,
    "advise_in": 0,
    "advise_out": 0,
}
OF_VIEW = {
    "groups": ("depth",),
    "locality": ("depth",),
    "pair": ("depth", "input", "output"),
    "rank": ("depth", "seed", "ranked"),
    "advisor": ("advise_in", "advise_out"),
}
"""Which further controls belong to each view, and so to its link."""

NAMES = ("chain", *FURTHER)
CUSTOM = "own chain"
KEEP: dict[str, Any] = {"persist_state": "session"}


def take_address() -> None:
    """Take the chain and the view from the address when it is a link to follow."""
    address.follow(PAGE, NAMES, _read, _held)
    if "reach.chain" not in st.session_state:
        _keep(PRESETS["one feed-forward"])
    state.prepare(PAGE, FURTHER)


def publish() -> None:
    """Write chain and view into the address."""
    address.publish(PAGE, NAMES, _held())


def _read(asked: Mapping[str, str]) -> None:
    known = query.read(asked, {**FURTHER, "view": ""})
    if known.get("view") not in VIEWS:
        known.pop("view", None)
    state.fill(PAGE, {**FURTHER, **known})
    st.session_state.pop("reach.ranked_for", None)
    _keep(read_chain(asked.get("chain")) or PRESETS["one feed-forward"])


def _held() -> dict[str, str]:
    view = state.value(PAGE, "view")
    held = {"chain": write_chain(current_chain())}
    if view is not None:
        held |= query.write({"view": view, **state.values(PAGE, dict.fromkeys(OF_VIEW.get(view, ())))})
    return held


def current_chain() -> Chain:
    """Return the chain that the controls hold."""
    chain: Chain = st.session_state.get("reach.chain", PRESETS["one feed-forward"])
    return chain


def _keep(chain: Chain) -> None:
    """Take a chain that was not made in the table; the table starts anew with its rows."""
    st.session_state["reach.chain"] = chain
    st.session_state["reach.rows"] = records(chain)
    st.session_state["reach.version"] = st.session_state.get("reach.version", 0) + 1


def chain_controls() -> None:
    """Draw the editor; what it holds is :func:`current_chain`."""
    chain = current_chain()
    with st.container(border=True):
        _for_every_layer(chain)
        with st.expander(
            "The layers one by one", icon=":material/table_rows:", key="reach.open", on_change="rerun"
        ) as box:
            if box.open:
                _table(chain)


def _for_every_layer(chain: Chain) -> None:
    state.fill(
        PAGE,
        {
            "preset": preset_of(chain) or CUSTOM,
            "times": chain.times,
            "n_blocks": chain.common("n_blocks"),
            "grain": chain.common("grain"),
            "variant": chain.common("variant"),
        },
    )
    preset, times, blocks, grain = st.columns([2, 1, 1, 1])
    preset.selectbox(
        "Chain",
        [*PRESETS, CUSTOM],
        key="reach.preset",
        on_change=_take_preset,
        help="One feed-forward: 768 → 3072 → 768. OPT-125m stack: twelve of them. Square stack: twelve layers 768 → 768. "
        "n, variant and grain stay as they are.",
    )
    times.number_input(
        "times",
        step=1,
        min_value=1,
        max_value=MAX_LAYERS,
        format="%d",
        key="reach.times",
        on_change=_take_times,
        help=f"How often the layers of the table follow one another; {MAX_LAYERS} layers in all at most.",
    )
    blocks.number_input(
        "n_blocks",
        step=1,
        format="%d",
        key="reach.n_blocks",
        on_change=_take_every,
        args=("n_blocks",),
        placeholder="mixed",
        help="Number n of blocks in every layer; empty where layers differ.",
    )
    grain.number_input(
        "grain",
        step=1,
        format="%d",
        key="reach.grain",
        on_change=_take_every,
        args=("grain",),
        placeholder="mixed",
        help="Features that the interleave moves together, in every layer; 1 is the paper.",
    )
    st.radio(
        "variant",
        list(VARIANT_WORDS),
        index=None,
        horizontal=True,
        format_func=str.upper,
        key="reach.variant",
        on_change=_take_every,
        args=("variant",),
        help="In every layer; none is marked where layers differ.  \n"
        + "  \n".join(f"**{name.upper()}** {text}." for name, text in VARIANT_WORDS.items()),
    )


def _take_preset() -> None:
    preset = PRESETS.get(state.value(PAGE, "preset"))
    if preset is not None:
        before = current_chain()
        kept = {name: before.common(name) for name in ("n_blocks", "variant", "grain")}
        _keep(preset.with_every(**{name: value for name, value in kept.items() if value is not None}))


def _take_times() -> None:
    _keep(Chain(current_chain().unit, state.value(PAGE, "times") or 1))


def _take_every(field: str) -> None:
    value = state.value(PAGE, field)
    if value is not None:
        _keep(current_chain().with_every(**{field: value}))


def _table(chain: Chain) -> None:
    key = f"reach.table.{st.session_state['reach.version']}"
    if key not in st.session_state:  # first drawn, or drawn again after another page
        st.session_state["reach.rows"] = records(chain)
    frame = pd.DataFrame(st.session_state["reach.rows"])
    frame.index = pd.RangeIndex(1, len(frame) + 1, name="layer")
    whole: dict[str, Any] = {"min_value": 1, "step": 1, "format": "%d", "required": True}
    columns: dict[str, Any] = {
        name: st.column_config.NumberColumn(name, help=text, **whole)
        for name, text in {
            "in_features": "Inputs of the layer: what the layer before gives.",
            "out_features": "Outputs of the layer: what the next layer takes.",
            "n_blocks": "Must divide both sizes.",
            "grain": "n · grain must divide each permuted side.",
        }.items()
    }
    columns["variant"] = st.column_config.SelectboxColumn(
        "variant", options=list(VARIANT_WORDS), required=True, help="it, ot, dt, or bd for BLOCKDIAG alone."
    )
    st.data_editor(
        frame,
        key=key,
        num_rows="dynamic",
        column_config=columns,
        on_change=_take_table,
        args=(key,),
        alt="The layers of the chain, one row each; cells can be edited, rows added and deleted",
    )
    _row_buttons(chain)


def _row_buttons(chain: Chain) -> None:
    """The same by buttons, for a keyboard."""
    count = len(chain.unit)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        state.fill(PAGE, {"row": min(state.value(PAGE, "row") or 1, count)})
        row = st.number_input(
            "layer",
            min_value=1,
            max_value=count,
            step=1,
            key="reach.row",
            width=120,
            help="Which layer the buttons mean.",
        )
        actions: list[tuple[str, str, Callable[[], Chain], bool]] = [
            ("Duplicate", ":material/content_copy:", lambda: chain.duplicated(row - 1), False),
            ("Remove", ":material/delete:", lambda: chain.removed(row - 1), count == 1),
            ("Add the way back", ":material/u_turn_left:", chain.extended, False),
        ]
        for label, icon, action, disabled in actions:
            st.button(label, icon=icon, disabled=disabled, on_click=_act, args=(action,), key=f"reach.{label}")


def _act(action: Callable[[], Chain]) -> None:
    _keep(action())


def _take_table(key: str) -> None:
    """Apply what was changed in the table to the rows that it shows."""
    changes: Mapping[str, Any] = st.session_state[key]
    rows = [dict(row) for row in st.session_state["reach.rows"]]
    for place, cells in changes["edited_rows"].items():
        rows[int(place)].update(cells)
    gone = set(changes["deleted_rows"])
    kept = [row for place, row in enumerate(rows) if place not in gone]
    chain = from_records([*kept, *changes["added_rows"]], current_chain().times)
    if changes["added_rows"] or not kept:
        _keep(chain)  # a new row shows what it was filled with
    else:
        st.session_state["reach.chain"] = chain
