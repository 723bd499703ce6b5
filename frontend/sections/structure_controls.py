"""The geometry, window, feature and draw of the Structure page, kept in the address so that a link shows the same picture."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

from frontend.logic import presets, query
from frontend.logic.geometry import VARIANT_WORDS, Layer
from frontend.sections import address, state

__all__ = [
    "FILE",
    "WINDOW",
    "current_draw",
    "current_feature",
    "current_layer",
    "current_pair",
    "current_window",
    "feature_controls",
    "geometry_controls",
    "publish",
    "reset_window",
    "take_address",
    "window_controls",
]

PAGE = "structure"
GEOMETRY: dict[str, Any] = {"in_features": 768, "out_features": 3072, "n_blocks": 4, "variant": "it", "grain": 1}
WINDOW = ("out_start", "out_stop", "in_start", "in_stop")
SIDES = ("none", "input", "output")
FURTHER: dict[str, Any] = {
    "side": "none",
    "feature": 0,
    "partner": None,
    "weights": "",
    "seed": 0,
    "file": "",
    "tensor": "",
}
"""A chosen feature and one on the other side; and the weights shown: "" for none, a rule of initialisation, a file."""
DRAWS = ("paper", "variance_preserving")
FILE = "file"
NAMES = (*GEOMETRY, *WINDOW, *FURTHER)
KEEP: dict[str, Any] = {"persist_state": "session"}


def take_address() -> None:
    """Fill the controls from the address when it is a link to follow, else write what they hold into it."""
    address.follow(PAGE, NAMES, _read, _held)
    state.prepare(PAGE, {**GEOMETRY, **FURTHER, "preset": presets.PRESETS[0].label})
    sizes = state.value(PAGE, "in_features"), state.value(PAGE, "out_features")
    state.fill(PAGE, {"preset": presets.matching(*sizes, preferred=state.value(PAGE, "preset"))})
    if st.session_state.get("structure.window_of") != current_layer():
        reset_window()
    publish()


def publish() -> None:
    """Write what the controls hold into the address."""
    address.publish(PAGE, NAMES, _held())


def _read(asked: Mapping[str, str]) -> None:
    known = query.read(asked, {**GEOMETRY, **dict.fromkeys(WINDOW, 0), **FURTHER, "partner": 0})
    known["tensor"] = asked.get("tensor", "")
    for name, allowed in (("variant", VARIANT_WORDS), ("side", SIDES), ("weights", ("", *DRAWS, FILE))):
        if known.get(name) not in allowed:
            known.pop(name, None)
    state.fill(PAGE, {**GEOMETRY, **FURTHER, **{name: known[name] for name in (*GEOMETRY, *FURTHER) if name in known}})
    if all(name in known for name in WINDOW):
        state.fill(PAGE, {name: known[name] for name in WINDOW})
        st.session_state["structure.window_of"] = current_layer()


def _held() -> dict[str, str]:
    """What the controls say as parameters; a choice that is not made is left out."""
    held = query.write(state.values(PAGE, dict.fromkeys((*GEOMETRY, *WINDOW))))
    if current_feature() is not None:
        held |= query.write(state.values(PAGE, {"side": "", "feature": 0, "partner": 0}))
    if current_draw() is not None:
        held |= query.write(state.values(PAGE, {"weights": "", "seed": 0}))
    elif state.value(PAGE, "weights") == FILE:
        chosen = query.write(state.values(PAGE, {"weights": "", "file": "", "tensor": ""}))
        held |= {name: text for name, text in chosen.items() if text}
    return held


def current_feature() -> tuple[str, int] | None:
    """Return the chosen feature, side and index, None where none is."""
    side = state.value(PAGE, "side")
    return None if side in (None, "none") else (side, state.value(PAGE, "feature"))


def current_pair() -> tuple[int, int] | None:
    """Return the chosen input and output, None where no feature is chosen on the other side."""
    chosen, partner = current_feature(), state.value(PAGE, "partner")
    if chosen is None or partner is None:
        return None
    side, feature = chosen
    return (feature, partner) if side == "input" else (partner, feature)


def current_draw() -> tuple[int, str] | None:
    """Return seed and rule of the drawn weights, None where none are shown."""
    rule = state.value(PAGE, "weights")
    return (state.value(PAGE, "seed"), rule) if rule in DRAWS else None


def current_layer() -> Layer:
    """Return the geometry that the controls hold."""
    return Layer(**state.values(PAGE, GEOMETRY))


def current_window() -> tuple[int, int, int, int]:
    """Return the window that the controls hold: out_start, out_stop, in_start, in_stop."""
    start_out, stop_out, start_in, stop_in = (state.value(PAGE, name) for name in WINDOW)
    return start_out, stop_out, start_in, stop_in


def reset_window() -> None:
    """Show the surroundings of the first block corner."""
    layer = current_layer()
    corner = layer.corner() if min(layer.in_features, layer.out_features, layer.n_blocks) > 0 else (0, 1, 0, 1)
    state.fill(PAGE, dict(zip(WINDOW, corner, strict=True)))
    st.session_state["structure.window_of"] = layer


def geometry_controls() -> None:
    """Draw the five fields of the geometry and the preset."""
    with st.container(border=True):
        preset, size_in, size_out, blocks, grain = st.columns([2, 1.25, 1.25, 1, 1])
        preset.selectbox(
            "Layer",
            [*(p.label for p in presets.PRESETS), presets.CUSTOM],
            key="structure.preset",
            on_change=_take_preset,
            help="A feed-forward matrix of a known model; changing a size makes it custom.",
            **KEEP,
        )
        boxes = {"in_features": size_in, "out_features": size_out, "n_blocks": blocks, "grain": grain}
        helps = {
            "in_features": "Inputs of the layer (features): columns of the weight.",
            "out_features": "Outputs of the layer (features): rows of the weight.",
            "n_blocks": "Number n of blocks of each component; must divide both sizes.",
            "grain": "Features that the interleave moves together; 1 is the paper. n·grain must divide each permuted side.",
        }
        for name, box in boxes.items():
            box.number_input(name, step=1, format="%d", key=f"structure.{name}", help=helps[name], **KEEP)
        st.radio(
            "variant",
            list(VARIANT_WORDS),
            horizontal=True,
            format_func=str.upper,
            key="structure.variant",
            help="  \n".join(f"**{name.upper()}** {text}." for name, text in VARIANT_WORDS.items()),
            **KEEP,
        )


def window_controls() -> None:
    """Draw the four bounds of the window that the close-up shows."""
    labels = {
        "out_start": "first output",
        "out_stop": "output stop",
        "in_start": "first input",
        "in_stop": "input stop",
    }
    for column, (name, label) in zip(st.columns(4), labels.items(), strict=True):
        column.number_input(
            label,
            step=1,
            format="%d",
            key=f"structure.{name}",
            help="Feature index, counted from 0; the stop is not part of the window.",
            **KEEP,
        )


def feature_controls() -> None:
    """Draw the choice of one feature, and of one on the other side that it may reach."""
    side, index, partner = st.columns([1.4, 1, 1], vertical_alignment="bottom")
    side.radio(
        "Follow one feature",
        list(SIDES),
        horizontal=True,
        key="structure.side",
        help="An input: which outputs it feeds. An output: which inputs it reads. Its lines are drawn strong.",
        **KEEP,
    )
    if state.value(PAGE, "side") != "none":
        index.number_input(
            "its index", step=1, format="%d", key="structure.feature", help="Feature index, counted from 0.", **KEEP
        )
        other = "output" if state.value(PAGE, "side") == "input" else "input"
        partner.number_input(
            f"and an {other}",
            step=1,
            format="%d",
            key="structure.partner",
            placeholder="none",
            help=f"Index of an {other}: in how many layers the two meet, and the path between them.",
            **KEEP,
        )


def _take_preset() -> None:
    preset = presets.named(state.value(PAGE, "preset"))
    if preset is not None:
        state.fill(PAGE, {"in_features": preset.in_features, "out_features": preset.out_features})
