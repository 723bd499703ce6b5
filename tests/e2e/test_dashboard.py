"""The dashboard in a real Chromium, over the two real servers: what a person does, from the first click on."""

import contextlib
import json
import re

import httpx
import numpy as np
import pytest
from playwright.sync_api import Page, TimeoutError, expect
from service_tools import LONG, SMALL

pytestmark = pytest.mark.e2e

MINUTE = 60_000


def open_lab(page: Page, address: str = "/") -> None:
    page.goto(address)
    expect(page.get_by_role("button", name="Run", exact=True)).to_be_visible()


def set_number(page: Page, label: str, value: float) -> None:
    box = page.get_by_role("spinbutton", name=label, exact=True)
    box.fill(f"{value:g}")
    box.press("Enter")


def submit(servers, request: dict) -> str:
    answer = httpx.post(f"{servers.backend.url}/api/v1/benchmarks", json=request, trust_env=False)
    assert answer.status_code == 202, answer.text
    run_id: str = answer.json()["id"]
    return run_id


def status(servers, run_id: str) -> str:
    answer = httpx.get(f"{servers.backend.url}/api/v1/benchmarks/{run_id}", trust_env=False)
    found: str = answer.json()["status"]
    return found


def chart(page: Page, key: str):
    """The drawn Plotly chart of a key: its marks, not only its frame."""
    return page.locator(f".st-key-{key.replace('.', '-')} .js-plotly-plot .main-svg").first


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


def safetensors(tensors: dict[str, np.ndarray]) -> bytes:
    """A file of float32 tensors, written by the format's own words: length, header, numbers."""
    header: dict[str, object] = {}
    data = b""
    for name, values in tensors.items():
        raw = values.astype("<f4").tobytes()
        header[name] = {"dtype": "F32", "shape": list(values.shape), "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data


def send(page: Page, name: str, content: bytes) -> None:
    box = page.locator("input[type=file]")
    expect(box).to_have_count(1)  # the box of the file before has gone
    box.set_input_files({"name": name, "mimeType": "application/octet-stream", "buffer": content})


def choose(page: Page, label: str, option: re.Pattern[str]) -> None:
    """Choose from a list that stands in a part of the page that is still opening, which closes the list again."""
    found = page.get_by_role("option", name=option)
    for _ in range(10):
        page.get_by_role("combobox", name=label).click()
        with contextlib.suppress(TimeoutError):
            found.click(timeout=2_000)
            return
    pytest.fail(f"{label} has no {option.pattern}")


def test_an_uploaded_weight_is_projected_shown_again_and_deleted(page: Page) -> None:
    page.goto("/weights")
    send(page, "model.pt", b"\x80\x04\x95rubbish")
    alert = page.get_by_test_id("stAlert").filter(has_text="model.pt was not taken")
    expect(alert).to_contain_text("pickle")

    random = np.random.default_rng(0)
    weights = {"fc1.weight": random.standard_normal((384, 96)), "fc2.weight": random.standard_normal((96, 384))}
    send(page, "model.safetensors", safetensors(weights))
    expect(alert).to_have_count(0)
    expect(page.get_by_role("combobox", name="tensor")).to_have_value("fc1.weight · 384 × 96 · float32")
    expect(page.get_by_role("button", name="Project", exact=True)).to_be_visible()
    page.wait_for_url(re.compile("tensor=fc1.weight"))
    page.get_by_text("Order of the hidden units of a feed-forward").click()
    choose(page, "second weight", re.compile("fc2.weight"))
    expect(page.get_by_text("variant of the second")).to_be_visible()
    page.get_by_role("button", name="Project", exact=True).click()

    expect(page.get_by_text("Reordering the hidden units raises the kept energy")).to_be_visible(timeout=2 * MINUTE)
    expect(page.get_by_text("A conversion is never free")).to_be_visible()
    page.reload()
    for key in ("weights.energies", "weights.spectrum", "weights.picture.all", "weights.picture.dropped"):
        expect(chart(page, key)).to_be_attached()
    expect(page.locator(".st-key-weights-energies").get_by_text("IT n=4", exact=True)).to_be_visible()

    page.get_by_role("button", name="Delete this file …").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete", exact=True).click()
    expect(page.get_by_text("No file yet")).to_be_visible()


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
