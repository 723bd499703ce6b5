"""Presets are the published models: their sizes come out to the parameter."""

import dataclasses

import pytest

from dyad_core.models import PRESETS, build, presets


@pytest.mark.parametrize("name", presets.names())
def test_a_preset_has_the_published_number_of_parameters(name: str) -> None:
    model = build(name)

    assert sum(parameter.numel() for parameter in model.parameters()) == PRESETS[name].parameters
    assert {parameter.device.type for parameter in model.parameters()} == {"meta"}


def test_the_names_are_those_that_requests_use() -> None:
    assert presets.names() == (
        "opt-125m", "opt-350m", "opt-1.3b", "pythia-160m", "pythia-410m", "pythia-1.4b", "gpt2", "llama-small",
    )  # fmt: skip
    for name, preset in PRESETS.items():
        assert (preset.name, preset.model_type) == (name, preset.config["model_type"])
        assert "config.json of" in preset.source


def test_opt_350m_differs_from_its_family_as_published() -> None:
    # The only OPT with the norm after each block, and with an embedding narrower than the model.
    config = PRESETS["opt-350m"].config

    assert (config["do_layer_norm_before"], config["word_embed_proj_dim"], config["hidden_size"]) == (False, 512, 1024)


def test_presets_cannot_be_replaced_by_accident() -> None:
    with pytest.raises(TypeError):
        PRESETS["opt-125m"] = PRESETS["gpt2"]
    with pytest.raises(dataclasses.FrozenInstanceError):
        PRESETS["opt-125m"].parameters = 0
