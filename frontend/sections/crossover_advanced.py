"""The controls of the Crossover page that a first map does not need."""

from __future__ import annotations

from typing import Any

import streamlit as st

from frontend.schemas import SystemJson
from frontend.sections import state

__all__ = ["advanced"]

PAGE = "crossover"
INTERVALS = [0.01, 0.02, 0.05, 0.1]
KEEP: dict[str, Any] = {"persist_state": "session"}


def advanced(machine: SystemJson) -> None:
    """Draw the expander with two rows of controls."""
    with st.expander("Advanced: ratio, implementations, sampling, optimizer, threads", icon=":material/tune:"):
        _shape(machine)
        _sampling()


def _shape(machine: SystemJson) -> None:
    ratio, grain, implementations, optimizer = st.columns([1, 1, 2, 1])
    ratio.number_input(
        "out_features / in_features",
        step=1.0,
        format="%g",
        key="crossover.ratio",
        help="4 is the first layer of a transformer's feed-forward pair, 0.25 the second.",
        **KEEP,
    )
    grain.number_input(
        "grain",
        step=1,
        format="%d",
        key="crossover.grain",
        help="Features that the interleave moves together; 1 is the paper.",
        **KEEP,
    )
    known = [item["name"] for item in machine.get("implementations", [])]
    implementations.multiselect(
        "implementations",
        list(dict.fromkeys(["auto", *known, *(state.value(PAGE, "implementations") or [])])),
        key="crossover.implementations",
        help="Ways to compute the same weight; auto takes the best known one at each size. Each gets a map of its own.",
        **KEEP,
    )
    optimizer.selectbox(
        "optimizer",
        ["adamw", "sgd", "none"],
        key="crossover.optimizer",
        help="What ends a training step; the other passes have none.",
        **KEEP,
    )


def _sampling() -> None:
    interval, most, threads, reuse = st.columns([1, 1, 1, 1.4], vertical_alignment="bottom")
    chosen = state.value(PAGE, "target_interval")
    interval.selectbox(
        "wished interval",
        sorted({*INTERVALS, *([chosen] if isinstance(chosen, float) else [])}),
        format_func=lambda share: f"±{100 * share:g} %",
        key="crossover.target_interval",
        help="How narrow the 95 % interval of each point should be. Narrower ones take longer and leave less in doubt.",
        **KEEP,
    )
    most.number_input(
        "most points",
        step=10,
        format="%d",
        key="crossover.max_points",
        help="The sweep stops after so many sizes, whatever is left of the time.",
        **KEEP,
    )
    threads.number_input(
        "threads",
        value=None,
        step=1,
        format="%d",
        key="crossover.threads",
        placeholder="all physical cores",
        help="CPU threads for both sides. Empty: all physical cores that the service may use.",
        **KEEP,
    )
    reuse.checkbox(
        "take over points measured before",
        key="crossover.reuse",
        help="Points of earlier sweeps under the same conditions, on this machine and with these versions, are not "
        "measured again. Without it everything is measured anew.",
        **KEEP,
    )
