"""The controls of the Models page that a first look does not need."""

from __future__ import annotations

import streamlit as st

from frontend.logic.models_request import CHOICES
from frontend.schemas import SystemJson
from frontend.sections import state
from frontend.sections.models_source import KEEP, PAGE

__all__ = ["advanced"]

INTERVALS = [0.005, 0.01, 0.02, 0.05, 0.1]


def advanced(machine: SystemJson) -> None:
    """Draw the expander with two rows of controls."""
    with st.expander("Advanced: grain, implementation, sampling, precision, threads", icon=":material/tune:"):
        _structure(machine)
        _conditions()


def _structure(machine: SystemJson) -> None:
    grain, implementation, interval, seed = st.columns(4)
    grain.number_input(
        "grain",
        step=1,
        format="%d",
        key="models.grain",
        help="Features that the interleave moves together; 1 is the paper.",
        **KEEP,
    )
    known = [each["name"] for each in machine.get("implementations", [])]
    implementation.selectbox(
        "implementation",
        list(dict.fromkeys(["auto", *known, state.value(PAGE, "implementation")])),
        key="models.implementation",
        help="How the weight is computed while it is measured; auto takes the best known one at each size.",
        **KEEP,
    )
    chosen = state.value(PAGE, "target_interval")
    interval.selectbox(
        "wished interval",
        sorted({*INTERVALS, *([chosen] if isinstance(chosen, float) else [])}),
        format_func=lambda share: f"±{100 * share:g} %",
        key="models.target_interval",
        help="Sampling of a pass stops when every 95 % interval of a speed-up is this narrow, or when the time budget is spent.",
        **KEEP,
    )
    seed.number_input(
        "seed", step=1, format="%d", key="models.seed", help="Of weights, tokens and the order of the rounds.", **KEEP
    )


def _conditions() -> None:
    precision, threads, compiled, parts = st.columns(4, vertical_alignment="bottom")
    precision.selectbox(
        "float32 matmul precision",
        CHOICES["float32_matmul_precision"],
        key="models.float32_matmul_precision",
        help="As torch.set_float32_matmul_precision, for both sides: below highest a GPU may use tf32, a CPU bfloat16.",
        **KEEP,
    )
    threads.number_input(
        "threads",
        value=None,
        step=1,
        format="%d",
        key="models.threads",
        placeholder="all physical cores",
        help="CPU threads for both sides. Empty: all physical cores that the service may use.",
        **KEEP,
    )
    compiled.checkbox(
        "torch.compile",
        key="models.compile",
        help="Measure the dense model and every candidate compiled; compiling is not timed.",
        **KEEP,
    )
    parts.checkbox(
        "measure the parts too",
        key="models.parts",
        help="Also time the layers of one block by themselves, and foretell from them what the step should take.",
        **KEEP,
    )
