"""Take the pictures of the README from a running pair of servers, in the real browser.

Start both with ``dyad up``, leave the machine alone, then ``python docs/screenshots.py``. It measures OPT-125m fc1
(768 → 3072, 4096 tokens, n = 4 and 8, IT, OT and DT) through the service, or takes a finished run by ``--run``, projects
a made-up matrix (low rank and noise, stronger near the diagonal), and writes one PNG per main page to ``docs/images``, those of wide layers in dark colours.
"""

from __future__ import annotations

import argparse
import io
import os
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import numpy as np
from playwright.sync_api import Page, expect, sync_playwright

IMAGES = Path(__file__).resolve().parent / "images"
FLAGS = ["--no-sandbox", "--headless=new", "--disable-gpu", "--disable-background-networking"]
REQUEST = {"in_features": 768, "out_features": 3072, "tokens": 4096, "n_blocks": [4, 8], "variants": ["it", "ot", "dt"]}
WIDTH = 1280
QUERY = "in_features=768&out_features=3072&n_blocks=4&variant=it&grain=1&side=input&feature=5"
CHAIN = "chain=12~768x3072.4.it_3072x768.4.it&view=locality&depth=2"
WIDE_QUERY = f"in_features={2**20}&out_features={2**20}&n_blocks=64&variant=it&grain=1&side=input&feature=700"
WIDE_CHAIN = f"chain=12~{2**20}x{2**20}.64.it&view=groups&depth=2"


def measured(api: str) -> str:
    """Run the benchmark through the service and return its id; nothing polls while it is timed but this, seldom."""
    with httpx.Client(base_url=api, trust_env=False, timeout=30.0) as client:
        run_id: str = client.post("/api/v1/benchmarks", json=REQUEST).raise_for_status().json()["id"]
        while (status := client.get(f"/api/v1/benchmarks/{run_id}").json()["status"]) in ("queued", "running"):
            time.sleep(5)
    if status != "succeeded":
        sys.exit(f"The run {run_id} is {status}; no picture was taken.")
    return run_id


def projected(api: str, outputs: int, inputs: int, n_blocks: list[int], examined: int) -> str:
    """Send a matrix (outputs, inputs), project it through the service for every n and return the job's id."""
    random = np.random.default_rng(0)
    rows, columns = np.arange(outputs)[:, None] / outputs, np.arange(inputs)[None, :] / inputs
    low_rank = random.standard_normal((outputs, 24)) @ random.standard_normal((24, inputs)) / 12
    matrix = low_rank + random.standard_normal((outputs, inputs)) * (0.4 + 1.5 * np.exp(-8 * np.abs(rows - columns)))
    content = io.BytesIO()
    np.save(content, matrix.astype(np.float32))
    request = {"n_blocks": n_blocks, "examine": {"variant": "it", "n_blocks": examined}}
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


def bundled_map(api: str) -> str:
    """The id of the newest map that ships with the library."""
    with httpx.Client(base_url=api, trust_env=False, timeout=30.0) as client:
        items = client.get("/api/v1/sweeps", params={"origin": "reference"}).raise_for_status().json()["items"]
    if not items:
        sys.exit("The service has no bundled map.")
    return str(items[0]["id"])


def model_address(api: str) -> tuple[str, int, str]:
    """The newest bundled measurement of a whole model; without one the estimate of OPT-125m."""
    with httpx.Client(base_url=api, trust_env=False, timeout=30.0) as client:
        found = client.get("/api/v1/models/measurements", params={"origin": "reference"}).raise_for_status().json()
    if not found["items"]:
        return "/models?model=opt-125m", 2, "In your own code"
    return f"/models?job={found['items'][0]['id']}", 7, "In your own code"


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
    parser.add_argument("--only", nargs="+", metavar="NAME", help="take these pictures alone, by their file names")
    arguments = parser.parse_args()
    browser = os.environ.get("DYAD_BROWSER") or shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        sys.exit("No browser was found; DYAD_BROWSER names one.")
    IMAGES.mkdir(parents=True, exist_ok=True)
    expect.set_options(timeout=120_000)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=browser, args=FLAGS)
        contexts = {
            scheme: chromium.new_context(base_url=arguments.dashboard, color_scheme=scheme)
            for scheme in ("light", "dark")
        }
        for name, picture in pictures(arguments.api, arguments.run).items():
            if arguments.only is None or name in arguments.only:
                address, charts, wait_for = picture()
                page = contexts["dark" if name.endswith("_dark") else "light"].new_page()
                page.goto("/system")  # the first page of a cold browser settles its side bar late
                take(page, address, name, charts=charts, wait_for=wait_for)
                page.close()
        chromium.close()


def pictures(api: str, run: str | None) -> dict[str, Callable[[], tuple[str, int, str]]]:
    """Each picture by name: what to do for it, which returns its address, its number of charts and a text of it."""

    def weights(outputs: int, inputs: int, n_blocks: list[int], examined: int) -> tuple[str, int, str]:
        return f"/weights?job={projected(api, outputs, inputs, n_blocks, examined)}", 4, "What the pattern drops"

    return {
        "layer_lab": lambda: (f"/?run={run or measured(api)}", 3, "Every candidate"),
        "crossover": lambda: (f"/crossover?sweep={bundled_map(api)}", 1, "Every measured size"),
        "models": lambda: model_address(api),
        "structure": lambda: (f"/structure?{QUERY}", 4, "Reach of stacked layers"),
        "structure_wide_dark": lambda: (f"/structure?{WIDE_QUERY}", 4, "Reach of stacked layers"),
        "reachability": lambda: (f"/reachability?{CHAIN}", 5, "Near dimensions are favoured"),
        "reachability_wide_dark": lambda: (f"/reachability?{WIDE_CHAIN}", 6, "Paths through all these layers"),
        "weights": lambda: weights(1536, 384, [4, 8], 4),
        "weights_wide_dark": lambda: weights(4096, 1024, [16, 64], 64),
        "runs": lambda: ("/runs", 0, "newest first"),
        "system": lambda: ("/system", 0, "Implementations"),
    }


if __name__ == "__main__":
    main()
