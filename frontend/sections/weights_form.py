"""What to hold the matrix against: variants, n, detail, an order of hidden units; and Run."""

from __future__ import annotations

from typing import Any

import streamlit as st

from frontend.client import ApiClient, ApiProblemError, BackendUnreachableError
from frontend.logic.projection import DEFAULTS, controls_of, projectable, request_of, tensor_words
from frontend.schemas_weights import UploadJson
from frontend.sections import state
from frontend.sections.backend import show_problem, show_unreachable
from frontend.sections.weights_source import entries_link

__all__ = ["refill", "weights_form"]

PAGE = "weights"
VARIANTS = {"it": "IT", "ot": "OT", "dt": "DT", "bd": "BD"}
BLOCKS = ["2", "3", "4", "6", "8", "12", "16", "24", "32", "48", "64"]
KEEP: dict[str, Any] = {"persist_state": "session"}


def refill(spec: dict[str, Any]) -> None:
    """Set file, tensor and every control to what a projection was asked for."""
    state.fill(PAGE, {"upload": spec.get("upload"), "tensor": spec.get("tensor"), **controls_of(spec)})


def weights_form(api: ApiClient, upload: UploadJson, tensor: str) -> None:
    """Draw the controls; Run queues the projection and puts the job into the address."""
    state.prepare(PAGE, DEFAULTS)
    with st.container(border=True):
        _patterns()
        with st.expander("One structure in detail: singular values, pictures", icon=":material/search:"):
            _examine()
        others = [one for one in projectable(upload) if one["name"] != tensor]
        with st.expander("Order of the hidden units of a feed-forward", icon=":material/swap_vert:"):
            _reorder({one["name"]: tensor_words(one) for one in others})
        asked = request_of(upload["id"], tensor, state.values(PAGE, DEFAULTS))
        with st.container(horizontal=True, vertical_alignment="center"):
            pressed = st.button("Project", type="primary", icon=":material/play_arrow:", key="weights.run")
            entries_link(upload, tensor, state.values(PAGE, DEFAULTS))
        if pressed:
            _submit(api, asked)
        elif (refusal := st.session_state.get("weights.refusal")) is not None and refusal[0] == asked:
            show_problem(refusal[1], heading="**Not started.** The service cannot project this:")


def _submit(api: ApiClient, asked: dict[str, Any]) -> None:
    st.session_state.pop("weights.refusal", None)
    try:
        record = api.project(asked)
    except ApiProblemError as error:
        st.session_state["weights.refusal"] = (asked, error)
        show_problem(error, heading="**Not started.** The service cannot project this:")
    except BackendUnreachableError as error:
        show_unreachable(error)
    else:
        st.session_state["weights.filled"] = record["id"]
        state.fill(PAGE, {"job": record["id"]})
        st.rerun()


def _patterns() -> None:
    variants, blocks, grains = st.columns([1.3, 1.3, 1])
    variants.multiselect(
        "variants",
        list(VARIANTS),
        format_func=VARIANTS.__getitem__,
        key="weights.variants",
        help="Which side BLOCKTRANS permutes: IT the inputs, OT the outputs, DT both. BD has no BLOCKTRANS: an ablation.",
        **KEEP,
    )
    blocks.multiselect(
        "n_blocks",
        _with_chosen(BLOCKS, "n_blocks"),
        key="weights.n_blocks",
        accept_new_options=True,
        help="Numbers n of blocks; one that does not divide both sizes is reported as skipped.",
        **KEEP,
    )
    grains.multiselect(
        "grains",
        _with_chosen(["1", "2", "4", "8"], "grains"),
        key="weights.grains",
        accept_new_options=True,
        help="Features that the interleave moves together; 1 is the paper.",
        **KEEP,
    )
    with st.container(horizontal=True):
        st.toggle(
            "the file holds it as (in, out)",
            key="weights.transpose",
            help="torch.nn.Linear keeps (out, in). GPT-2's Conv1D, JAX and TensorFlow keep (in, out).",
            **KEEP,
        )
        st.toggle(
            "compare with low rank",
            key="weights.low_rank",
            help="Needs the singular values, which take the most time of a large matrix.",
            **KEEP,
        )


def _examine() -> None:
    st.toggle(
        "look at one structure in detail",
        key="weights.examine",
        help="Singular values of the matrix and of its projection, and pictures of the matrix and of what is dropped.",
        **KEEP,
    )
    if not state.value(PAGE, "examine"):
        return
    variant, blocks, grain, residual = st.columns([1.4, 1, 1, 1.4], vertical_alignment="bottom")
    variant.radio(
        "its variant",
        list(VARIANTS),
        horizontal=True,
        format_func=VARIANTS.__getitem__,
        key="weights.examine_variant",
        help="The structure to look at.",
        **KEEP,
    )
    blocks.number_input(
        "its n_blocks", step=1, format="%d", key="weights.examine_n_blocks", help="Must divide both sizes.", **KEEP
    )
    grain.number_input("its grain", step=1, format="%d", key="weights.examine_grain", help="1 is the paper.", **KEEP)
    residual.toggle(
        "singular values of what is dropped",
        key="weights.residual_spectrum",
        help="The largest is the worst error on any input of length one; costs as much time again.",
        **KEEP,
    )


def _reorder(others: dict[str, str]) -> None:
    st.caption(
        "Hidden units have no order of their own: permuting the rows of the first weight and the columns of the second "
        "together leaves the feed-forward as it is, and may let the patterns keep more. The tensor above is the first weight."
    )
    if state.value(PAGE, "second") not in others:
        state.fill(PAGE, {"second": None})
    second, turned = st.columns([2.4, 1], vertical_alignment="bottom")
    second.selectbox(
        "second weight",
        list(others),
        index=None,
        format_func=others.__getitem__,
        key="weights.second",
        placeholder="none: keep the order" if others else "the file has no other matrix",
        help="A matrix of the same file that takes the hidden units as inputs.",
        **KEEP,
    )
    turned.toggle("held as (in, out)", key="weights.second_transpose", help="As above, for the second weight.", **KEEP)
    if state.value(PAGE, "second") is None:
        return
    first_variant, second_variant, blocks = st.columns([1.4, 1.4, 1], vertical_alignment="bottom")
    for box, name, label in (
        (first_variant, "first_variant", "variant of the first"),
        (second_variant, "second_variant", "variant of the second"),
    ):
        box.radio(
            label,
            list(VARIANTS),
            horizontal=True,
            format_func=VARIANTS.__getitem__,
            key=f"weights.{name}",
            help="The pattern that this weight is to be projected on.",
            **KEEP,
        )
    blocks.number_input(
        "n_blocks of both", step=1, format="%d", key="weights.reorder_n_blocks", help="Must divide all sizes.", **KEEP
    )


def _with_chosen(options: list[str], name: str) -> list[str]:
    return list(dict.fromkeys([*options, *(state.value(PAGE, name) or [])]))
