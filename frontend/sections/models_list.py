"""Earlier measurements of whole models, to be opened again."""

from __future__ import annotations

import streamlit as st

from frontend.client import ApiClient, ApiProblemError
from frontend.logic import words
from frontend.logic.listing import STATUSES, origin_words
from frontend.logic.models_words import as_run, job_line
from frontend.schemas_models import ModelRecord

__all__ = ["earlier_measurements"]

SHOWN = 10


def earlier_measurements(api: ApiClient) -> None:
    """List the newest measurements of this service with a link to each; nothing where there is none."""
    try:
        found = api.model_runs(limit=SHOWN)
    except ApiProblemError as error:
        if error.status == 404:
            return  # an older service, which measures none
        raise
    if not found["items"]:
        return
    with st.expander(f"Earlier measurements ({words.count(found['total'])})", icon=":material/history:"):
        for record in found["items"]:
            word = STATUSES[record["status"]][0]
            st.page_link(
                "views/models.py",
                label=f"{words.moment(record['created_at'])} · {word}{_elsewhere(record)} · {job_line(record['spec'])}",
                icon=":material/model_training:",
                query_params={"job": record["id"]},
            )
            if record.get("headline"):
                st.caption(record["headline"])


def _elsewhere(record: ModelRecord) -> str:
    said = origin_words(as_run(record))
    return f" · {said}" if said else ""
