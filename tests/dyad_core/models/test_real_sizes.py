"""The published sizes for real: built, swapped, trained for a step, generated from, saved and loaded. Minutes, and some GiB of memory."""

import time
from pathlib import Path

import pytest
import torch
from soak.reports import publish
from transformers import AutoModelForCausalLM

from dyad_core.models import PRESETS, build, building, swap

TOKENS = 128


@pytest.mark.soak
@pytest.mark.timeout(1800)
@pytest.mark.parametrize(
    ("preset", "mode"),
    [
        *((preset, mode) for preset in ("opt-125m", "opt-350m", "pythia-160m") for mode in ("layers", "feed_forward")),
        ("gpt2", "layers"),  # its activation is gelu_new, which DyadFeedForward does not compute
    ],
)
def test_a_model_of_its_real_size_trains_saves_and_loads(preset: str, mode: str, tmp_path: Path) -> None:
    free = building.available_bytes("cpu")
    if free is not None and free < 16 * PRESETS[preset].parameters:
        pytest.skip(f"needs {16 * PRESETS[preset].parameters:,} bytes of memory, and {free:,} are free")
    tokens = torch.randint(5, 50_000, (1, TOKENS), generator=torch.Generator().manual_seed(0))

    model, report = swap(build(preset, device="cpu"), mode=mode, undoable=False)
    start = time.perf_counter()
    loss = model(tokens, labels=tokens).loss
    loss.backward()
    seconds = time.perf_counter() - start

    assert 9 < loss.item() < 13, "near the logarithm of 50 thousand words"
    assert all(parameter.grad is not None and parameter.grad.isfinite().all() for parameter in model.parameters())
    model.zero_grad()
    model.train(False)
    with torch.no_grad():
        logits = model(tokens).logits
    written = model.generate(tokens[:, :8], max_new_tokens=8, min_new_tokens=8, do_sample=False)
    model.save_pretrained(tmp_path)
    parameters = sum(parameter.numel() for parameter in model.parameters())
    del model

    again = AutoModelForCausalLM.from_pretrained(tmp_path)

    with torch.no_grad():
        assert torch.equal(again(tokens).logits, logits)
    assert torch.equal(again.generate(tokens[:, :8], max_new_tokens=8, min_new_tokens=8, do_sample=False), written)
    assert parameters == PRESETS[preset].parameters - report.saved_parameters
    text = f"{preset}, {mode}: {parameters:,} parameters, loss {loss.item():.3f}, forward and backward of {TOKENS} tokens {seconds:.2f} s"
    values = {"parameters": parameters, "loss": loss.item(), "tokens": TOKENS, "forward_and_backward_s": seconds}
    publish(f"real-size-{preset}-{mode}", text, values)
