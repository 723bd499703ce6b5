"""The verdict on a finished run, at its top: one decision record, the same from Python, REST and the command line."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from frontend.client import ApiClient, ApiProblemError
from frontend.logic.verdict import decision_words, figure_lines, other_records, quality_records
from frontend.schemas_verdict import VerdictJson
from frontend.sections.backend import show_problem

__all__ = ["show_layer_verdict", "show_verdict"]


def show_verdict(api: ApiClient, run_id: str) -> None:
    """Ask for the verdict and draw it; a run that supports none says why in a sentence."""
    try:
        verdict = api.verdict(run_id)
    except ApiProblemError as error:
        if error.status == 404:
            return  # an older service, which decides nothing
        show_problem(error, heading="**No verdict:**")
        return
    _show(verdict)


def show_layer_verdict(api: ApiClient, sizes: dict[str, int], variant: str, n_blocks: int) -> None:
    """Draw the verdict of the newest stored run of a layer, or say that nothing was measured and where to do it."""
    try:
        verdict = api.verdict_on_layer(sizes, variant=variant, n_blocks=n_blocks)
    except ApiProblemError as error:
        if error.status != 404:
            show_problem(error, heading="**No verdict:**")
            return
        st.info("Nothing of these sizes was measured with this n and variant yet.", icon=":material/timer_off:")
        st.page_link("views/layer_lab.py", label="Measure it in the Layer lab", icon=":material/timer:")
        return
    _show(verdict)


def _show(verdict: VerdictJson) -> None:
    word, color, icon = decision_words(verdict)
    with st.container(border=True, key="verdict"):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown("**Verdict**", width="content")
            st.badge(word, color=color, icon=icon)  # type: ignore[arg-type] # one of the colours of DECISIONS
            st.caption(f"{verdict['geometry']['label']} · {verdict['conditions'].get('text', '')}")
        st.markdown(f"**{verdict['sentence']}**")
        st.markdown("\n".join(f"- {line}" for line in figure_lines(verdict)))
        warnings = list(dict.fromkeys(warning.rstrip(".") for warning in verdict.get("warnings") or []))
        if warnings:
            st.caption(f":material/warning: {'; '.join(warnings)}.")
        _show_more(verdict)


def _show_more(verdict: VerdictJson) -> None:
    others, quality = other_records(verdict), quality_records(verdict)
    if not others and not quality:
        return
    with st.expander("What else it rests on: other candidates, published quality"):
        if others:
            st.dataframe(
                pd.DataFrame(others),
                hide_index=True,
                column_config={"in one sentence": st.column_config.TextColumn(width="large")},
                alt="The decisions on the other candidates of this run",
            )
        if quality:
            st.dataframe(pd.DataFrame(quality), hide_index=True, alt="Published quality of DYAD beside dense models")
            st.caption(str((verdict.get("quality") or {}).get("source") or ""))
