"""The Structure page through the entry script, against the real service."""

import io
from collections.abc import Callable

import numpy as np
import pytest
from dashboard_tools import texts
from streamlit.testing.v1 import AppTest

from frontend.client import ApiClient

Open = Callable[..., AppTest]
ALTS = ["Weight pattern", "Weight pattern", "Graph of", "Share of input-output pairs"]


def alts(page: AppTest) -> list[str]:
    return [element.proto.alt for element in page.get("plotly_chart")]


def test_the_first_layer_is_drawn_whole_close_up_as_graph_and_in_depth(open_page: Open) -> None:
    page = open_page("structure")

    assert not page.exception
    assert [alt[: len(start)] for alt, start in zip(alts(page), ALTS, strict=True)] == ALTS
    shown = {metric.label: metric.value.replace("\u202f", "") for metric in page.metric}
    assert shown["Parameters"] == str(2 * 768 * 3072 // 4)
    assert shown["Density"] == "43.75 %"
    assert shown["Limit"] == "2.00x"
    assert "i mod 4" in texts(page.markdown)
    assert "from depth **2** on every input reaches every output" in texts(page.markdown)
    assert "alternate 768 → 3072 and 3072 → 768" in texts(page.markdown)


def test_a_control_redraws_and_the_address_follows(open_page: Open) -> None:
    page = open_page("structure")
    page.radio(key="structure.variant").set_value("dt").run()
    page.number_input(key="structure.n_blocks").set_value(8).run()

    assert "Weight pattern of DT with n = 8" in alts(page)[0]
    assert page.query_params["variant"] == "dt"
    assert page.query_params["n_blocks"] == "8"
    assert page.number_input(key="structure.out_start").value == 3072 // 8 - 24, "the close-up follows the block corner"


def test_a_link_opens_the_same_picture(open_page: Open) -> None:
    link = {"in_features": "64", "out_features": "128", "n_blocks": "4", "variant": "ot", "grain": "2"}
    window = {"out_start": "8", "out_stop": "24", "in_start": "0", "in_stop": "16"}
    page = open_page("structure", **link, **window)

    assert not page.exception
    assert page.radio(key="structure.variant").value == "ot"
    assert "outputs 8 to 23 by inputs 0 to 15" in alts(page)[1]


def test_what_a_link_says_wrongly_is_left_out(open_page: Open) -> None:
    page = open_page("structure", in_features="many", variant="zz", n_blocks="8")

    assert not page.exception
    assert page.number_input(key="structure.in_features").value == 768
    assert page.radio(key="structure.variant").value == "it"
    assert page.number_input(key="structure.n_blocks").value == 8


def test_a_wide_layer_is_drawn_too(open_page: Open) -> None:
    page = open_page("structure", in_features="16384", out_features="65536", n_blocks="64", variant="dt")

    assert not page.exception
    assert len(alts(page)) == 4


@pytest.mark.parametrize(("field", "value"), [("n_blocks", 7), ("in_features", 0), ("grain", 5), ("out_features", -1)])
def test_a_layer_that_cannot_be_is_a_sentence(open_page: Open, field: str, value: int) -> None:
    page = open_page("structure")
    page.number_input(key=f"structure.{field}").set_value(value).run()

    assert not page.exception
    assert "There is no such layer" in texts(page.error)
    page.number_input(key=f"structure.{field}").set_value(1).run()
    assert not page.exception


def test_a_window_outside_is_a_sentence_and_the_rest_stays(open_page: Open) -> None:
    page = open_page("structure")
    page.number_input(key="structure.out_stop").set_value(99_999).run()

    assert not page.exception
    assert "This window cannot be shown" in texts(page.error)
    assert "3072" in texts(page.error)
    assert len(alts(page)) == 3


def test_few_blocks_are_flagged_as_saving_nothing(open_page: Open) -> None:
    page = open_page("structure", n_blocks="2")
    assert "saves nothing" in texts(page.warning)


def test_a_stack_that_splits_for_ever_is_said_in_words(open_page: Open) -> None:
    page = open_page("structure", in_features="256", out_features="256", n_blocks="32", variant="dt")

    assert not page.exception
    assert "25.00 %" in texts(page.markdown)
    assert "stay apart" in texts(page.markdown)
    assert "The same layer again" in texts(page.markdown)


def test_two_features_are_joined_in_the_graph_or_through_a_stack(open_page: Open) -> None:
    page = open_page("structure", side="output", feature="2500", partner="5")

    assert not page.exception
    assert "No block of this layer joins input 5 and output 2500" in texts(page.markdown)
    assert "Input 5 reaches output 2500 after **3 layers**" in texts(page.markdown)
    assert alts(page)[3].startswith("One path from input 5 to output 2500")
    page.number_input(key="structure.partner").set_value(2000).run()
    assert "input" in texts(page.error)
    page.number_input(key="structure.partner").set_value(600).run()
    assert "joins input 600 to output 2500 through BLOCKDIAG block 3." in texts(page.markdown)
    assert page.query_params["partner"] == "600"


def test_values_are_drawn_or_come_from_a_file_of_the_sizes(open_page: Open, api: ApiClient) -> None:
    content = io.BytesIO()
    np.save(content, np.arange(64 * 128, dtype=np.float32).reshape(64, 128))
    kept = api.upload("turned.npy", io.BytesIO(content.getvalue()), len(content.getvalue()))
    page = open_page("structure", in_features="64", out_features="128", weights="paper")
    assert [alt[:12] for alt in alts(page)[2:4]] == ["Magnitude of", "Magnitude of"]

    page.radio(key="structure.weights").set_value("file").run()
    assert not page.exception
    assert page.query_params["file"] == kept["id"]
    assert "turned.npy" in texts(page.caption)
    assert "turned to (out, in)" in texts(page.caption)
    assert len(alts(page)) == 6
    page.number_input(key="structure.in_features").set_value(32).run()
    assert "This file holds no matrix of 32 → 128" in texts(page.info)


def test_values_of_a_layer_too_large_are_declined_in_words(open_page: Open) -> None:
    page = open_page("structure", in_features="1048576", out_features="1048576", n_blocks="64", weights="paper")

    assert not page.exception
    assert "4194304 entries" in texts(page.info).replace("\u202f", "")
    assert not page.error
