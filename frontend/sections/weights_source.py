"""Which matrix: a file that is sent to the service or was sent before, and one of its tensors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
import streamlit as st

from frontend.client import ApiClient, ApiProblemError, BackendUnreachableError
from frontend.logic import words
from frontend.logic.projection import projectable, tensor_words, upload_words
from frontend.schemas import SystemJson
from frontend.schemas_weights import UploadJson
from frontend.sections import address, state
from frontend.sections.backend import show_problem, show_unreachable

__all__ = ["choose_tensor", "choose_upload", "entries_link", "publish", "take_address"]

PAGE = "weights"
NAMES = ("upload", "tensor", "job")
ENDINGS = ["npy", "safetensors", "pt", "pth", "bin"]
LISTED = 100
KEEP: dict[str, Any] = {"persist_state": "session"}


def take_address() -> None:
    """Take file, tensor and job from the address when it is a link to follow."""
    address.follow(PAGE, NAMES, _read, _held)
    state.prepare(PAGE, dict.fromkeys(NAMES))


def publish() -> None:
    """Write file, tensor and job into the address."""
    address.publish(PAGE, NAMES, _held())


def _read(asked: Mapping[str, str]) -> None:
    state.fill(PAGE, {name: asked.get(name) for name in NAMES})


def _held() -> dict[str, str]:
    return {name: value for name, value in state.values(PAGE, dict.fromkeys(NAMES)).items() if value}


def choose_upload(api: ApiClient, machine: SystemJson) -> UploadJson | None:
    """Draw the box for a new file and the list of earlier ones; return the chosen one with its tensors."""
    with st.container(border=True):
        left, right = st.columns(2, gap="large")
        with left:
            _receive(api, machine)
        with right:
            return _chosen(api)


def _receive(api: ApiClient, machine: SystemJson) -> None:
    largest = (machine.get("limits") or {}).get("max_upload_bytes") or 2**30
    # A new key after each file, so that the same one is not sent twice and its bytes are let go.
    turn = st.session_state.setdefault("weights.files", 0)
    file = st.file_uploader(
        "A file with a weight matrix",
        type=ENDINGS,
        key=f"weights.file.{turn}",
        max_upload_size=max(1, largest // 2**20),
        help=f"A NumPy array (.npy), a .safetensors file or a state dict written by torch.save, up to {words.data_size(largest)}. "
        "It goes to the service and stays there until it is deleted. No pickle is ever run.",
    )
    refused: tuple[str, ApiProblemError] | None = st.session_state.get("weights.refused")
    if file is not None:
        st.session_state["weights.files"] = turn + 1
        try:
            with st.spinner(f"Sending and checking {file.name}"):
                kept = api.upload(file.name, file, file.size)
        except ApiProblemError as error:
            st.session_state["weights.refused"] = (file.name, error)
        except BackendUnreachableError as error:
            show_unreachable(error)
            return
        else:
            st.session_state.pop("weights.refused", None)
            state.fill(PAGE, {"upload": kept["id"], "tensor": None, "job": None})
        st.rerun()
    elif refused is not None:
        show_problem(refused[1], heading=f"**{refused[0]} was not taken:**")


def _chosen(api: ApiClient) -> UploadJson | None:
    known = {upload["id"]: upload for upload in api.uploads(limit=LISTED)["items"]}
    wanted = state.value(PAGE, "upload")
    chosen: UploadJson | None = None
    if wanted:
        try:
            chosen = api.upload_of(wanted)
        except ApiProblemError as error:
            show_problem(error, heading="**This file is not here any more.** Choose another one.")
            state.fill(PAGE, {"upload": None, "tensor": None})
        else:
            known.setdefault(wanted, chosen)
    if not known:
        st.markdown("**No file yet.** Send one: a single matrix as .npy is enough.")
        return None
    st.selectbox(
        "Files that the service has",
        list(known),
        index=None,
        format_func=lambda upload_id: upload_words(known[upload_id]),
        key="weights.upload",
        on_change=_other_file,
        placeholder="choose one",
        help=f"Newest first, at most {LISTED}.",
        **KEEP,
    )
    if chosen is not None and st.button("Delete this file …", icon=":material/delete:", key="weights.delete"):
        _confirm(api, chosen)
    return chosen


def _other_file() -> None:
    state.fill(PAGE, {"tensor": None, "job": None})
    st.session_state.pop("weights.refused", None)


@st.dialog("Delete this file?")
def _confirm(api: ApiClient, upload: UploadJson) -> None:
    st.markdown(f"**{upload['name']}**, {words.data_size(upload['bytes'])}. Projections that were made of it stay.")
    with st.container(horizontal=True):
        if st.button("Delete", type="primary", key="weights.confirm"):
            try:
                api.delete_upload(upload["id"])
            except ApiProblemError as error:
                show_problem(error)
            except BackendUnreachableError as error:
                show_unreachable(error)
            else:
                state.fill(PAGE, {"upload": None, "tensor": None, "job": None})
                st.rerun()
        if st.button("Keep", key="weights.keep"):
            st.rerun()


def choose_tensor(upload: UploadJson) -> str | None:
    """Draw the choice of one matrix of the file; return its name, None where the file has none."""
    usable = {tensor["name"]: tensor for tensor in projectable(upload)}
    others = [tensor for tensor in upload.get("tensors") or [] if not tensor["projectable"]]
    if usable:
        if state.value(PAGE, "tensor") not in usable:
            state.fill(PAGE, {"tensor": next(iter(usable))})
        st.selectbox(
            "tensor",
            list(usable),
            format_func=lambda name: tensor_words(usable[name]),
            key="weights.tensor",
            help="A matrix of the file; rows are outputs, as in torch.nn.Linear.",
            **KEEP,
        )
    else:
        st.warning("**This file holds no matrix that can be projected.**", icon=":material/warning:")
    if others:
        with st.expander(f"{words.plural(len(others), 'tensor')} that cannot be projected, and why"):
            st.dataframe(
                pd.DataFrame({"tensor": tensor_words(tensor), "reason": tensor["reason"]} for tensor in others),
                hide_index=True,
                alt="Tensors that cannot be projected, each with the reason",
            )
    name: str | None = state.value(PAGE, "tensor") if usable else None
    return name


def entries_link(upload: UploadJson, tensor: str, controls: Mapping[str, Any]) -> None:
    """Draw the way to the matrix's single entries, on the pattern that is to be looked at in detail."""
    shape = next(one["shape"] for one in projectable(upload) if one["name"] == tensor)
    rows, columns = reversed(shape) if controls["transpose"] else shape
    chosen = {name: controls[f"examine_{name}"] for name in ("n_blocks", "variant", "grain")}
    sizes = {"in_features": columns, "out_features": rows}
    shown = {"weights": "file", "file": upload["id"], "tensor": tensor}
    st.page_link(
        "views/structure.py",
        label="See its single entries on the pattern",
        icon=":material/grid_on:",
        query_params={name: str(value) for name, value in (sizes | chosen | shown).items()},
    )
