"""Which model: one that the service knows by name, or the config.json of one's own; and the page's state in the address."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from frontend.logic import models_query
from frontend.logic.models_config import LONGEST_TEXT, config_text, pack
from frontend.logic.models_cost import large
from frontend.logic.models_request import CUSTOM, DEFAULTS, to_controls
from frontend.schemas_models import PresetJson
from frontend.sections import address, state

__all__ = ["PAGE", "controls", "model_choice", "own_config", "publish", "refill", "take_address", "wants_refill"]

PAGE = "models"
JOB = models_query.JOB
HELD = {**DEFAULTS, JOB: None}
KEEP: dict[str, Any] = {"persist_state": "session"}


def take_address() -> None:
    """Fill the controls from the address when it is a link to follow."""
    address.follow(PAGE, models_query.NAMES, _read, _held)
    start = models_query.read({})
    state.prepare(PAGE, {name: start[name] for name in HELD})
    # At once: a press may end this run before its end, and the same address must not be read twice.
    publish()


def publish() -> None:
    """Write what the controls hold into the address."""
    address.publish(PAGE, models_query.NAMES, _held())


def controls() -> dict[str, Any]:
    """Return what every control holds."""
    return state.values(PAGE, DEFAULTS)


def _held() -> dict[str, str]:
    return models_query.write(state.values(PAGE, HELD))


def _read(asked: Mapping[str, str]) -> None:
    found = models_query.read(asked)
    state.fill(PAGE, found)
    # A link to a measurement alone leaves the controls to it, and so does one whose configuration was too long for it.
    bare = "model" not in asked or (found["model"] == CUSTOM and not found["config_text"])
    st.session_state["models.filled"] = None if bare else found[JOB]


def wants_refill(job_id: str) -> bool:
    """Whether the controls have still to take the request of this measurement."""
    return bool(st.session_state.get("models.filled") != job_id)


def refill(spec: Mapping[str, Any], job_id: str) -> None:
    """Set every control to what a measurement was asked for; call before they are drawn."""
    state.fill(PAGE, to_controls(spec))
    st.session_state["models.filled"] = job_id


def model_choice(box: Any, known: Sequence[PresetJson]) -> None:
    """Draw the choice of a model into ``box``."""
    named = {each["name"]: each for each in known}
    chosen = state.value(PAGE, "model")
    if chosen in named:
        st.session_state["models.last_preset"] = chosen
    options = list(dict.fromkeys([*named, CUSTOM, chosen]))

    def said(name: str) -> str:
        if name == CUSTOM:
            return "a config.json of your own"
        each = named.get(name)
        return f"{name}: {large(each['parameters'])} parameters" if each else name

    box.selectbox(
        "Model",
        options,
        format_func=said,
        key="models.model",
        on_change=_take_config,
        args=({name: each.get("config") or {} for name, each in named.items()},),
        help="A published configuration, built without its trained weights; or paste the config.json of any transformers model.",
        **KEEP,
    )


def _take_config(configs: Mapping[str, dict[str, Any]]) -> None:
    """A text of one's own begins as that of the model before: an example to change."""
    before = configs.get(st.session_state.get("models.last_preset", ""))
    if state.value(PAGE, "model") == CUSTOM and not state.value(PAGE, "config_text") and before:
        state.fill(PAGE, {"config_text": config_text(before)})


def own_config() -> None:
    """Draw the text of a configuration and a box for a file, where one's own is chosen."""
    if state.value(PAGE, "model") != CUSTOM:
        return
    text, file = st.columns([2, 1])
    text.text_area(
        "config.json",
        height=220,
        max_chars=LONGEST_TEXT,
        key="models.config_text",
        placeholder='{"model_type": "opt", "hidden_size": 768, …}',
        help="The object of a config.json with its model_type. No code of a model is ever run. Ctrl+Enter takes a change.",
        **KEEP,
    )
    with file:
        # A new key after each file, so that the same file can be chosen again after the text was changed.
        turn = st.session_state.setdefault("models.files", 0)
        st.file_uploader(
            "or from a file",
            type=["json"],
            key=f"models.file.{turn}",
            on_change=_take_file,
            args=(turn,),
            max_upload_size=1,
            help="Its text takes the place of the one on the left; it stays in this page.",
        )
        if (said := st.session_state.get("models.file_refused")) is not None:
            st.error(said, icon=":material/error:")
        if (text_now := state.value(PAGE, "config_text")) and len(text_now) > 0 and pack(text_now) is None:
            st.caption("This text is no JSON object, or too long for the address: a link to this page leaves it out.")


def _take_file(turn: int) -> None:
    file = st.session_state.get(f"models.file.{turn}")
    if file is None:
        return
    st.session_state["models.files"] = turn + 1
    st.session_state["models.file_refused"] = None
    try:
        content = file.getvalue().decode("utf-8-sig")
    except UnicodeDecodeError:
        st.session_state["models.file_refused"] = f"**{file.name}** is no text in UTF-8."
        return
    state.fill(PAGE, {"config_text": content[: LONGEST_TEXT + 1]})
