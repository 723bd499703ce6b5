"""The list of runs and the machine, through the entry script, against the real service."""

from collections.abc import Callable

from dashboard_tools import texts, wait_for_end
from service_tools import LONG, SMALL
from streamlit.testing.v1 import AppTest

from frontend.client import ApiClient
from frontend.schemas import RunRecord

Open = Callable[..., AppTest]


def test_runs_are_listed_with_what_came_out(open_page: Open, finished: RunRecord) -> None:
    page = open_page("runs")

    assert not page.exception
    result = finished["result"]
    assert result is not None
    assert result["reading"] in texts(page.markdown)
    assert finished["id"][:8] in texts(page.caption)


def test_filters_are_applied_by_the_service(open_page: Open, finished: RunRecord) -> None:
    page = open_page("runs")
    page.selectbox(key="runs.status").set_value("failed").run()
    assert "No run matches" in texts(page.info)

    page.selectbox(key="runs.status").set_value("succeeded").run()
    page.selectbox(key="runs.variant").set_value("bd").run()
    assert finished["id"][:8] in texts(page.caption)


def test_a_running_one_is_cancelled_from_the_list(open_page: Open, api: ApiClient) -> None:
    run_id = api.submit(LONG)["id"]
    page = open_page("runs")

    page.button(key=f"runs.cancel.{run_id}").click().run()
    assert not page.exception
    assert wait_for_end(api, run_id)["status"] == "cancelled"


def test_a_file_is_imported_and_marked_and_deleting_it_asks_first(
    open_page: Open, api: ApiClient, finished: RunRecord
) -> None:
    page = open_page("runs")
    page.get("file_uploader")[0].set_value(("gpu.json", api.export(finished["id"], "json"), "application/json")).run()

    assert not page.exception
    page.selectbox(key="runs.origin").set_value("imported").run()
    assert "imported" in texts(page.markdown)
    run_id = api.runs({"origin": "imported"})["items"][0]["id"]
    page.button(key=f"runs.delete.{run_id}").click().run()
    assert api.run(run_id)["origin"] == "imported", "nothing goes before the question is answered"
    assert page.button(key="runs.confirm").label == "Delete"  # pressed in the browser tests: AppTest knows no dialogs
    api.delete(run_id)


def test_a_file_that_is_no_run_is_a_sentence(open_page: Open) -> None:
    page = open_page("runs")
    page.get("file_uploader")[0].set_value(("notes.json", b'{"schema_version": 99}', "application/json")).run()

    assert not page.exception
    assert "notes.json was not imported" in texts(page.error)


def test_two_runs_stand_side_by_side(open_page: Open, api: ApiClient, finished: RunRecord) -> None:
    other = wait_for_end(api, api.submit(SMALL | {"tokens": 16})["id"])
    page = open_page("runs")
    page.checkbox(key=f"runs.pick.{finished['id']}").check().run()
    assert page.button(key="runs.compare").disabled, "one run has nothing to be compared with"
    page.checkbox(key=f"runs.pick.{other['id']}").check().run()
    page.button(key="runs.compare").click().run()

    assert not page.exception
    assert page.query_params["compare"] == f"{finished['id']},{other['id']}"
    assert "tokens" in list(page.dataframe[0].value["field"])
    assert "**B against A**: only speed-ups can be compared (on the same machine)" in texts(page.markdown)
    (ratios,) = page.get("plotly_chart")
    assert ratios.proto.alt.startswith("Ratios of speed-up over dense between runs: ")
    assert "IT n=4 in B" in ratios.proto.alt


def test_runs_that_cannot_be_compared_say_why(open_page: Open, api: ApiClient, finished: RunRecord) -> None:
    other = wait_for_end(api, api.submit(SMALL | {"dtype": "float64"})["id"])
    page = open_page("runs", compare=f"{finished['id']},{other['id']}")

    assert not page.exception
    assert "cannot be compared" in texts(page.markdown)
    assert "float64" in texts(page.markdown)

    page = open_page("runs", compare=f"{finished['id']},{'0' * 32}")
    assert not page.exception
    assert "cannot be shown side by side" in texts(page.error)


def test_the_machine_is_shown_and_a_missing_gpu_is_said(open_page: Open, api: ApiClient) -> None:
    page = open_page("system")

    assert not page.exception
    assert len(page.table) == 3
    assert "cpu" in page.table[0].value.index
    devices = api.system()["devices"]
    assert ("No CUDA device here" in texts(page.info)) == (len(devices) == 1)
    assert "waiting" in texts(page.markdown)
