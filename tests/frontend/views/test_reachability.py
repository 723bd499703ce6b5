"""The Reachability page through the entry script, against the real service."""

import re
from collections.abc import Callable

import httpx
import pytest
from dashboard_tools import texts
from service_tools import SMALL, ended
from streamlit.testing.v1 import AppTest

Open = Callable[..., AppTest]
BY_DEPTH = ["Share of input-output pairs", "Parts that no path", "Fewest, median and most", "Evenness of paths"]


def alts(page: AppTest) -> list[str]:
    return [element.proto.alt for element in page.get("plotly_chart")]


def test_one_feed_forward_is_shown_first_and_controls_change_every_layer(open_page: Open) -> None:
    page = open_page("reachability")

    assert not page.exception
    assert [alt[: len(start)] for alt, start in zip(alts(page), BY_DEPTH, strict=True)] == BY_DEPTH
    assert "from depth **2** on" in texts(page.markdown)
    assert [control.label for control in [*page.number_input, *page.selectbox, *page.radio] if not control.help] == []

    page.number_input(key="reach.n_blocks").set_value(8).run()
    page.selectbox(key="reach.preset").set_value("OPT-125m stack").run()
    assert page.query_params["chain"] == "12~768x3072.8.it_3072x768.8.it"
    assert "24 layers" in texts(page.markdown)
    assert "decimal logarithms" in texts(page.caption)


def test_a_mixed_chain_opens_from_a_link_and_its_holes_are_named(open_page: Open) -> None:
    page = open_page("reachability", chain="96x384.4.it_384x96.4.ot", view="groups")

    assert page.radio(key="reach.variant").value is None
    assert "IT followed by OT leaves holes" in texts(page.warning)
    assert "67.19 %" in texts(page.markdown)
    assert "not joined completely" in alts(page)[4]


@pytest.mark.parametrize(
    ("view", "said"),
    [("locality", "Near dimensions are favoured"), ("compare", "Rank|rank"), ("advisor", "Recommended: IT with n = 4")],
)
def test_each_question_is_answered_when_it_is_opened(open_page: Open, view: str, said: str) -> None:
    page = open_page("reachability", chain="2~96x384.4.it_384x96.4.it", view=view, depth="2")

    assert not page.exception
    everything = texts(page.markdown) + texts(page.success) + texts(page.caption)
    assert any(part in everything for part in said.split("|"))
    assert len(alts(page)) == 5
    assert page.query_params["view"] == view


def test_one_pair_is_followed_step_by_step(open_page: Open) -> None:
    page = open_page(
        "reachability", chain="12~768x3072.4.it_3072x768.4.it", view="pair", depth="24", input="5", output="700"
    )

    assert "after **2 layers**" in texts(page.markdown)
    assert "2308383752904259381074803001550856473394924430263842988438247702528" in texts(page.caption)
    assert len(page.dataframe[0].value) == 2
    page.number_input(key="reach.output").set_value(768).run()
    assert "output" in texts(page.error)
    assert not page.exception


def test_the_rank_is_computed_only_when_asked(open_page: Open) -> None:
    page = open_page("reachability", chain="32x64.4.it_64x32.4.it", view="rank")
    assert len(alts(page)) == 4
    page.button(key="reach.rank").click().run()
    assert "has rank **" in texts(page.markdown)
    assert len(alts(page)) == 5
    link = {name: page.query_params[name] for name in ("chain", "view", "depth", "seed", "ranked")}
    page.number_input(key="reach.seed").set_value(1).run()
    assert len(alts(page)) == 4, "another draw has another rank"

    again = open_page("reachability", **link)
    assert len(alts(again)) == 5, "the link shows it"


def test_rows_are_duplicated_and_removed_by_buttons(open_page: Open) -> None:
    page = open_page("reachability", chain="64x64.4.it")

    def press(label: str) -> str:
        page.session_state["reach.open"] = True  # AppTest lets go of an open expander at each run
        page.run()
        page.button(key=f"reach.{label}").click().run()
        assert not page.exception
        return page.query_params["chain"]

    assert press("Duplicate") == "64x64.4.it_64x64.4.it"
    assert press("Add the way back") == "64x64.4.it_64x64.4.it_64x64.4.it"
    assert press("Remove") == "64x64.4.it_64x64.4.it"


def test_layers_that_do_not_follow_each_other_are_named(open_page: Open) -> None:
    page = open_page("reachability", chain="64x128.4.it_64x128.4.it")

    assert not page.exception
    said = texts(page.error)
    assert "These layers do not make a chain" in said
    assert "in_features of layer 2" in said


def test_a_size_without_a_legal_n_gets_padded_ones(open_page: Open) -> None:
    page = open_page("reachability", view="advisor", advise_in="769", advise_out="769")

    assert "nothing is saved" in texts(page.warning)
    assert "772 → 772" in page.table[0].value.to_string()


def test_the_advisor_shows_the_verdict_on_what_it_recommends_once_it_is_measured(
    open_page: Open, service: httpx.Client
) -> None:
    page = open_page("reachability", view="advisor", advise_in="48", advise_out="96")
    assert [toggle.label for toggle in page.toggle] == ["What was measured of it"]
    page.toggle(key="reach.advice_verdict").set_value(True).run()
    assert "Nothing of these sizes was measured" in texts(page.info)

    recommended = re.search(r"Recommended: (\w\w) with n = (\d+)", texts(page.success))
    assert recommended is not None
    variant, n_blocks = recommended[1].lower(), int(recommended[2])
    request = {"in_features": 48, "out_features": 96, "variants": [variant], "n_blocks": [n_blocks]}
    run = service.post("/api/v1/benchmarks", json=SMALL | request).json()
    assert ended(service, run["id"])["status"] == "succeeded"
    page.run()
    assert not page.exception
    assert f"(run /api/v1/benchmarks/{run['id']})" in texts(page.markdown)
