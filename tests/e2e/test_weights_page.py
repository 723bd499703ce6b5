"""The Weights page in a real Chromium, over the two real servers."""

import contextlib
import json
import re

import numpy as np
import pytest
from browser_tools import MINUTE, chart
from playwright.sync_api import Page, TimeoutError, expect

pytestmark = pytest.mark.e2e


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

    page.get_by_role("link", name="See its single entries on the pattern").click()
    expect(chart(page, "structure.weights.close-up")).to_be_attached()
    expect(page.get_by_role("figure", name=re.compile("Magnitude of the matrix"))).to_have_count(2)
    page.get_by_test_id("stSidebar").get_by_role("link", name="Weights").click()
    page.get_by_role("button", name="Delete this file …").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete", exact=True).click()
    expect(page.get_by_text("No file yet")).to_be_visible()
