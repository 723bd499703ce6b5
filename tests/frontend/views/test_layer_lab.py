"""The Layer lab through the entry script, against the real service."""

from collections.abc import Callable

import httpx
import pytest
from dashboard_tools import texts, wait_for_end
from service_tools import LONG, SMALL, free_port
from streamlit.testing.v1 import AppTest

from frontend.client import ApiClient
from frontend.schemas import RunRecord

Open = Callable[..., AppTest]


def charts(page: AppTest) -> list[str]:
    return [element.proto.alt for element in page.get("plotly_chart")]


def test_the_page_opens_with_the_preset_of_the_first_layer(open_page: Open) -> None:
    page = open_page()

    assert not page.exception
    assert page.title[0].value == "Layer lab"
    assert page.selectbox(key="lab.preset").value == "OPT-125m fc1 (768 → 3072)"
    assert page.number_input(key="lab.in_features").value == 768
    assert page.number_input(key="lab.tokens").value == 4096
    assert page.multiselect(key="lab.n_blocks").value == ["4", "8"]
    assert "2 candidates against the dense twin" in texts(page.markdown)
    assert "curl -X POST" in texts(page.code)
    assert "dyad bench --in 768 --out 3072 --blocks 4 8 --variants it" in texts(page.code)


def test_every_control_has_a_help_text(open_page: Open) -> None:
    page = open_page()
    controls = [*page.selectbox, *page.number_input, *page.multiselect, *page.radio]

    assert len(controls) >= 13
    assert [control.label for control in controls if not control.help] == []


def test_a_preset_fills_the_sizes_and_a_size_makes_it_custom(open_page: Open) -> None:
    page = open_page()

    page.selectbox(key="lab.preset").set_value("OPT-1.3B fc2 (8192 → 2048)").run()
    assert page.number_input(key="lab.in_features").value == 8192
    assert page.number_input(key="lab.out_features").value == 2048

    page.number_input(key="lab.out_features").set_value(2040).run()
    assert page.selectbox(key="lab.preset").value == "Custom sizes"


def test_run_measures_and_the_address_holds_the_run(open_page: Open, api: ApiClient) -> None:
    page = open_page()
    for name in ("in_features", "out_features"):
        page.number_input(key=f"lab.{name}").set_value(64)
    page.number_input(key="lab.tokens").set_value(8)
    page.number_input(key="lab.max_seconds").set_value(0.2)
    page.multiselect(key="lab.n_blocks").set_value(["4"])
    page.run()
    page.button(key="lab.run").click().run()

    assert not page.exception
    run_id = page.query_params["run"]
    record = wait_for_end(api, run_id)
    assert record["spec"]["in_features"] == 64
    page.run()
    result = record["result"]
    assert result is not None
    assert result["reading"] in texts(page.markdown)
    assert [alt.partition(":")[0] for alt in charts(page)] == [
        "Speed-up over the dense twin",
        "Peak memory, share of dense in brackets",
    ]


def test_a_link_shows_the_run_and_refills_every_control(open_page: Open, finished: RunRecord) -> None:
    page = open_page(run=finished["id"])

    assert not page.exception
    assert page.number_input(key="lab.in_features").value == 64
    assert page.number_input(key="lab.tokens").value == 8
    assert page.number_input(key="lab.threads").value == 1
    assert page.multiselect(key="lab.n_blocks").value == ["4"]
    assert page.multiselect(key="lab.variants").value == ["it", "ot", "dt", "bd"]
    assert page.selectbox(key="lab.preset").value == "Custom sizes"
    assert "Measured on" in texts(page.caption)
    assert [len(table.value) for table in page.dataframe if "relative error" in table.value] == [10]
    assert {button.label for button in page.get("download_button")} == {
        "Download CSV",
        "Download JSON",
        "Download Parquet",
    }


def test_a_finished_run_has_a_verdict_and_says_how_sure_it_is(open_page: Open, finished: RunRecord) -> None:
    page = open_page(run=finished["id"])

    assert "**Verdict**" in texts(page.markdown)
    assert "**Reach**" in texts(page.markdown)
    assert "**forward**: ±" in texts(page.markdown)
    assert "after" in texts(page.markdown)


def test_an_equal_request_may_be_served_from_the_store_and_then_says_so(open_page: Open, api: ApiClient) -> None:
    first = wait_for_end(api, api.submit(SMALL | {"seed": 77})["id"])
    page = open_page(run=first["id"])
    page.button(key="lab.run").click().run()

    assert not page.exception
    # The service measures again what other work disturbed, which happens on a machine that runs tests.
    assert ("Served from the store" in texts(page.info)) == (page.query_params["run"] == first["id"])
    wait_for_end(api, page.query_params["run"])


def test_a_run_served_from_the_store_says_when_it_was_measured_and_is_measured_again(
    open_page: Open, api: ApiClient, finished: RunRecord
) -> None:
    page = open_page(run=finished["id"])
    assert "Served from the store" not in texts(page.info)
    page.session_state["lab.served"] = finished["id"]
    page.run()
    assert "**Served from the store**, measured at 20" in texts(page.info)

    page.button(key="lab.stored").click().run()
    assert not page.exception
    assert page.query_params["run"] != finished["id"]
    assert wait_for_end(api, page.query_params["run"])["spec"] == finished["spec"]


def test_the_ladder_has_every_implementation_parity_first(open_page: Open, api: ApiClient) -> None:
    request = SMALL | {"implementations": ["eager", "reference", "concat"], "peers": ["dense_again"]}
    page = open_page(run=wait_for_end(api, api.submit(request)["id"])["id"])

    assert not page.exception
    assert "3 of 3 implementations of IT n=4 agree with the oracle" in texts(page.markdown)
    ladder = next(alt for alt in charts(page) if alt.startswith("Ladder of IT n=4"))
    assert "✓" in ladder
    assert "dense again (A/A)" in charts(page)[0]

    page.button(key="lab.ladder").click().run()
    assert "masked_dense" in page.multiselect(key="lab.implementations").value


def test_the_published_headline_is_taken_apart_on_demand(open_page: Open) -> None:
    page = open_page()
    assert not charts(page)
    page.toggle(key="lab.original").set_value(True).run()

    assert not page.exception
    (alt,) = charts(page)
    assert alt.startswith("Not like for like")
    assert "1.10x of structure times 2.92x of precision" in alt


def test_times_and_the_other_pass_are_one_choice_away(open_page: Open, finished: RunRecord) -> None:
    page = open_page(run=finished["id"])

    page.radio(key="lab.view.speed").set_value("time").run()
    assert charts(page)[0].startswith("Median time per call")
    page.radio(key="lab.view.pass").set_value("train_step").run()
    assert not page.exception
    assert len(charts(page)) == 2


def test_a_running_measurement_shows_progress_and_is_cancelled(open_page: Open, api: ApiClient) -> None:
    run_id = api.submit(LONG)["id"]
    page = open_page(run=run_id)

    assert not page.exception
    assert page.get("progress")
    page.button(key="lab.cancel").click().run()
    assert wait_for_end(api, run_id)["status"] == "cancelled"
    page.run()
    assert "cancelled" in texts(page.info)
    page.toggle(key="lab.log").set_value(True).run()
    log = page.table[-1].value
    assert log["what"].iloc[0].startswith("Started on ")
    assert log["what"].iloc[-1] == "It was cancelled."
    assert set(log["start"]) == {1}


def test_each_session_is_a_client_of_its_own_to_the_queue(open_page: Open, api: ApiClient) -> None:
    names = []
    for _ in range(2):
        page = open_page()
        page.number_input(key="lab.tokens").set_value(8).run()
        page.button(key="lab.run").click().run()
        names.append(api.run(page.query_params["run"])["client"])
        api.cancel(page.query_params["run"])
    assert len(set(names)) == 2
    assert all(name.startswith("dashboard-") for name in names)


def test_a_wrong_size_becomes_a_sentence_and_can_be_mended(open_page: Open) -> None:
    page = open_page()
    page.number_input(key="lab.in_features").set_value(770).run()
    page.button(key="lab.run").click().run()

    said = texts(page.error)
    assert "**in_features**" in said
    assert "770" in said
    assert "divisible by n_blocks" in said
    page.number_input(key="lab.in_features").set_value(768).run()
    assert not page.error
    assert not page.exception


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [("tokens", 0, "**tokens**"), ("in_features", -5, "**in_features**"), ("threads", 0, "**threads**")],
)
def test_zero_and_negative_numbers_are_answered_not_crashed_on(
    open_page: Open, field: str, value: int, said: str
) -> None:
    page = open_page()
    page.number_input(key=f"lab.{field}").set_value(value).run()
    page.button(key="lab.run").click().run()

    assert not page.exception
    assert said in texts(page.error)


def test_a_number_of_blocks_that_is_a_word_is_named(open_page: Open) -> None:
    page = open_page(run="")
    page.session_state["lab.n_blocks"] = ["four"]
    page.run()
    page.button(key="lab.run").click().run()

    assert not page.exception
    assert "**n_blocks**" in texts(page.error)


def test_an_absurd_size_is_refused_with_the_bytes(open_page: Open) -> None:
    page = open_page()
    for name in ("in_features", "out_features"):
        page.number_input(key=f"lab.{name}").set_value(2**24)
    page.run()
    page.button(key="lab.run").click().run()

    assert not page.exception
    assert "**Not started.**" in texts(page.error)
    assert "bytes" in texts(page.error) or "GiB" in texts(page.error) or "TiB" in texts(page.error)


def test_an_unknown_run_is_a_sentence_and_the_controls_stay(open_page: Open) -> None:
    page = open_page(run="0" * 32)

    assert not page.exception
    assert "cannot be shown" in texts(page.error)
    assert page.button(key="lab.run")


def test_without_the_service_the_page_says_so_and_recovers(
    open_page: Open, service: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = open_page()
    nobody = f"http://127.0.0.1:{free_port('127.0.0.1')}"
    monkeypatch.setenv("DYAD_API_URL", nobody)
    page.run()

    assert not page.exception
    assert nobody in texts(page.error)
    assert "tries again" in texts(page.error)

    monkeypatch.setenv("DYAD_API_URL", str(service.base_url).rstrip("/"))
    page.run()
    assert not page.error
    assert page.button(key="lab.run")


def test_a_flagged_dtype_is_named_before_and_after(open_page: Open, api: ApiClient) -> None:
    emulated = api.system()["devices"][0]["emulated_dtypes"]
    if not emulated:
        pytest.skip("this processor emulates no dtype")
    page = open_page()
    assert any("emulated" in option for option in page.selectbox(key="lab.dtype").options)

    run_id = api.submit(SMALL | {"dtype": emulated[0]})["id"]
    wait_for_end(api, run_id)
    page = open_page(run=run_id)
    assert "emulated" in texts(page.warning)
