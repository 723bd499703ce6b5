"""The Crossover page through the entry script, against the real service."""

import time
from collections.abc import Callable

import pytest
from dashboard_tools import texts
from streamlit.testing.v1 import AppTest

from frontend.client import ApiClient
from frontend.schemas import TERMINAL
from frontend.schemas_sweep import SweepRecord

Open = Callable[..., AppTest]

TINY = {
    "widths": [64, 128],
    "tokens": [8, 16],
    "n_blocks": [4],
    "threads": 1,
    "max_seconds": 20.0,
    "target_interval": 0.5,
}
LONG = TINY | {"widths": [1024, 2048, 4096], "tokens": [2048, 4096], "passes": ["train_step"], "max_seconds": 900.0}


def end_of(api: ApiClient, sweep_id: str, limit_s: float = 120.0) -> SweepRecord:
    end = time.monotonic() + limit_s
    while time.monotonic() < end:
        record = api.sweep(sweep_id)
        if record["status"] in TERMINAL:
            return record
        time.sleep(0.1)
    return pytest.fail(f"sweep {sweep_id} did not end within {limit_s} s")


@pytest.fixture(scope="module")
def swept(api: ApiClient) -> SweepRecord:
    return end_of(api, api.submit_sweep(TINY)["id"])


def test_the_page_opens_with_a_lattice_and_says_how_large_it_is(open_page: Open) -> None:
    page = open_page("crossover")

    assert not page.exception
    assert page.title[0].value == "Crossover"
    assert page.multiselect(key="crossover.widths").value == ["128", "256", "512", "1024", "2048"]
    assert "**25 sizes** (5 widths × 5 tokens), **2 maps**" in texts(page.markdown)
    assert "dyad sweep --widths 128 256" in texts(page.code)
    controls = [*page.selectbox, *page.number_input, *page.multiselect]
    assert [control.label for control in controls if not control.help] == []


def test_a_link_shows_map_rule_and_points_and_refills_the_controls(open_page: Open, swept: SweepRecord) -> None:
    page = open_page("crossover", sweep=swept["id"])

    assert not page.exception
    result = swept["result"]
    assert result is not None
    for rule in result["rules"]:
        assert rule["text"] in texts(page.markdown)
    (map_,) = page.get("plotly_chart")
    assert map_.proto.alt.startswith("Speed-up over width and tokens. IT n=4, forward")
    assert len(page.dataframe[0].value) == len(result["points"])
    assert page.multiselect(key="crossover.tokens").value == ["8", "16"]
    assert {button.label for button in page.get("download_button")} >= {"Download CSV", "Download JSON"}
    assert "Measured on" in texts(page.caption)


def test_start_puts_the_sweep_into_the_address_and_cancel_ends_it(open_page: Open, api: ApiClient) -> None:
    page = open_page("crossover", sweep=api.submit_sweep(LONG)["id"])
    assert not page.exception
    assert page.get("progress")

    page.button(key="crossover.cancel").click().run()
    assert end_of(api, page.query_params["sweep"])["status"] == "cancelled"
    page.run()
    assert "cancelled" in texts(page.info)
    assert page.button(key="crossover.go_on")


def test_a_large_map_is_asked_about_first(open_page: Open) -> None:
    page = open_page("crossover")
    page.multiselect(key="crossover.widths").set_value([str(64 * step) for step in range(1, 31)])
    page.multiselect(key="crossover.tokens").set_value([str(8 * step) for step in range(1, 12)])
    page.run()
    page.button(key="crossover.start").click().run()

    assert not page.exception
    assert "This is a large map" in texts(page.warning)
    assert page.button(key="crossover.confirm").label == "Measure all the same"
    assert "sweep" not in page.query_params


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [("minutes", 0.0, "**max_seconds**"), ("grain", 0, "**grain**"), ("max_points", -1, "**max_points**")],
)
def test_wrong_numbers_are_answered_by_sentences(open_page: Open, field: str, value: float, said: str) -> None:
    page = open_page("crossover")
    page.number_input(key=f"crossover.{field}").set_value(value).run()
    page.button(key="crossover.start").click().run()

    assert not page.exception
    assert said in texts(page.error)


def test_an_empty_lattice_and_a_word_are_named(open_page: Open) -> None:
    page = open_page("crossover")
    page.multiselect(key="crossover.widths").set_value([]).run()
    assert "Choose at least one width" in texts(page.markdown)
    page.session_state["crossover.tokens"] = ["many"]
    page.run()
    page.button(key="crossover.start").click().run()

    assert not page.exception
    assert "**tokens**" in texts(page.error)


def test_an_unknown_map_is_a_sentence(open_page: Open) -> None:
    page = open_page("crossover", sweep="0" * 32)

    assert not page.exception
    assert "cannot be shown" in texts(page.error)
    assert page.button(key="crossover.start")
