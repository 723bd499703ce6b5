"""The Models page in a real Chromium: a model from a file, estimated and measured, through a reload, and seen by somebody else."""

import json
import re

import pytest
from browser_tools import MINUTE, chart, pictures, pointed_at, seen_by_another, set_number
from playwright.sync_api import Browser, Page, expect

pytestmark = pytest.mark.e2e

TINY = {
    "model_type": "opt",
    "hidden_size": 32,
    "ffn_dim": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "word_embed_proj_dim": 32,
    "vocab_size": 99,
    "max_position_embeddings": 64,
}
UNKNOWN = {"model_type": "bloom", "hidden_size": 64, "n_layer": 2, "n_head": 4, "vocab_size": 99}


def own_config(page: Page, config: dict) -> None:
    """Hand over a configuration of one's own as a file."""
    expect(page.get_by_text("config is empty")).to_be_visible()
    content = json.dumps(config).encode()
    page.locator("input[type=file]").set_input_files(
        {"name": "config.json", "mimeType": "application/json", "buffer": content}
    )
    expect(page.get_by_role("textbox", name="config.json")).to_have_value(json.dumps(config))


def test_a_model_of_ones_own_is_estimated_measured_and_seen_by_another(page: Page, browser: Browser) -> None:
    page.goto("/models?model=config.json&n_blocks=4&sequence=16")
    own_config(page, TINY)
    set_number(page, "time budget (s)", 1)
    expect(page.get_by_text("4 of 13 linear layers are replaced")).to_be_visible()
    expect(page.get_by_text("Not measured here yet")).to_be_visible()
    page.wait_for_url(re.compile("max_seconds=1"))
    page.get_by_role("button", name="Measure here").click()

    expect(page.get_by_role("button", name="Cancel", exact=True)).to_be_visible()
    page.wait_for_url(re.compile("job=[0-9a-f]{32}"))
    page.reload()
    expect(page.get_by_role("spinbutton", name="sequence", exact=True)).to_have_value("16")
    expect(page.get_by_role("heading", name="Every measured candidate")).to_be_visible(timeout=2 * MINUTE)
    for key in ("whole", "step", "peak", "parts_chart", "kinds", "memory", "amdahl"):
        expect(chart(page, f"models.{key}")).to_be_attached()
    for label in ("dense", "IT n=4"):
        expect(page.locator(".st-key-models-parts_chart").get_by_text(label, exact=True)).to_be_visible()
    expect(page.get_by_text("Measured on").first).to_be_visible()
    expect(page.get_by_text("swap(model, n_blocks=4").first).to_be_visible()

    assert "what is replaced" in pointed_at(page, "models.parts_chart", 0.01, 0.17)
    with page.expect_download() as downloading:
        page.get_by_role("button", name="Download CSV").click()
    assert downloading.value.suggested_filename.endswith(".csv")
    assert "train_step" in downloading.value.path().read_text(encoding="utf-8")
    assert seen_by_another(browser, page, charts=7) == pictures(page)


def test_an_unknown_architecture_lists_its_layers_and_one_is_chosen(page: Page) -> None:
    page.goto("/models?model=config.json")
    own_config(page, UNKNOWN)
    alert = page.get_by_test_id("stAlert").filter(has_text="This model cannot be estimated")
    expect(alert).to_contain_text("2 × transformer.h.*.mlp.dense_h_to_4h (64 → 256)")

    page.get_by_role("combobox", name="layers to replace").click()
    page.get_by_role("option", name="transformer.h.*.mlp.dense_4h_to_h", exact=True).click()
    expect(alert).to_have_count(0)
    expect(page.get_by_text("2 of 9 linear layers are replaced")).to_be_visible()
    page.wait_for_url(re.compile(r"names=transformer\.h\.(\*|%2A)\.mlp\.dense_4h_to_h"))


def test_a_wrong_number_is_answered_by_a_sentence_and_mended(page: Page) -> None:
    page.goto("/models?batch=0")
    alert = page.get_by_test_id("stAlert").filter(has_text="This model cannot be estimated")
    expect(alert).to_contain_text("batch must be")
    set_number(page, "batch", 2)
    expect(alert).to_have_count(0)
    expect(chart(page, "models.memory")).to_be_visible()
