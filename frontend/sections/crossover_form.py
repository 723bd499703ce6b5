"""The controls of the Crossover page: one for each field of a sweep, its size before it starts, and Start."""

from __future__ import annotations

from typing import Any

import streamlit as st

from frontend.client import ApiClient, ApiProblemError, BackendUnreachableError
from frontend.logic import sweep_request
from frontend.logic.run_words import PASS_WORDS
from frontend.schemas import SystemJson
from frontend.sections import state
from frontend.sections.backend import show_problem, show_unreachable
from frontend.sections.crossover_advanced import advanced
from frontend.settings import public_api_url

__all__ = ["crossover_form", "refill", "submit"]

PAGE = "crossover"
WIDTHS = [64, 128, 192, 256, 384, 512, 768, 1024, 1536, 2048, 3072, 4096]
TOKENS = [1, 4, 16, 64, 128, 256, 512, 1024, 2048, 4096, 8192]
BLOCKS = [2, 3, 4, 8, 16, 32]
VARIANTS = {"it": "IT", "ot": "OT", "dt": "DT", "bd": "BD"}
MODULES = {"linear": "one layer", "feed_forward": "feed-forward pair"}
DTYPES = ["float32", "float64", "bfloat16", "float16"]
KEEP: dict[str, Any] = {"persist_state": "session"}


def refill(spec: dict[str, Any]) -> None:
    """Set every control to what a sweep was asked for."""
    state.fill(PAGE, sweep_request.to_controls(spec))


def crossover_form(api: ApiClient, machine: SystemJson) -> None:
    """Draw the controls. Start submits them and puts the new sweep into the address."""
    defaults = sweep_request.to_controls(sweep_request.DEFAULTS)
    state.prepare(PAGE, defaults)
    with st.container(border=True):
        _lattice()
        _candidates()
        _conditions(machine)
        advanced(machine)
        asked = sweep_request.from_controls(state.values(PAGE, defaults))
        with st.container(horizontal=True, vertical_alignment="center"):
            start = st.button("Start", type="primary", icon=":material/play_arrow:", key="crossover.start")
            st.markdown(sweep_request.estimate(asked))
        if start:
            st.session_state.pop("crossover.refusal", None)
            submit(api, asked)
        refusal = st.session_state.get("crossover.refusal")
        if refusal is not None and refusal[0] == asked:
            _show_refusal(api, *refusal)
    with st.expander("The same sweep by REST and by command line", icon=":material/terminal:"):
        st.code(sweep_request.curl(asked, public_api_url()), language="bash", wrap_lines=True)
        st.code(sweep_request.command_line(asked), language="bash", wrap_lines=True)


def submit(api: ApiClient, asked: dict[str, Any]) -> None:
    """Start a sweep and open it; what the service says against it is kept until the request changes."""
    try:
        record = api.submit_sweep(asked)
    except ApiProblemError as error:
        st.session_state["crossover.refusal"] = ({**asked}, error)
    except BackendUnreachableError as error:
        show_unreachable(error)
    else:
        st.session_state.pop("crossover.refusal", None)
        st.session_state["crossover.filled"] = record["id"]
        st.query_params["sweep"] = record["id"]
        st.rerun(scope="app")


def _show_refusal(api: ApiClient, asked: dict[str, Any], error: ApiProblemError) -> None:
    if not sweep_request.refused_for_size(error.errors):
        show_problem(error, heading="**Not started.** The service cannot measure this:")
        return
    # Only its size stands against it: that is for a person to decide.
    rule = error.errors[0]["rule"]
    st.warning(f"**This is a large map.** {rule[:1].upper()}{rule[1:]}.", icon=":material/grid_view:")
    if st.button("Measure all the same", icon=":material/play_arrow:", key="crossover.confirm"):
        submit(api, {**asked, sweep_request.CONFIRM_FIELD: True})


def _lattice() -> None:
    widths, tokens = st.columns(2)
    widths.multiselect(
        "widths",
        _with_chosen(WIDTHS, "widths"),
        key="crossover.widths",
        accept_new_options=True,
        help="in_features of the layers; out_features is four times as many unless Advanced says otherwise. These are the "
        "finest lines of the map: more of them give a finer contour. Type another number to add it.",
        **KEEP,
    )
    tokens.multiselect(
        "tokens",
        _with_chosen(TOKENS, "tokens"),
        key="crossover.tokens",
        accept_new_options=True,
        help="Rows of the input, batch × sequence length: the other axis of the map.",
        **KEEP,
    )


def _candidates() -> None:
    blocks, variants, passes = st.columns([1, 1, 1.3])
    blocks.multiselect(
        "n_blocks",
        _with_chosen(BLOCKS, "n_blocks"),
        key="crossover.n_blocks",
        accept_new_options=True,
        help="Each n gets a map of its own; where it does not divide a size it is skipped there, and the result says so.",
        **KEEP,
    )
    variants.multiselect(
        "variants",
        list(VARIANTS),
        format_func=VARIANTS.__getitem__,
        key="crossover.variants",
        help="Which side BLOCKTRANS permutes: IT the inputs, OT the outputs, DT both. BD is an ablation. Each gets a map.",
        **KEEP,
    )
    passes.multiselect(
        "passes",
        list(PASS_WORDS),
        format_func=PASS_WORDS.__getitem__,
        key="crossover.passes",
        help="forward: inference. Training step: forward, both gradients and the optimizer's step. Each gets a map.",
        **KEEP,
    )


def _conditions(machine: SystemJson) -> None:
    names = [device["name"] for device in machine["devices"]]
    if (chosen := state.value(PAGE, "device")) not in names:
        names.append(chosen)  # a sweep from another machine; the service says what it thinks of it here
    described = {device["name"]: device.get("description", "") for device in machine["devices"]}
    device, dtype, module, minutes = st.columns([1.6, 1.1, 1.3, 1])
    device.selectbox(
        "device",
        names,
        format_func=lambda name: f"{name}: {described[name]}" if described.get(name) else name,
        key="crossover.device",
        help="Where both sides are measured.",
        **KEEP,
    )
    dtype.selectbox(
        "dtype",
        DTYPES,
        key="crossover.dtype",
        help="One number format for the dense twin and every candidate.",
        **KEEP,
    )
    module.selectbox(
        "module",
        list(MODULES),
        format_func=MODULES.__getitem__,
        key="crossover.module",
        help="One linear layer in → out, or a feed-forward pair in → out → in with an activation between.",
        **KEEP,
    )
    minutes.number_input(
        "time budget (min)",
        step=1.0,
        format="%g",
        key="crossover.minutes",
        help="The most that the whole sweep may take. It stops there, keeps what it has, and can be gone on with.",
        **KEEP,
    )


def _with_chosen(options: list[int], name: str) -> list[str]:
    return list(dict.fromkeys([*(str(option) for option in options), *(state.value(PAGE, name) or [])]))
