"""What the tests of the dashboard share: waiting for a run, and reading a page opened by Streamlit's AppTest."""

import time
from typing import Any

import pytest

from frontend.client import ApiClient
from frontend.schemas import TERMINAL, RunRecord


def wait_for_end(api: ApiClient, run_id: str, limit_s: float = 120.0) -> RunRecord:
    """Return the record of a run once it has ended; fail after ``limit_s``, which only a hang reaches."""
    end = time.monotonic() + limit_s
    while time.monotonic() < end:
        record = api.run(run_id)
        if record["status"] in TERMINAL:
            return record
        time.sleep(0.1)
    return pytest.fail(f"run {run_id} did not end within {limit_s} s")


def texts(elements: Any) -> str:
    """Everything that these elements of a page say."""
    return "\n".join(str(element.value) for element in elements)
