"""Building models: on meta at any size, reproducibly elsewhere, and never beyond the memory."""

import time

import pytest
import torch

from dyad_core.errors import SpecError
from dyad_core.models import PRESETS, build, building

SMALL = {
    "model_type": "opt",
    "vocab_size": 64,
    "hidden_size": 32,
    "ffn_dim": 64,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
}


def test_on_meta_any_size_costs_nothing() -> None:
    start = time.monotonic()
    model = build({**PRESETS["opt-1.3b"].config, "hidden_size": 2**16, "ffn_dim": 2**18, "num_attention_heads": 64})

    assert building.model_bytes(model) > 2**40
    assert time.monotonic() - start < 60


def test_the_seed_gives_the_weights_and_the_callers_random_state_stays() -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    first, again, other = (build(SMALL, device="cpu", seed=seed) for seed in (1, 1, 2))

    assert torch.equal(torch.rand(3), expected)
    weights = [model.model.decoder.layers[0].fc1.weight for model in (first, again, other)]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


def test_weights_are_drawn_as_transformers_draws_them() -> None:
    model = build({**SMALL, "hidden_size": 256, "init_std": 0.5}, device="cpu")

    assert model.model.decoder.layers[0].fc1.weight.std().item() == pytest.approx(0.5, rel=0.05)


@pytest.mark.parametrize("dtype", [torch.bfloat16, "float64"])
def test_the_dtype_reaches_every_weight(dtype: torch.dtype | str) -> None:
    model = build(SMALL, device="cpu", dtype=dtype)

    wanted = torch.bfloat16 if dtype is torch.bfloat16 else torch.float64
    assert {parameter.dtype for parameter in model.parameters()} == {wanted}


def test_tied_weights_are_tied_and_counted_once() -> None:
    model = build(SMALL)

    assert model.lm_head.weight is model.model.decoder.embed_tokens.weight
    assert building.model_bytes(model) == 4 * model.num_parameters()


@pytest.mark.parametrize(
    ("model_type", "masked"), [("bert", True), ("roberta", True), ("gpt2", False), ("llama", False)]
)
def test_encoders_fill_in_masked_words(model_type: str, masked: bool) -> None:
    model = build({"model_type": model_type})

    assert building.is_masked(model.config) == masked
    assert type(model).__name__.endswith("ForMaskedLM") == masked


def test_a_bert_that_is_a_decoder_is_causal() -> None:
    assert not building.is_masked(build({"model_type": "bert", "is_decoder": True}).config)


def test_other_models_than_language_models_are_refused() -> None:
    with pytest.raises(SpecError, match="must be a language model"):
        build({"model_type": "t5"})


def test_a_model_too_large_for_the_memory_is_refused_with_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(building, "available_bytes", lambda _device: 500_000_000)

    with pytest.raises(SpecError) as caught:
        build("opt-125m", device="cpu")

    said = str(caught.value)
    assert "500,000,000 bytes (476.8 MiB) available" in said
    assert "500,957,184 bytes" in said, "what the weights need"


def test_a_wrong_dtype_is_refused() -> None:
    with pytest.raises(SpecError, match="must be a floating-point type"):
        build(SMALL, dtype="int8")
