"""The Crossover page in a real Chromium: a tiny map from click to rule, through a reload, and seen by somebody else."""

import re

import httpx
import pytest
from browser_tools import MINUTE, chart, pictures, pointed_at, seen_by_another, set_number
from playwright.sync_api import Browser, Page, expect
from service_tools import SMALL, ended

pytestmark = pytest.mark.e2e


def choose(page: Page, name: str, values: list[str]) -> None:
    """Empty a list of numbers and type others into it."""
    control = page.locator(f".st-key-crossover-{name}")
    control.get_by_role("button", name="Clear all").click()
    for value in values:
        control.get_by_role("combobox").press_sequentially(value)
        page.get_by_role("option", name=value, exact=True).or_(
            page.get_by_role("option", name=f"Add: {value}")
        ).first.click()
        page.keyboard.press("Escape")  # an open list hides what is chosen from readers of the page
        expect(control.get_by_role("button", name=f"Remove {value}", exact=True)).to_be_visible()


def test_a_map_grows_survives_a_reload_and_ends_in_a_rule(page: Page, browser: Browser) -> None:
    page.goto("/crossover")
    expect(page.get_by_role("button", name="Start", exact=True)).to_be_visible()
    choose(page, "widths", ["64", "128", "256"])
    choose(page, "tokens", ["8", "16"])
    choose(page, "n_blocks", ["4"])
    set_number(page, "time budget (min)", 0.5)
    expect(page.get_by_text("A lattice of 6 sizes")).to_be_visible()
    page.get_by_role("button", name="Start", exact=True).click()

    expect(page.get_by_role("button", name="Cancel", exact=True)).to_be_visible()
    assert re.search(r"\?sweep=[0-9a-f]{32}$", page.url)
    page.reload()
    expect(chart(page, "chart.crossover")).to_be_visible(timeout=2 * MINUTE)
    expect(page.get_by_role("heading", name="Every measured size")).to_be_visible(timeout=3 * MINUTE)
    expect(page.get_by_role("listitem").filter(has_text="IT n=4")).to_be_visible()
    expect(page.locator(".st-key-chart-crossover").get_by_text("tokens", exact=True)).to_be_visible()

    said = pointed_at(page, "chart.crossover", 0.17, 0.75)
    assert "64 → 256, 8 tokens" in said
    assert "95 %" in said
    with page.expect_download() as downloading:
        page.get_by_role("button", name="Download CSV").click()
    assert downloading.value.suggested_filename.endswith(".csv")
    assert seen_by_another(browser, page, 1) == pictures(page)


def test_two_runs_are_chosen_and_stand_side_by_side(page: Page, servers) -> None:
    with httpx.Client(base_url=servers.backend.url, trust_env=False) as client:
        answers = [client.post("/api/v1/benchmarks", json=SMALL | {"tokens": tokens}).json() for tokens in (8, 24)]
        runs = [ended(client, answer["id"])["id"] for answer in answers]
    page.goto("/runs")
    for run_id in runs:
        box = page.locator(f".st-key-run-{run_id}").get_by_text("compare", exact=True)
        expect(box).to_have_count(1)  # while the page is drawn anew the old one stands beside the new
        box.click()
        expect(page.get_by_text(re.compile(rf"chosen to compare: .*{run_id[:8]}"))).to_be_visible()
    page.get_by_role("button", name="Compare", exact=True).click()

    expect(page.get_by_role("heading", name="Side by side")).to_be_visible()
    expect(page.get_by_text("only speed-ups can be compared")).to_be_visible()
    expect(chart(page, "chart.compare")).to_be_visible()
    expect(page.locator(".st-key-chart-compare").get_by_text("IT n=4", exact=True)).to_be_visible()
    page.reload()
    expect(chart(page, "chart.compare")).to_be_visible()
    page.get_by_role("button", name="Close the comparison").click()
    expect(page.get_by_role("heading", name="Side by side")).to_have_count(0)
