"""The step foretold: Amdahl's law with measured times of single layers, or the word that nothing was measured here yet."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from frontend.figures.model_amdahl import Point, amdahl_alt, amdahl_figure, point_records
from frontend.logic.models_cost import CostRow
from frontend.logic.models_measured import ModelRow, model_rows
from frontend.logic.models_words import spec_line
from frontend.logic.run_words import pass_words
from frontend.logic.words import as_it_is
from frontend.schemas_models import EstimateJson, ModelRecord
from frontend.sections.chart import chart

__all__ = ["show_predictions"]


def show_predictions(found: EstimateJson, rows: Sequence[CostRow], record: ModelRecord | None) -> None:
    """Draw what measured times foretell of each candidate; where the open measurement is of the same, its figures beside."""
    st.markdown("### The whole step")
    points = _points(rows, _measured(found, record))
    if not points:
        st.info(
            "**Not measured here yet.** Arithmetic alone foretells no time. Measure here times the layers of one block and "
            "the whole model on this machine; then the step is predicted, and held against what was measured.",
            icon=":material/timer_off:",
        )
        return
    passes = list(dict.fromkeys(each.prediction["pass"] for each in points))
    chosen = passes[0]
    if len(passes) > 1:
        chosen = st.radio(
            "foretold pass",
            passes,
            horizontal=True,
            format_func=pass_words,
            label_visibility="collapsed",
            key=f"models.view.foretold.{len(passes)}",
            help="Which pass the picture and the sentences beside it are about.",
        )
    shown = [each for each in points if each.prediction["pass"] == chosen]
    drawn, said = st.columns([1.2, 1], gap="large")
    with drawn:
        chart(
            amdahl_figure(shown),
            key="models.amdahl",
            alt=amdahl_alt(shown),
            rows=lambda: point_records(points),
            foot=[f"{found['name']} · {spec_line(found['spec'])}", f"times: {found.get('measured') or 'measured'}"],
        )
    with said:
        st.markdown(
            "The replaced layers take the share f of the dense step. Made s times as fast, they make the whole "
            "1 / ((1 − f) + f / s) times as fast, and never more than 1 / (1 − f)."
        )
        lines = "\n".join(f"- **{each.label}**: {as_it_is(each.prediction['words'])}" for each in shown)
        # Many sentences scroll beside the picture instead of pushing everything else down.
        with st.container(height=400 if len(shown) > 3 else "content", border=False):
            st.markdown(lines)
        if found.get("measured"):
            st.caption(f"Times measured on {found['measured']}.")


def _points(rows: Sequence[CostRow], measured: Sequence[ModelRow]) -> list[Point]:
    known = {(row.label, row.pass_name): row for row in measured}
    points = []
    for row in rows:
        for prediction in row.predictions:
            whole = known.get((row.label, prediction["pass"]))
            figures = (
                (whole.speedup, whole.speedup_low, whole.speedup_high) if whole is not None else (None, None, None)
            )
            points.append(Point(row.label, row.variant, prediction, *figures))
    return points


ALIKE = ("config", "names", "grain", "batch", "sequence", "dtype", "optimizer", "checkpointing")
"""Of two requests; with these alike a measured whole may stand beside a prediction."""


def _measured(found: EstimateJson, record: ModelRecord | None) -> list[ModelRow]:
    result = None if record is None else record.get("result")
    if record is None or result is None:
        return []
    if any(found["spec"].get(name) != record["spec"].get(name) for name in ALIKE):
        return []
    return model_rows(result["candidates"])
