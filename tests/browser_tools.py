"""What the tests in a real browser do again and again: a number typed, a chart found, a cell pointed at."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Browser, Locator, Page, expect
from playwright.sync_api import TimeoutError as PlaywrightTimeout

MINUTE = 60_000


def set_number(page: Page, label: str, value: float) -> None:
    box = page.get_by_role("spinbutton", name=label, exact=True)
    box.fill(f"{value:g}")
    box.press("Enter")


def chart(page: Page, key: str) -> Locator:
    """The drawn Plotly chart of a key: its marks, not only its frame."""
    return page.locator(f".st-key-{key.replace('.', '-')} .js-plotly-plot .main-svg").first


def pointed_at(page: Page, key: str, across: float, down: float) -> str:
    """Point at a place of a chart, as shares of its width and height, and return what it says there."""
    area = page.locator(f".st-key-{key.replace('.', '-')} .nsewdrag").first
    area.scroll_into_view_if_needed()
    box = area.bounding_box()
    assert box is not None
    for nudge in (3, 0):
        page.mouse.move(box["x"] + across * box["width"] - nudge, box["y"] + down * box["height"])
    texts = page.locator(f".st-key-{key.replace('.', '-')} .hoverlayer .hovertext")
    expect(texts.first).to_be_visible()
    return " ".join(texts.all_text_contents())


def pictures(page: Page) -> list[str]:
    """Every picture of a page in words; waits until the page is at rest."""
    expect(page.get_by_test_id("stStatusWidget")).to_have_count(0)
    return sorted(figure.get_attribute("aria-label") or "" for figure in page.get_by_role("figure").all())


def seen_by_another(browser: Browser, page: Page, charts: int) -> list[str]:
    """Open the address of a page in a context that knows nothing, and return its pictures in words."""
    context = browser.new_context(color_scheme="dark", viewport={"width": 1440, "height": 1000})
    try:
        other = context.new_page()
        other.goto(page.url)
        expect(other.locator(".js-plotly-plot")).to_have_count(charts)
        return pictures(other)
    finally:
        context.close()


def saved_by_keyboard(page: Page, key: str) -> Path:
    """Press the camera of a chart by Enter and return the file.

    A chart that is drawn anew between focus and press loses the press, as a person would see, and it is pressed again.
    """
    camera = page.locator(f".st-key-{key.replace('.', '-')}").get_by_role("button", name="Download plot")
    for _ in range(2):
        camera.focus()
        try:
            with page.expect_download(timeout=10_000) as downloading:
                page.keyboard.press("Enter")
            return Path(downloading.value.path())
        except PlaywrightTimeout:
            continue
    camera.focus()
    with page.expect_download(timeout=MINUTE) as downloading:
        page.keyboard.press("Enter")
    return Path(downloading.value.path())
