"""The dashboard in a real Chromium, over the two real servers: measuring, runs, the machine, and a service that is away."""

import re

import httpx
import pytest
from browser_tools import MINUTE, chart, set_number
from playwright.sync_api import Page, expect
from service_tools import LONG, SMALL

pytestmark = pytest.mark.e2e


def open_lab(page: Page, address: str = "/") -> None:
    page.goto(address)
    expect(page.get_by_role("button", name="Run", exact=True)).to_be_visible()


def submit(servers, request: dict) -> str:
    answer = httpx.post(f"{servers.backend.url}/api/v1/benchmarks", json=request, trust_env=False)
    assert answer.status_code == 202, answer.text
    run_id: str = answer.json()["id"]
    return run_id


def status(servers, run_id: str) -> str:
    answer = httpx.get(f"{servers.backend.url}/api/v1/benchmarks/{run_id}", trust_env=False)
    found: str = answer.json()["status"]
    return found


def test_a_first_measurement_from_click_to_charts(page: Page) -> None:
    open_lab(page)
    set_number(page, "in_features", 64)
    set_number(page, "out_features", 128)
    set_number(page, "tokens", 16)
    set_number(page, "time budget (s)", 1)
    page.get_by_role("combobox", name="variants").click()
    page.get_by_role("option", name="OT", exact=True).click()
    page.keyboard.press("Escape")
    expect(page.get_by_text("4 candidates against the dense twin")).to_be_visible()
    page.get_by_role("button", name="Run", exact=True).click()

    expect(page.get_by_role("heading", name="Every candidate", exact=True)).to_have_count(1, timeout=2 * MINUTE)
    assert re.search(r"\?run=[0-9a-f]{32}$", page.url)
    expect(chart(page, "chart.speed")).to_be_visible()
    expect(chart(page, "chart.memory")).to_be_visible()
    for label in ("IT n=4", "OT n=4", "IT n=8", "OT n=8"):
        expect(page.locator(".st-key-chart-speed").get_by_text(label, exact=True)).to_be_visible()
    expect(page.locator(".st-key-chart-speed").get_by_text("dense = 1.0x")).to_be_visible()
    expect(page.locator(".st-key-chart-memory").get_by_text("dense", exact=True)).to_be_visible()
    expect(page.get_by_text("Measured on").first).to_be_visible()
    expect(page.get_by_text(re.compile("forward")).first).to_be_visible()

    page.get_by_test_id("stRadio").get_by_text("time per call").click()
    expect(chart(page, "chart.time")).to_be_visible()
    with page.expect_download() as downloading:
        page.get_by_role("button", name="Download CSV").click()
    assert downloading.value.suggested_filename.endswith(".csv")


def test_a_run_goes_on_through_a_reload_and_is_cancelled_by_a_click(page: Page, servers) -> None:
    open_lab(page)
    run_id = submit(servers, LONG)
    open_lab(page, f"/?run={run_id}")
    cancel = page.get_by_role("button", name="Cancel", exact=True)
    expect(cancel).to_be_visible()
    expect(page.get_by_role("progressbar")).to_be_visible()

    page.reload()
    expect(cancel).to_be_visible()
    assert run_id in page.url
    expect(page.get_by_role("spinbutton", name="in_features", exact=True)).to_have_value("2048")
    assert status(servers, run_id) in ("queued", "running"), "closing a page stops no measurement"

    cancel.click()
    expect(page.get_by_text("The run was cancelled")).to_be_visible()
    expect(page.get_by_role("progressbar")).to_have_count(0)
    assert status(servers, run_id) == "cancelled"


def test_a_run_that_ends_while_one_looks_turns_into_its_result(page: Page, servers) -> None:
    run_id = submit(servers, SMALL | {"variants": ["it", "ot", "dt"], "max_seconds": 3.0})
    open_lab(page, f"/?run={run_id}")
    page.reload()

    expect(page.get_by_role("heading", name="Every candidate", exact=True)).to_have_count(1, timeout=2 * MINUTE)
    assert status(servers, run_id) == "succeeded"


def test_a_wrong_size_is_answered_by_a_sentence_and_mended(page: Page) -> None:
    open_lab(page)
    set_number(page, "in_features", 770)
    expect(page.get_by_role("combobox", name="Layer")).to_have_value("Custom sizes")
    page.get_by_role("button", name="Run", exact=True).click()

    alert = page.get_by_test_id("stAlert").filter(has_text="Not started")
    expect(alert).to_contain_text("in_features must be divisible by n_blocks=4 (received 770)")
    set_number(page, "in_features", 768)
    expect(alert).to_have_count(0)


def test_runs_are_listed_imported_opened_and_deleted(page: Page, servers) -> None:
    run_id = submit(servers, SMALL)
    open_lab(page, f"/?run={run_id}")
    expect(page.get_by_role("heading", name="Every candidate", exact=True)).to_have_count(1, timeout=2 * MINUTE)
    export = httpx.get(f"{servers.backend.url}/api/v1/benchmarks/{run_id}/export?format=json", trust_env=False)

    page.get_by_role("link", name="Runs").click()
    entry = page.locator(f".st-key-run-{run_id}")
    expect(entry).to_be_visible()
    page.get_by_text("Import a result file").click()
    page.locator("input[type=file]").set_input_files(
        {"name": "elsewhere.json", "mimeType": "application/json", "buffer": export.content}
    )
    marked = page.locator("[class*=st-key-run-]").filter(has_text="imported")
    expect(marked).to_have_count(1)

    marked.get_by_role("button", name="More").click()
    page.get_by_role("button", name="Delete …").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete", exact=True).click()
    expect(marked).to_have_count(0)

    entry.get_by_role("link", name="Open").click()
    expect(page.get_by_role("heading", name="Every candidate", exact=True)).to_have_count(1)
    assert run_id in page.url


def test_the_machine_is_shown(page: Page) -> None:
    page.goto("/system")

    expect(page.get_by_role("heading", name="Devices")).to_be_visible()
    expect(page.get_by_text("Measurements run one at a time")).to_be_visible()
    expect(page.get_by_role("cell", name="torch").or_(page.get_by_text("torch", exact=True)).first).to_be_visible()


@pytest.mark.parametrize(
    "address",
    [
        "/",
        "/crossover",
        "/models",
        "/structure?side=input&weights=paper",
        "/reachability?view=groups",
        "/reachability?view=advisor",
        "/weights",
        "/runs",
        "/system",
    ],
)
def test_nothing_is_wider_than_a_narrow_screen(page: Page, address: str) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(address)
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    expect(page.get_by_test_id("stStatusWidget")).to_have_count(0)

    assert page.get_by_test_id("stMain").evaluate("main => main.scrollWidth") <= 390


def test_a_killed_service_is_named_and_the_page_recovers_by_itself(page: Page, servers) -> None:
    open_lab(page)
    run_id = submit(servers, LONG)
    open_lab(page, f"/?run={run_id}")
    expect(page.get_by_role("button", name="Cancel", exact=True)).to_be_visible()

    servers.backend.end(kill=True)
    try:
        down = page.get_by_text("The service does not answer at")
        expect(down.first).to_be_visible()
        expect(down.first).to_contain_text(servers.backend.url)
    finally:
        servers.backend.start()
    expect(page.get_by_text("The run was interrupted")).to_be_visible()
    expect(page.get_by_role("button", name="Run", exact=True)).to_be_visible()
    assert status(servers, run_id) == "interrupted"


def test_a_page_opened_while_the_service_is_down_comes_up_when_it_is_back(page: Page, servers) -> None:
    servers.backend.end()
    try:
        page.goto("/runs")
        expect(page.get_by_text("The service does not answer at")).to_be_visible()
    finally:
        servers.backend.start()
    expect(page.get_by_text("Import a result file")).to_be_visible()
