"""The controls of the Layer lab that a first look does not need: sampling, conditions, the ladder, controls of the engine."""

from __future__ import annotations

from typing import Any

import streamlit as st

from frontend.logic.ladder import every_implementation
from frontend.logic.request import PEERS
from frontend.schemas import SystemJson
from frontend.sections import state

__all__ = ["KEEP", "advanced", "with_chosen"]

PAGE = "lab"
OPTIMIZERS = {"adamw": "AdamW", "sgd": "SGD", "none": "none"}
CACHES = {"warm": "warm", "flushed": "flushed before every call"}
PRECISIONS = ["highest", "high", "medium"]
INTERVALS = [0.005, 0.01, 0.02, 0.05, 0.1]
KEEP: dict[str, Any] = {"persist_state": "session"}


def advanced(machine: SystemJson) -> None:
    """Draw the expander with three rows of controls."""
    with st.expander("Advanced: ladder, sampling, optimizer, precision, cache, threads, seeds", icon=":material/tune:"):
        _ladder(machine)
        _sampling()
        _conditions()


def _ladder(machine: SystemJson) -> None:
    implementations, every, peers, grains = st.columns([2, 0.9, 1.4, 1], vertical_alignment="bottom")
    known = {item["name"]: item.get("summary", "") for item in machine.get("implementations", [])}
    options = list(dict.fromkeys(["auto", *known, *(state.value(PAGE, "implementations") or [])]))
    implementations.multiselect(
        "implementations",
        options,
        key="lab.implementations",
        help="Ways to compute the same weight; several make the ladder: all side by side, each checked first. "
        + " ".join(f"**{name}**: {text}." for name, text in known.items()),
        **KEEP,
    )
    every.button(
        "All of them",
        key="lab.ladder",
        icon=":material/stairs:",
        on_click=state.fill,
        args=(PAGE, {"implementations": every_implementation(known, str(state.value(PAGE, "device")))}),
        help="The ladder: every implementation of the same weight, side by side.",
    )
    peers.multiselect(
        "beside DYAD",
        list(PEERS),
        format_func=PEERS.__getitem__,
        key="lab.peers",
        help="Measured beside the candidates at equal parameters. dense again is the A/A control: a second dense twin, "
        "whose true speed-up is 1.0x; where the engine calls it different, distrust the other figures.",
        **KEEP,
    )
    grains.multiselect(
        "grains",
        with_chosen(["1", "2", "4", "8", "16", "32"], "grains"),
        key="lab.grains",
        accept_new_options=True,
        help="Features that the interleave moves together; 1 is the paper. n·grain must divide each permuted side.",
        **KEEP,
    )


def _sampling() -> None:
    interval, cache, seed, seeds = st.columns(4)
    chosen = state.value(PAGE, "target_interval")
    interval.selectbox(
        "wished interval",
        sorted({*INTERVALS, *([chosen] if isinstance(chosen, float) else [])}),
        format_func=lambda share: f"±{100 * share:g} %",
        key="lab.target_interval",
        help="Sampling of a pass stops when every 95 % interval of a speed-up is this narrow, or when the time budget is "
        "spent; the result says which.",
        **KEEP,
    )
    cache.selectbox(
        "cache",
        list(CACHES),
        format_func=CACHES.__getitem__,
        key="lab.cache",
        help="warm: as calls follow each other. Flushed: the last-level cache is overwritten before every call, untimed.",
        **KEEP,
    )
    seed.number_input(
        "seed",
        step=1,
        format="%d",
        key="lab.seed",
        help="Seed of weights, inputs and the order of the rounds.",
        **KEEP,
    )
    seeds.number_input(
        "number of seeds",
        step=1,
        format="%d",
        key="lab.n_seeds",
        help="Weights and inputs are drawn anew for each seed, from the one on the left upwards, each for an equal share of "
        "the rounds.",
        **KEEP,
    )


def _conditions() -> None:
    optimizer, precision, threads, switches = st.columns(4)
    optimizer.selectbox(
        "optimizer",
        list(OPTIMIZERS),
        format_func=OPTIMIZERS.__getitem__,
        key="lab.optimizer",
        help="What ends a training step; the other passes have none.",
        **KEEP,
    )
    precision.selectbox(
        "float32 matmul precision",
        PRECISIONS,
        key="lab.float32_matmul_precision",
        help="As torch.set_float32_matmul_precision, for both sides: below highest a GPU may use tf32, a CPU bfloat16.",
        **KEEP,
    )
    threads.number_input(
        "threads",
        value=None,
        step=1,
        format="%d",
        key="lab.threads",
        placeholder="all physical cores",
        help="CPU threads for both sides. Empty: all physical cores that the service may use.",
        **KEEP,
    )
    with switches:
        st.checkbox(
            "torch.compile",
            key="lab.compile",
            help="Measure the dense twin and every candidate compiled; compiling is not timed.",
            **KEEP,
        )
        on_cpu = not str(state.value(PAGE, "device")).startswith("cuda")
        st.checkbox(
            "CUDA graph",
            key="lab.cuda_graph",
            disabled=on_cpu and not state.value(PAGE, "cuda_graph"),
            help="Replay a captured graph instead of launching kernels one by one, for both sides; CUDA devices only.",
            **KEEP,
        )


def with_chosen(options: list[str], name: str) -> list[str]:
    """Return the options and whatever else the control holds."""
    return list(dict.fromkeys([*options, *(state.value(PAGE, name) or [])]))
