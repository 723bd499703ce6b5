"""The log of a job, on demand: when and where it was started, how its processes ended, and why it ended."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

from frontend.client import ApiClient, BackendError
from frontend.logic import words

__all__ = ["show_log"]

LINES = 500


def show_log(api: ApiClient, record: Any, *, key: str) -> None:
    """Draw a switch, and below it the lines once it is on.

    Args:
        api: asked for the lines.
        record: the job, of any kind.
        key: of the switch.
    """
    if record.get("origin", "local") != "local":
        return  # it did not run here
    if not st.toggle("Log", key=key, help="When and where it was started, how its processes ended, and why it ended."):
        return
    try:
        lines = api.job_log(record["id"], limit=LINES)["items"]
    except BackendError as error:
        st.warning(f"The log is not there: {error}", icon=":material/receipt_long:")
        return
    if not lines:
        st.caption("Nothing was said yet.")
        return
    rows = [{"when": words.moment(line["at"]), "start": line["attempt"], "what": line["text"]} for line in lines]
    st.table(pd.DataFrame(rows).set_index("when"))
