"""The Reachability page in a real Chromium, over the two real servers."""

import re

import pytest
from browser_tools import chart, pictures, seen_by_another, set_number
from playwright.sync_api import Browser, Page, expect

pytestmark = pytest.mark.e2e


def test_a_stack_is_drawn_redrawn_and_edited(page: Page) -> None:
    page.goto("/reachability")
    for key in ("reach.share", "reach.paths", "reach.parts", "reach.evenness"):
        expect(chart(page, key)).to_be_attached()
    page.get_by_role("combobox", name="Chain").click()
    page.get_by_role("option", name="OPT-125m stack", exact=True).click()
    expect(page.get_by_role("figure", name=re.compile("24: 100.00 %"))).to_be_attached()
    expect(page.locator(".st-key-reach-share").get_by_text("24", exact=True)).to_be_visible()

    set_number(page, "n_blocks", 5)
    expect(page.get_by_text("These layers do not make a chain")).to_be_visible()
    set_number(page, "n_blocks", 4)
    page.get_by_text("The layers one by one").click()
    page.get_by_role("button", name="Remove", exact=True).click()
    expect(page.get_by_text("These layers do not make a chain")).to_be_visible()
    page.get_by_role("button", name="Add the way back", exact=True).click()
    expect(page.get_by_text("24 layers, 12 × [3072 → 768 → 3072]")).to_be_visible()

    page.get_by_test_id("stRadio").get_by_text("One pair", exact=True).click()
    expect(chart(page, "reach.route")).to_be_attached()
    page.wait_for_url(re.compile("view=pair"))
    page.reload()
    expect(chart(page, "reach.route")).to_be_attached()
    expect(page.get_by_text("Input 0 reaches output 0 after")).to_be_visible()
    with page.expect_download() as downloading:
        page.locator(".st-key-reach-share-csv").first.get_by_role("button").first.click()
    assert downloading.value.suggested_filename == "dyad-reach-share.csv"
    lines = downloading.value.path().read_text(encoding="utf-8").splitlines()
    assert len(lines) == 1 + 24


def test_a_rank_is_asked_for_by_keyboard_and_its_link_shows_it(page: Page, browser: Browser) -> None:
    page.goto("/reachability?chain=3~64x64.8.dt&view=rank&seed=1")
    page.get_by_role("button", name="Compute the rank").focus()
    page.keyboard.press("Enter")
    expect(chart(page, "reach.rank_chart")).to_be_attached()
    page.wait_for_url(re.compile("ranked=1"))
    assert seen_by_another(browser, page, charts=5) == pictures(page)
