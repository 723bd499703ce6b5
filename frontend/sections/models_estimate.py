"""What changes in a model: the sentence, parameters and memory before and after, the step foretold, layers and code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import streamlit as st

from frontend.client import ApiProblemError
from frontend.figures.model_kinds import kinds_alt, kinds_figure
from frontend.figures.model_memory import model_memory_alt, model_memory_figure
from frontend.logic.models_config import ConfigError
from frontend.logic.models_cost import (
    QUANTITIES,
    CostRow,
    compared_records,
    cost_rows,
    kind_records,
    memory_records,
)
from frontend.logic.models_layers import Group, found_records, group_records, groups_of, layers_sentence
from frontend.logic.models_request import command_line, curl, estimate_request, measure_request
from frontend.logic.models_words import reading_lines, spec_line
from frontend.logic.words import as_it_is
from frontend.schemas_models import EstimateJson, ModelRecord
from frontend.sections.backend import show_problem, show_warnings
from frontend.sections.chart import chart
from frontend.sections.models_data import estimate
from frontend.sections.models_prediction import show_predictions
from frontend.sections.models_source import controls
from frontend.settings import public_api_url

__all__ = ["estimate_view"]

_TIMES = st.column_config.NumberColumn("layers", format="%d ×", width="small")
MEMORY_VIEWS = {"training": "training step", "generating": "generating"}


def estimate_view(record: ModelRecord | None) -> None:
    """Ask for the estimate of what the controls say and draw it; ``record`` is the open measurement."""
    st.header("What changes", anchor=False, divider="gray")
    try:
        asked = estimate_request(controls())
    except ConfigError as error:
        st.error(f"**config** {error}.", icon=":material/error:")
        return
    try:
        with st.spinner("Building the model without its weights", show_time=False):
            found = estimate(asked, _after(record))
    except ApiProblemError as error:
        if error.wants_token:
            raise
        found_layers = found_records(error.errors)
        _offer([record["name"] for record in found_layers])
        show_problem(error, heading="**This model cannot be estimated:**")
        _found(found_layers)
        _same_question(asked)
        return
    _show(found, record)
    _same_question(asked)


def _after(record: ModelRecord | None) -> str:
    """An estimate made before the end of the open measurement does not know its times."""
    return f"{record['id']} {record['status']}" if record is not None else ""


def _offer(patterns: Sequence[str]) -> None:
    """Let the control above offer these names; it was drawn before they were known."""
    names = list(dict.fromkeys(patterns))
    if st.session_state.get("models.patterns", []) != names:
        st.session_state["models.patterns"] = names
        st.rerun()


def _found(records: Sequence[Mapping[str, Any]]) -> None:
    """The layers of an architecture that is not known, to choose from."""
    if not records:
        return
    st.markdown("**Its linear layers**: choose what to replace under *layers to replace* above.")
    st.dataframe(
        pd.DataFrame(records),
        hide_index=True,
        column_config={"layers": _TIMES, "name": st.column_config.TextColumn("name", width="large")},
        alt="The linear layers of the model: "
        + "; ".join(f"{each['layers']} × {each['name']}, {each['sizes']}" for each in records),
    )


def _show(found: EstimateJson, record: ModelRecord | None) -> None:
    rows, groups = cost_rows(found), groups_of(found["layers"])
    _offer([group.pattern for group in groups])
    if found.get("reading"):
        st.markdown(reading_lines(found["reading"]))
    st.caption(f"{found['name']} · {spec_line(found['spec'])}")
    show_warnings(as_it_is(warning) for warning in found.get("warnings") or [])
    _impossible(rows)
    st.markdown(layers_sentence(groups))
    foot = [f"{found['name']} · {spec_line(found['spec'])}", "computed from the sizes of its layers"]
    left, right = st.columns(2, gap="large")
    with left:
        _kinds(rows, foot)
    with right:
        _memory(rows, foot)
    show_predictions(found, rows, record)
    _table(rows)
    _layers(groups)
    _code(rows)


def _impossible(rows: Sequence[CostRow]) -> None:
    """Say which candidates cannot be built and why, those with the same reasons together."""
    alike: dict[tuple[str, ...], list[str]] = {}
    for row in rows:
        if row.cost is None:
            alike.setdefault(row.problems, []).append(row.label)
    for problems, labels in alike.items():
        lines = "\n".join(f"- {as_it_is(problem)}" for problem in problems)
        st.warning(f"**{', '.join(labels)} cannot be built:**\n\n{lines}", icon=":material/warning:")


def _kinds(rows: Sequence[CostRow], foot: Sequence[str]) -> None:
    st.markdown("**Before and after, by kind of layer**")
    quantity = st.radio(
        "by kind",
        list(QUANTITIES),
        horizontal=True,
        format_func=lambda name: QUANTITIES[name].name,
        label_visibility="collapsed",
        key="models.view.kinds",
        help="Parameters, multiply-adds of one forward, or what forward keeps for backward.",
    )
    chart(
        kinds_figure(rows, quantity),
        key="models.kinds",
        alt=kinds_alt(rows, quantity),
        rows=lambda: kind_records(rows),
        foot=foot,
    )


def _memory(rows: Sequence[CostRow], foot: Sequence[str]) -> None:
    st.markdown("**Memory, and what it is for**")
    view = st.radio(
        "memory of",
        list(MEMORY_VIEWS),
        horizontal=True,
        format_func=MEMORY_VIEWS.__getitem__,
        label_visibility="collapsed",
        key="models.view.memory",
        help="A training step with and without gradient checkpointing, or weights and cache while generating.",
    )
    training = view == "training"
    chart(
        model_memory_figure(rows, training=training),
        key="models.memory",
        alt=model_memory_alt(rows, training=training),
        rows=lambda: memory_records(rows),
        foot=foot,
    )


def _table(rows: Sequence[CostRow]) -> None:
    st.markdown("### Every candidate")
    frame = pd.DataFrame(compared_records(rows))
    columns: dict[str, Any] = {
        name: st.column_config.NumberColumn(
            # The share stands behind its figure.
            "% of dense" if "%" in name else name,
            format="%.0f %%" if "%" in name else "%.2f" if "(x)" in name else "%.4g",
        )
        for name in frame.columns
        if name not in ("model", "why not")
    }
    columns["model"] = st.column_config.TextColumn("model", pinned=True)
    columns["why not"] = st.column_config.TextColumn("why not", width="large")
    st.dataframe(
        frame, hide_index=True, column_config=columns, alt="Parameters, memory and arithmetic of every candidate"
    )


def _layers(groups: Sequence[Group]) -> None:
    st.markdown("### Linear layers")
    st.dataframe(
        pd.DataFrame(group_records(groups)),
        hide_index=True,
        column_config={
            "layers": _TIMES,
            "name": st.column_config.TextColumn("name", width=330),
            "becomes": st.column_config.TextColumn("becomes", width=220),
            "parameters of all": st.column_config.NumberColumn("parameters of all", format="localized"),
        },
        alt="The linear layers of the model, those that repeat told once: "
        + "; ".join(
            f"{group.count} × {group.pattern}, {'replaced' if group.picked else group.reason or 'kept'}"
            for group in groups
        ),
    )


def _code(rows: Sequence[CostRow]) -> None:
    written = {row.label: row.lines for row in rows if row.lines}
    if not written:
        return
    st.markdown("### In your own code")
    chosen = next(iter(written))
    if len(written) > 1:
        chosen = st.radio(
            "candidate",
            list(written),
            horizontal=True,
            label_visibility="collapsed",
            key=f"models.code.{len(written)}",
            help="Whose lines to show.",
        )
    st.code(written[chosen], language="python")


def _same_question(asked: Mapping[str, Any]) -> None:
    with st.expander("The same by REST and by command line", icon=":material/terminal:"):
        measured = measure_request(controls())
        for request, measure in ((asked, False), (measured, True)):
            st.code(curl(request, public_api_url(), measure=measure), language="bash", wrap_lines=True)
            st.code(command_line(request, measure=measure), language="bash", wrap_lines=True)
