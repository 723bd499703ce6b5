"""The Structure page in a real Chromium, over the two real servers."""

import re

import pytest
from browser_tools import chart, pictures, pointed_at, saved_by_keyboard, seen_by_another, set_number
from playwright.sync_api import Browser, Page, expect
from service_tools import wait_until

pytestmark = pytest.mark.e2e


def test_the_structure_is_drawn_and_redrawn_and_a_box_looks_closer(page: Page) -> None:
    page.goto("/structure")
    for key in ("structure.overview", "structure.closeup", "structure.graph", "structure.reach"):
        expect(chart(page, key)).to_be_attached()
    expect(page.get_by_text("43.75 %").first).to_be_visible()

    page.get_by_test_id("stRadio").get_by_text("DT", exact=True).click()
    expect(page.get_by_text("i mod 4").first).to_be_visible()
    page.wait_for_url(re.compile("variant=dt"))
    expect(page.get_by_role("figure", name=re.compile("Share of .* by DT"))).to_be_attached()
    expect(page.get_by_test_id("stStatusWidget")).to_have_count(0)

    area = page.locator(".st-key-structure-overview .nsewdrag").first
    area.scroll_into_view_if_needed()
    box = area.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 0.5 * box["width"], box["y"] + 0.25 * box["height"])
    page.mouse.down()
    page.mouse.move(box["x"] + 0.75 * box["width"], box["y"] + 0.5 * box["height"], steps=8)
    page.mouse.up()
    page.wait_for_url(lambda url: "out_start=744" not in url)
    low, high = (int(re.search(rf"{name}=(\d+)", page.url)[1]) for name in ("in_start", "in_stop"))
    assert abs(low - 384) < 24
    assert abs(high - 576) < 24

    set_number(page, "n_blocks", 7)
    expect(page.get_by_text("There is no such layer")).to_be_visible()


def test_a_feature_is_followed_through_the_layer_and_on_through_a_stack(page: Page) -> None:
    page.goto("/structure?in_features=1024&out_features=1024&n_blocks=64&side=output&feature=700")
    expect(page.get_by_text("Output 700 reads")).to_be_visible()
    expect(page.get_by_role("figure", name=re.compile("Graph of IT with n = 64.*Output 700"))).to_be_attached()

    page.get_by_role("link", name="Follow this layer through a stack").click()
    page.wait_for_url(re.compile("reachability.*chain=12"))
    expect(page.get_by_text("12 layers, 12 × [1024 → 1024]")).to_be_visible()


def test_two_features_are_followed_and_pictures_saved_by_keyboard_alone(page: Page, browser: Browser) -> None:
    page.goto("/structure")
    expect(chart(page, "structure.reach")).to_be_attached()
    page.get_by_role("radiogroup", name="Follow one feature").get_by_role("radio").first.focus()
    page.keyboard.press("ArrowRight")
    for label, index in (("its index", "5"), ("and an output", "2500")):
        page.get_by_role("spinbutton", name=label, exact=True).focus()
        page.keyboard.press("Control+A")
        page.keyboard.type(index)
        page.keyboard.press("Enter")
    expect(page.get_by_text("No block of this layer joins input 5 and output 2500.")).to_be_visible()
    expect(chart(page, "structure.route")).to_be_attached()
    expect(page.get_by_text("Input 5 reaches output 2500 after")).to_be_visible()
    page.wait_for_url(re.compile("side=input&feature=5&partner=2500"))
    assert seen_by_another(browser, page, charts=5) == pictures(page)

    assert saved_by_keyboard(page, "structure.graph").read_bytes().startswith(b"<svg")
    page.get_by_role("radiogroup", name="Camera saves").get_by_role("radio").first.focus()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("radio", name="PNG")).to_be_checked()
    # The charts hear of it a moment later.
    wait_until(lambda: saved_by_keyboard(page, "structure.graph").read_bytes().startswith(b"\x89PNG"), "a PNG")


def test_a_cell_names_its_features_and_its_parameter_at_a_border_of_blocks_too(page: Page) -> None:
    """Plotly names a cell that begins at a tick by the tick: the first feature of each block lost its words."""
    page.goto("/structure")
    expect(chart(page, "structure.closeup")).to_be_attached()

    said = pointed_at(page, "structure.closeup", 24.5 / 48, 24.5 / 48)
    assert "output 768  BLOCKDIAG block 1, position 0  BLOCKTRANS block 1, position 0" in said
    assert "input 192  BLOCKDIAG block 1, position 0  BLOCKTRANS block 0, position 48" in said
    assert "weight_blockdiag[1, 0, 0]" in said
