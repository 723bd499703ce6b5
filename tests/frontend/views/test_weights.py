"""The Weights page through the entry script, against the real service."""

import io
from collections.abc import Callable

import numpy as np
import pytest
from dashboard_tools import texts
from service_tools import LONG, wait_until
from streamlit.testing.v1 import AppTest

from frontend.client import ApiClient
from frontend.schemas import TERMINAL
from frontend.schemas_weights import JobRecord

Open = Callable[..., AppTest]


def npy(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def weight(rows: int = 48, columns: int = 96) -> np.ndarray:
    return np.random.default_rng(0).standard_normal((rows, columns)).astype(np.float32)


def ended(api: ApiClient, job_id: str) -> JobRecord:
    def over() -> JobRecord | None:
        record = api.job(job_id)
        return record if record["status"] in TERMINAL else None

    record: JobRecord = wait_until(over, f"the end of job {job_id}")
    return record


def alts(page: AppTest) -> list[str]:
    return [element.proto.alt for element in page.get("plotly_chart")]


@pytest.fixture
def upload(api: ApiClient) -> str:
    content = npy(weight())
    return api.upload("fc1.npy", io.BytesIO(content), len(content))["id"]


def test_a_file_is_sent_and_projected_and_the_link_shows_it_again(open_page: Open, api: ApiClient) -> None:
    page = open_page("weights")
    page.get("file_uploader")[0].set_value(("fc1.npy", npy(weight()), "application/octet-stream")).run()

    assert not page.exception
    assert page.selectbox(key="weights.tensor").value
    page.multiselect(key="weights.n_blocks").set_value(["4", "5"]).run()
    page.button(key="weights.run").click().run()
    job_id = page.query_params["job"]
    record = ended(api, job_id)
    page.run()

    assert not page.exception
    assert alts(page)[0].startswith("Kept share of the energy")
    assert [alt.split(",")[0] for alt in alts(page)[1:]] == [
        "Singular values",
        "Magnitude of the matrix",
        "Magnitude of what the pattern drops",
    ]
    assert "Projection drops every entry outside the pattern" in texts(page.warning)
    assert len(page.dataframe[0].value) == 4
    assert len(page.dataframe[1].value) == 4, "n = 5 does not fit and is named"

    again = open_page("weights", job=job_id)
    assert again.multiselect(key="weights.n_blocks").value == ["4", "5"]
    assert again.query_params["upload"] == record["spec"]["upload"]
    assert alts(again) == alts(page)


def test_a_pickle_is_refused_with_the_sentence_of_the_service(open_page: Open) -> None:
    page = open_page("weights")
    page.get("file_uploader")[0].set_value(("model.pt", b"\x80\x04\x95rubbish", "application/octet-stream")).run()

    assert not page.exception
    assert "model.pt was not taken" in texts(page.error)
    assert "pickle" in texts(page.error)


def test_numbers_that_are_not_finite_end_the_job_with_their_place(open_page: Open, api: ApiClient) -> None:
    broken = weight()
    broken[3, 7] = np.nan
    content = npy(broken)
    kept = api.upload("nan.npy", io.BytesIO(content), len(content))
    page = open_page("weights", upload=kept["id"])
    page.button(key="weights.run").click().run()
    ended(api, page.query_params["job"])
    page.run()

    assert "row 3, column 7" in texts(page.error)


def test_a_projection_that_waits_says_so_and_is_cancelled(open_page: Open, api: ApiClient, upload: str) -> None:
    whole_machine = {name: value for name, value in LONG.items() if name != "threads"}
    busy = api.submit(whole_machine)["id"]
    try:
        page = open_page("weights", upload=upload)
        page.button(key="weights.run").click().run()
        assert not page.exception
        assert "Waiting in the queue" in page.get("progress")[0].proto.text
        page.button(key="weights.cancel").click().run()
        assert ended(api, page.query_params["job"])["status"] == "cancelled"
        page.run()
        assert "was cancelled" in texts(page.info)
    finally:
        api.cancel(busy)


def test_what_cannot_be_projected_is_said_before_anything_runs(open_page: Open, upload: str) -> None:
    page = open_page("weights", upload=upload)
    page.multiselect(key="weights.n_blocks").set_value(["5"]).run()
    page.button(key="weights.run").click().run()

    assert "Not started" in texts(page.error)
    assert "job" not in page.query_params


def test_a_file_without_a_matrix_and_a_file_that_is_gone(open_page: Open, api: ApiClient, upload: str) -> None:
    content = npy(np.zeros(7, np.float32))
    kept = api.upload("vector.npy", io.BytesIO(content), len(content))
    page = open_page("weights", upload=kept["id"])
    assert "no matrix that can be projected" in texts(page.warning)
    assert "rank" in page.dataframe[0].value.to_string()

    api.delete_upload(kept["id"])
    page.run()
    assert not page.exception
    assert "not here any more" in texts(page.error)
    assert page.selectbox(key="weights.upload").value is None
