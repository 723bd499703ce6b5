"""Measure in the real browser how soon the pictures follow a control of the Structure and Reachability pages.

Start ``dyad up``, leave the machine alone, then ``python scripts/measure_redraw.py``. Timed inside the page, from the
key or click to Plotly's ``plotly_afterplot`` of each chart: the first is the picture the control stands above, the
last the end of the page. Prints median and worst milliseconds; servers and browser share the machine's processors.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import sys
from collections.abc import Callable, Sequence

from playwright.sync_api import Page, sync_playwright

FLAGS = ["--no-sandbox", "--headless=new", "--disable-gpu", "--disable-background-networking"]
WIDE = "in_features=1048576&out_features=1048576&n_blocks=64"
BLOCKS = {"768": (8, 4, 12, 16, 6), "1048576": (32, 64, 16, 4, 8)}
WATCH = """() => {
  window.redraw = {from: 0, drawn: {}};
  const hook = chart => {
    if (chart.hooked) return;
    chart.hooked = true;
    chart.on('plotly_afterplot', () => {
      const name = chart.closest('[class*=st-key-]').className.match(/st-key-([\\w-]+)/)[1];
      if (!(name in window.redraw.drawn)) window.redraw.drawn[name] = performance.now() - window.redraw.from;
    });
  };
  const scan = () => document.querySelectorAll('.js-plotly-plot').forEach(hook);
  new MutationObserver(scan).observe(document.body, {childList: true, subtree: true});
  scan();
  const start = () => { window.redraw = {from: performance.now(), drawn: {}}; };
  document.addEventListener('click', start, true);
  document.addEventListener('keydown', event => { if (event.key === 'Enter') start(); }, true);
}"""


def number(page: Page, label: str, values: Sequence[int]) -> Callable[[int], None]:
    """Return an action that gives a number field its next value."""

    def act(step: int) -> None:
        box = page.get_by_role("spinbutton", name=label, exact=True)
        box.fill(str(values[step % len(values)]))
        box.press("Enter")

    return act


def variant(page: Page) -> Callable[[int], None]:
    """Return an action that takes the next variant."""
    return lambda step: (
        page.get_by_test_id("stRadio").get_by_text(("DT", "OT", "IT")[step % 3], exact=True).first.click()
    )


def measure(page: Page, label: str, act: Callable[[int], None], picture: str, repeats: int) -> None:
    """Repeat an action, wait until the page is at rest each time, and print the times."""
    first, last = [], []
    for step in range(repeats):
        act(step)
        page.wait_for_timeout(2000)
        drawn = page.evaluate("window.redraw.drawn")
        if picture in drawn:
            first.append(drawn[picture])
            last.append(max(drawn.values()))
    if not first:
        sys.exit(f"{label}: {picture} was never drawn anew.")
    sys.stdout.write(
        f"{label:44s} picture {statistics.median(first):4.0f} (worst {max(first):4.0f}) ms   "
        f"whole page {statistics.median(last):4.0f} (worst {max(last):4.0f}) ms   {len(first)} of {repeats}\n"
    )


def main() -> None:
    """Read the arguments, measure both pages at 768 → 3072 and at width 2^20."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dashboard", default="http://127.0.0.1:8501", help="address of the dashboard")
    parser.add_argument("--repeats", type=int, default=10, help="changes of each control")
    arguments = parser.parse_args()
    browser = os.environ.get("DYAD_BROWSER") or shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        sys.exit("No browser was found; DYAD_BROWSER names one.")
    sys.stdout.write("Other work at the start (load average): " + " ".join(f"{x:.2f}" for x in os.getloadavg()) + "\n")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=browser, args=FLAGS)
        page = chromium.new_context(
            viewport={"width": 1440, "height": 1000}, base_url=arguments.dashboard, color_scheme="light"
        ).new_page()
        for name, query in {"768": "in_features=768&out_features=3072&n_blocks=4", "1048576": WIDE}.items():
            page.goto(f"/structure?{query}&variant=it&grain=1")
            page.wait_for_selector(".st-key-structure-reach .main-svg", state="attached", timeout=60_000)
            page.wait_for_timeout(2500)
            page.evaluate(WATCH)
            change = number(page, "n_blocks", BLOCKS[name])
            measure(page, f"Structure {name}, n", change, "structure-overview", arguments.repeats)
            measure(page, f"Structure {name}, variant", variant(page), "structure-overview", arguments.repeats)
        for name, chain in {"768": "12~768x3072.4.it_3072x768.4.it", "1048576": "12~1048576x1048576.64.it"}.items():
            page.goto(f"/reachability?chain={chain}")
            page.wait_for_selector(".st-key-reach-paths .main-svg", state="attached", timeout=60_000)
            page.wait_for_timeout(2500)
            page.evaluate(WATCH)
            blocks = number(page, "n_blocks", BLOCKS[name])
            measure(page, f"Reachability {name}, n", blocks, "reach-share", arguments.repeats)
            depth = number(page, "times", (6, 8, 10, 3, 5))
            measure(page, f"Reachability {name}, depth", depth, "reach-share", arguments.repeats)
        chromium.close()


if __name__ == "__main__":
    main()
