"""Take the pictures of the README from a running pair of servers, in the real browser.

Start both with ``dyad up``, leave the machine alone, then ``python docs/screenshots.py``. It measures OPT-125m fc1
(768 → 3072, 4096 tokens, n = 4 and 8, IT, OT and DT) through the service, or takes a finished run by ``--run``, projects
a made-up matrix (low rank and noise, stronger near the diagonal), and writes one PNG per main page to ``docs/images``.
"""

from __future__ import annotations

import argparse
import io
import os
import shutil
import sys
import time
from pathlib import Path

import httpx
import numpy as np
from playwright.sync_api import Page, expect, sync_playwright

IMAGES = Path(__file__).resolve().parent / "images"
FLAGS = ["--no-sandbox", "--headless=new", "--disable-gpu", "--disable-background-networking"]
REQUEST = {"in_features": 768, "out_features": 3072, "tokens": 4096, "n_blocks": [4, 8], "variants": ["it", "ot", "dt"]}
WIDTH = 1280
QUERY = "in_features=768&out_features=3072&n_blocks=4&variant=it&grain=1&side=input&feature=5"
CHAIN = "chain=12~768x3072.4.it_3072x768.4.it&view=locality&depth=4"


def measured(api: str) -> str:
    """Run the benchmark through the service and return its id; nothing polls while it is timed but this, seldom."""
    with httpx.Client(base_url=api, trust_env=False, timeout=30.0) as client:
        run_id: str = client.post("/api/v1/benchmarks", json=REQUEST).raise_for_status().json()["id"]
        while (status := client.get(f"/api/v1/benchmarks/{run_id}").json()["status"]) in ("queued", "running"):
            time.sleep(5)
    if status != "succeeded":
        sys.exit(f"The run {run_id} is {status}; no picture was taken.")
    return run_id


def projected(api: str) -> str:
    """Send a matrix, project it through the service and return the job's id."""
    random = np.random.default_rng(0)
    rows, columns = np.arange(1536)[:, None] / 1536, np.arange(384)[None, :] / 384
    low_rank = random.standard_normal((1536, 24)) @ random.standard_normal((24, 384)) / 12
    matrix = low_rank + random.standard_normal((1536, 384)) * (0.4 + 1.5 * np.exp(-8 * np.abs(rows - columns)))
    content = io.BytesIO()
    np.save(content, matrix.astype(np.float32))
    request = {"n_blocks": [4, 8], "examine": {"variant": "it", "n_blocks": 4}}
    with httpx.Client(base_url=f"{api}/api/v1", trust_env=False, timeout=60.0) as client:
        headers = {"Content-Type": "application/octet-stream"}
        sent = client.post("/uploads", params={"name": "made_up.npy"}, content=content.getvalue(), headers=headers)
        upload = sent.raise_for_status().json()["id"]
        job: str = (
            client.post("/structure/projection", json={"upload": upload, **request}).raise_for_status().json()["id"]
        )
        while (status := client.get(f"/jobs/{job}").json()["status"]) in ("queued", "running"):
            time.sleep(1)
    if status != "succeeded":
        sys.exit(f"The projection {job} is {status}; no picture was taken.")
    return job


def take(page: Page, address: str, name: str, *, charts: int, wait_for: str) -> None:
    """Open a page, wait until it has drawn ``charts`` charts and a text, and save it as high as its content is."""
    page.set_viewport_size({"width": WIDTH, "height": 900})
    page.goto(address)
    expect(page.get_by_text(wait_for).first).to_be_visible()
    expect(page.locator(".js-plotly-plot")).to_have_count(charts)
    expect(page.get_by_test_id("stStatusWidget")).to_have_count(0)
    # The page scrolls inside its main part, so the window has to be as high as the content.
    height = page.get_by_test_id("stMain").evaluate("main => main.scrollHeight")
    page.set_viewport_size({"width": WIDTH, "height": height})
    page.wait_for_timeout(2000)  # charts take the new size
    page.screenshot(path=IMAGES / f"{name}.png")
    sys.stdout.write(f"{IMAGES / name}.png  {WIDTH} x {height}\n")


def main() -> None:
    """Read the arguments and take every picture."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dashboard", default="http://127.0.0.1:8501", help="address of the dashboard")
    parser.add_argument("--api", default="http://127.0.0.1:8000", help="address of the service")
    parser.add_argument("--run", help="id of a finished run to show instead of measuring one")
    arguments = parser.parse_args()
    browser = os.environ.get("DYAD_BROWSER") or shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        sys.exit("No browser was found; DYAD_BROWSER names one.")
    run_id = arguments.run or measured(arguments.api)
    job_id = projected(arguments.api)
    IMAGES.mkdir(parents=True, exist_ok=True)
    expect.set_options(timeout=60_000)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=browser, args=FLAGS)
        page = chromium.new_context(base_url=arguments.dashboard, color_scheme="light").new_page()
        page.goto("/system")  # the first page of a cold browser settles its side bar late
        take(page, f"/?run={run_id}", "layer_lab", charts=2, wait_for="Every candidate")
        take(page, f"/structure?{QUERY}", "structure", charts=4, wait_for="Reach of stacked layers")
        take(page, f"/reachability?{CHAIN}", "reachability", charts=5, wait_for="Near dimensions are favoured")
        take(page, f"/weights?job={job_id}", "weights", charts=4, wait_for="What the pattern drops")
        take(page, "/runs", "runs", charts=0, wait_for="newest first")
        take(page, "/system", "system", charts=0, wait_for="Implementations")
        chromium.close()


if __name__ == "__main__":
    main()
