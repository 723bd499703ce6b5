"""Swapping whole models: what is replaced, the published figures, and the way back."""

import pytest
import torch
from small_models import small_config, small_model, some_tokens
from torch import nn
from transformers import OPTForCausalLM

from dyad_core import DyadFeedForward, DyadLinear
from dyad_core.errors import SpecError
from dyad_core.models import build, swap


def parameters(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


@pytest.mark.parametrize(
    ("preset", "n_blocks", "millions"),
    [
        ("opt-125m", None, 125.2),
        ("opt-125m", 4, 96.9),
        ("opt-125m", 8, 82.8),
        ("opt-350m", None, 331.2),
        ("opt-350m", 4, 230.5),
        ("opt-350m", 8, 180.2),
    ],
)
@pytest.mark.parametrize("mode", ["layers", "feed_forward"])
def test_the_published_numbers_of_parameters(preset: str, n_blocks: int | None, millions: float, mode: str) -> None:
    model = build(preset)
    if n_blocks is not None:
        model, _ = swap(model, n_blocks=n_blocks, mode=mode)

    assert round(parameters(model) / 1e6, 1) == millions
    assert {parameter.device.type for parameter in model.parameters()} == {"meta"}


@pytest.mark.parametrize(
    ("preset", "replaced", "saved"),
    [("pythia-160m", 24, 28_311_552), ("gpt2", 24, 28_311_552), ("llama-small", 90, 39_813_120)],
)
def test_what_other_models_save_at_n_4(preset: str, replaced: int, saved: int) -> None:
    model = build(preset)
    before = parameters(model)

    model, report = swap(model)

    assert len(report.replaced) == replaced
    assert before - parameters(model) == saved == report.saved_parameters


def test_names_choose_the_layers() -> None:
    model, report = swap(small_model("opt"), names=("*.layers.0.fc1", "*.q_proj"))

    assert [layer.name for layer in report.replaced] == [
        "model.decoder.layers.0.self_attn.q_proj",
        "model.decoder.layers.0.fc1",
        "model.decoder.layers.1.self_attn.q_proj",
    ]
    assert isinstance(model.model.decoder.layers[0].fc1, DyadLinear)
    assert type(model.model.decoder.layers[0].fc2) is nn.Linear


def test_feed_forward_mode_makes_one_module_of_each_pair() -> None:
    model, _ = swap(small_model("gpt_neox"), mode="feed_forward")

    assert [type(layer.mlp) for layer in model.gpt_neox.layers] == [DyadFeedForward, DyadFeedForward]


def test_projected_weights_report_their_error() -> None:
    _, report = swap(small_model("gpt2"), weights="projected")

    assert all(0.5 < layer.relative_error < 0.9 for layer in report.replaced)


@pytest.mark.parametrize(
    ("model_type", "mode"),
    [
        *((model_type, "layers") for model_type in ("opt", "gpt_neox", "gpt2", "llama", "bert")),
        *((model_type, "feed_forward") for model_type in ("opt", "gpt_neox")),
    ],
)
def test_undo_gives_the_model_back_to_the_bit(model_type: str, mode: str) -> None:
    model = small_model(model_type)
    before, keys = model(some_tokens()).logits, list(model.state_dict())

    model, report = swap(model, mode=mode)
    assert not torch.equal(model(some_tokens()).logits, before)
    model = report.undo(model)

    assert torch.equal(model(some_tokens()).logits, before)
    assert list(model.state_dict()) == keys
    assert getattr(model.config, "quantization_config", None) is None


def test_undoing_one_of_two_swaps_keeps_the_other() -> None:
    model, first = swap(small_model("opt"), names=["*.fc1"])
    model, _ = swap(model, names=["*.fc2"], n_blocks=8)

    model = first.undo(model)

    assert model.config.quantization_config.settings.layers == (
        "model.decoder.layers.0.fc2",
        "model.decoder.layers.1.fc2",
    )
    markers = [name for name, value in model.state_dict().items() if value.shape == (0,)]
    assert markers == ["model.decoder.layers.0.fc2.weight"]


def test_another_model_of_the_same_config_object_stays_as_it_was() -> None:
    config = small_config("opt")
    swapped, dense = OPTForCausalLM(config), OPTForCausalLM(config)

    swap(swapped)

    assert not hasattr(config, "quantization_config")
    assert not hasattr(dense.config, "quantization_config")
    assert swapped.model.decoder.layers[0].self_attn.config is swapped.config, "its parts follow the model"


def test_wrong_questions_are_answered_at_once() -> None:
    with pytest.raises(SpecError) as caught:
        swap(nn.Linear(4, 4), mode="all")

    assert [problem.field for problem in caught.value.problems] == ["model", "mode"]


def test_an_n_that_does_not_divide_changes_nothing() -> None:
    model = small_model("opt")

    with pytest.raises(SpecError, match="must be divisible by n_blocks=5"):
        swap(model, n_blocks=5)

    assert not hasattr(model.config, "quantization_config")
    assert not any(isinstance(module, DyadLinear) for module in model.modules())


def test_an_unknown_architecture_says_its_layers() -> None:
    with pytest.raises(SpecError, match=r"the feed-forward layers of 'phi' are not known here"):
        swap(build({"model_type": "phi", "num_hidden_layers": 2}))
