"""The controls of the Layer lab: one for each field of a request, and Run."""

from __future__ import annotations

from typing import Any

import streamlit as st

from frontend.client import ApiClient, ApiProblemError, BackendUnreachableError
from frontend.logic import presets, request
from frontend.logic.run_words import PASS_WORDS
from frontend.schemas import DeviceJson, SystemJson
from frontend.sections import state
from frontend.sections.backend import show_problem, show_unreachable
from frontend.sections.lab_advanced import KEEP, advanced, with_chosen
from frontend.sections.stored_view import SERVED
from frontend.settings import public_api_url

__all__ = ["DTYPES", "lab_form", "refill"]

PAGE = "lab"
BLOCKS = [1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64]
VARIANTS = {"it": "IT", "ot": "OT", "dt": "DT", "bd": "BD"}
MODULES = {"linear": "one layer", "feed_forward": "feed-forward pair"}
DTYPES = ["float32", "float64", "bfloat16", "float16"]
TEXT_LISTS = ("n_blocks", "grains")


def refill(spec: dict[str, Any]) -> None:
    """Set every control to what a run was asked for."""
    known = {name: spec.get(name, default) for name, default in request.DEFAULTS.items()}
    for name in TEXT_LISTS:
        known[name] = [str(number) for number in known[name]]
    known["max_seconds"] = float(known["max_seconds"])
    known["target_interval"] = float(known["target_interval"])
    state.fill(PAGE, known)
    preferred = state.value(PAGE, "preset") or ""
    state.fill(PAGE, {"preset": presets.matching(known["in_features"], known["out_features"], preferred)})


def lab_form(api: ApiClient, machine: SystemJson) -> None:
    """Draw the controls. Run submits them and puts the new run into the address."""
    defaults = dict(request.DEFAULTS)
    for name in TEXT_LISTS:
        defaults[name] = [str(number) for number in defaults[name]]
    state.prepare(PAGE, {**defaults, "preset": presets.PRESETS[0].label})
    with st.container(border=True):
        _sizes()
        _candidates()
        _conditions(machine)
        asked = request.from_controls(state.values(PAGE, request.DEFAULTS))
        with st.container(horizontal=True, vertical_alignment="center"):
            run = st.button("Run", type="primary", icon=":material/play_arrow:", key="lab.run")
            st.markdown(request.summary(asked))
        if run:
            _submit(api, asked)
        elif (refusal := st.session_state.get("lab.refusal")) is not None and refusal[0] == asked:
            show_problem(refusal[1], heading="**Not started.** The service cannot measure this:")
    with st.expander("The same request by REST and by command line", icon=":material/terminal:"):
        st.code(request.curl(asked, public_api_url()), language="bash", wrap_lines=True)
        st.code(request.command_line(asked), language="bash", wrap_lines=True)


def _submit(api: ApiClient, asked: dict[str, Any]) -> None:
    st.session_state.pop("lab.refusal", None)
    try:
        record = api.submit(asked)
    except ApiProblemError as error:
        # Kept with the request it belongs to: the sentence stays while one reads it and goes with the next change.
        st.session_state["lab.refusal"] = (asked, error)
        show_problem(error, heading="**Not started.** The service cannot measure this:")
    except BackendUnreachableError as error:
        show_unreachable(error)
    else:
        st.session_state["lab.filled"] = record["id"]
        if record.get("served_from_store"):
            st.session_state[SERVED] = record["id"]
        st.query_params["run"] = record["id"]
        st.rerun()


def _sizes() -> None:
    preset, size_in, size_out, tokens = st.columns([2.2, 1, 1, 1])
    preset.selectbox(
        "Layer",
        [*(p.label for p in presets.PRESETS), presets.CUSTOM],
        key="lab.preset",
        on_change=_take_preset,
        help="A feed-forward matrix of a known model; fc1 widens, fc2 narrows. Changing a size makes it custom.",
        **KEEP,
    )
    size_in.number_input(
        "in_features",
        step=1,
        format="%d",
        key="lab.in_features",
        on_change=_sizes_changed,
        help="Inputs of the layer (features), as in torch.nn.Linear. Must be divisible by every n_blocks.",
        **KEEP,
    )
    size_out.number_input(
        "out_features",
        step=1,
        format="%d",
        key="lab.out_features",
        on_change=_sizes_changed,
        help="Outputs of the layer (features). Must be divisible by every n_blocks.",
        **KEEP,
    )
    tokens.number_input(
        "tokens",
        step=1,
        format="%d",
        key="lab.tokens",
        help="Rows of the input: batch × sequence length.",
        **KEEP,
    )


def _candidates() -> None:
    blocks, variants, passes = st.columns([1.2, 1.2, 1])
    blocks.multiselect(
        "n_blocks",
        with_chosen([str(n) for n in BLOCKS], "n_blocks"),
        key="lab.n_blocks",
        accept_new_options=True,
        help="Number n of diagonal blocks (the paper's dyad_dim). Parameters and multiply-adds fall to 2/n of dense; savings "
        "start at n = 3. Type another number to add it.",
        **KEEP,
    )
    variants.multiselect(
        "variants",
        list(VARIANTS),
        format_func=VARIANTS.__getitem__,
        key="lab.variants",
        help="Which side BLOCKTRANS permutes: IT the inputs, OT the outputs, DT both. BD has no BLOCKTRANS: an ablation, not a "
        "DYAD layer.",
        **KEEP,
    )
    passes.multiselect(
        "passes",
        list(PASS_WORDS),
        format_func=PASS_WORDS.__getitem__,
        key="lab.passes",
        help="forward: inference. backward: the gradient of the input or of the weights alone. Training step: forward, both "
        "gradients and the optimizer's step. decode: forward with weights that come from memory, for few tokens.",
        **KEEP,
    )


def _conditions(machine: SystemJson) -> None:
    devices = {device["name"]: device for device in machine["devices"]}
    device_box, dtype_box, module_box, seconds_box = st.columns([1.6, 1.3, 1.3, 1])
    names = list(devices)
    if (chosen := state.value(PAGE, "device")) not in names:
        names.append(chosen)  # a run from another machine; the service says what it thinks of it here
    device_box.selectbox(
        "device",
        names,
        format_func=lambda name: _device_words(name, devices.get(name)),
        key="lab.device",
        help="Where both sides are measured. Without a CUDA device only the CPU is offered.",
        **KEEP,
    )
    emulated = (devices.get(chosen) or {}).get("emulated_dtypes") or []
    dtype_box.selectbox(
        "dtype",
        DTYPES,
        format_func=lambda name: f"{name} (emulated here, slow)" if name in emulated else name,
        key="lab.dtype",
        help="One number format for the dense twin and every candidate. An emulated one runs, and is flagged.",
        **KEEP,
    )
    module_box.selectbox(
        "module",
        list(MODULES),
        format_func=MODULES.__getitem__,
        key="lab.module",
        help="One linear layer in → out, or a feed-forward pair in → out → in with an activation between.",
        **KEEP,
    )
    seconds_box.number_input(
        "time budget (s)",
        step=5.0,
        format="%g",
        key="lab.max_seconds",
        help="max_seconds: the most that timing all passes together may take, in seconds. More gives narrower intervals.",
        **KEEP,
    )
    advanced(machine)


def _device_words(name: str, device: DeviceJson | None) -> str:
    if device is None:
        return f"{name} (not on this machine)"
    return f"{name}: {device['description']}" if device.get("description") else name


def _take_preset() -> None:
    preset = presets.named(state.value(PAGE, "preset"))
    if preset is not None:
        state.fill(PAGE, {"in_features": preset.in_features, "out_features": preset.out_features})


def _sizes_changed() -> None:
    sizes = state.value(PAGE, "in_features"), state.value(PAGE, "out_features")
    state.fill(PAGE, {"preset": presets.matching(*sizes, preferred=state.value(PAGE, "preset") or "")})
