"""The controls of the Models page: the model, what to replace, the work it is given, and Measure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import streamlit as st

from frontend.client import ApiClient, ApiProblemError, BackendUnreachableError
from frontend.logic.models_config import ConfigError
from frontend.logic.models_request import CHOICES, MODE_WORDS, measure_request, summary
from frontend.logic.run_words import pass_words
from frontend.schemas import SystemJson
from frontend.schemas_models import PresetJson
from frontend.sections import state
from frontend.sections.backend import show_problem, show_unreachable
from frontend.sections.models_advanced import advanced
from frontend.sections.models_source import KEEP, PAGE, controls, model_choice, own_config

__all__ = ["models_form"]

BLOCKS = [2, 4, 8, 16, 32]
OPTIMIZERS = {"adamw": "AdamW", "sgd": "SGD", "none": "none"}
REFUSED = "**Not started.** The service cannot measure this:"


def models_form(api: ApiClient, machine: SystemJson, known: Sequence[PresetJson]) -> None:
    """Draw the controls; Measure queues a measurement and puts the job into the address."""
    with st.container(border=True):
        _model(known)
        _candidates()
        _work(machine)
        advanced(machine)
        try:
            asked = measure_request(controls())
        except ConfigError:
            return  # the estimate below says what is wrong with the text
        with st.container(horizontal=True, vertical_alignment="center"):
            pressed = st.button("Measure here", type="primary", icon=":material/timer:", key="models.measure")
            st.markdown(summary(asked))
        if pressed:
            _submit(api, asked)
        elif (refusal := st.session_state.get("models.refusal")) is not None and refusal[0] == asked:
            show_problem(refusal[1], heading=REFUSED)


def _submit(api: ApiClient, asked: dict[str, Any]) -> None:
    st.session_state.pop("models.refusal", None)
    try:
        record = api.submit_model(asked)
    except ApiProblemError as error:
        # Kept with the request it belongs to: the sentence stays while one reads it and goes with the next change.
        st.session_state["models.refusal"] = (asked, error)
        show_problem(error, heading=REFUSED)
    except BackendUnreachableError as error:
        show_unreachable(error)
    else:
        st.session_state["models.filled"] = record["id"]
        state.fill(PAGE, {"job": record["id"]})
        st.rerun()


def _model(known: Sequence[PresetJson]) -> None:
    model, batch, sequence, dtype = st.columns([2.2, 1, 1, 1.1])
    model_choice(model, known)
    batch.number_input("batch", step=1, format="%d", key="models.batch", help="Sequences per step.", **KEEP)
    sequence.number_input(
        "sequence",
        step=1,
        format="%d",
        key="models.sequence",
        help="Tokens per sequence; while decoding those that are in the cache already.",
        **KEEP,
    )
    dtype.selectbox(
        "dtype",
        CHOICES["dtype"],
        key="models.dtype",
        help="Of weights, gradients and activations, dense and DYAD alike.",
        **KEEP,
    )
    own_config()


def _candidates() -> None:
    blocks, variants, modes, optimizer, checkpointing = st.columns([1, 1, 1.5, 0.8, 0.9], vertical_alignment="bottom")
    blocks.multiselect(
        "n_blocks",
        list(dict.fromkeys([*(str(n) for n in BLOCKS), *(state.value(PAGE, "n_blocks") or [])])),
        key="models.n_blocks",
        accept_new_options=True,
        help="Numbers n of blocks; the replaced layers keep 2/n of their parameters. Type another number to add it.",
        **KEEP,
    )
    variants.multiselect(
        "variants",
        CHOICES["variants"],
        format_func=str.upper,
        key="models.variants",
        help="Which side BLOCKTRANS permutes: IT the inputs, OT the outputs, DT both. BD has no BLOCKTRANS: an ablation.",
        **KEEP,
    )
    modes.multiselect(
        "replace",
        CHOICES["modes"],
        format_func=MODE_WORDS.__getitem__,
        key="models.modes",
        help="Each linear layer by itself, or two of them and the activation between by one module, which saves passes "
        "over memory where the architecture allows it.",
        **KEEP,
    )
    optimizer.selectbox(
        "optimizer",
        CHOICES["optimizer"],
        format_func=OPTIMIZERS.__getitem__,
        key="models.optimizer",
        help="What ends a training step: AdamW keeps two states for each parameter, SGD (no momentum) none.",
        **KEEP,
    )
    checkpointing.checkbox(
        "checkpointing",
        key="models.checkpointing",
        help="Gradient checkpointing of each block: fewer activations are kept, one forward more is computed.",
        **KEEP,
    )


def _work(machine: SystemJson) -> None:
    names, passes, device, seconds = st.columns([1.7, 1.5, 1.2, 0.9])
    offered = st.session_state.get("models.patterns", [])
    names.multiselect(
        "layers to replace",
        list(dict.fromkeys([*offered, *(state.value(PAGE, "names") or [])])),
        key="models.names",
        accept_new_options=True,
        placeholder="the feed-forward layers",
        help="Patterns of dotted names, * and ? as in a shell. Empty: the feed-forward layers, where the architecture is known.",
        **KEEP,
    )
    passes.multiselect(
        "passes to measure",
        CHOICES["passes"],
        format_func=pass_words,
        key="models.passes",
        help="Training step: forward, loss, backward and the optimizer. Prefill: a forward without gradients that fills the "
        "cache. Decode: one more token behind those in the cache.",
        **KEEP,
    )
    described = {each["name"]: each.get("description", "") for each in machine["devices"]}
    chosen = state.value(PAGE, "device")
    device.selectbox(
        "device",
        list(dict.fromkeys([*described, chosen])),
        format_func=lambda name: f"{name}: {described[name]}" if described.get(name) else name,
        key="models.device",
        help="Where the dense model and every candidate are measured.",
        **KEEP,
    )
    seconds.number_input(
        "time budget (s)",
        step=10.0,
        format="%g",
        key="models.max_seconds",
        help="The most that timing all passes together may take, in seconds. More gives narrower intervals.",
        **KEEP,
    )
