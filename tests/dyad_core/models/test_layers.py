"""Which linear layers of a model would be replaced, and why the others not."""

from collections import Counter

import pytest

from dyad_core.errors import SpecError
from dyad_core.models import build, linear_layers
from dyad_core.models.architectures import module_kinds


@pytest.mark.parametrize(
    ("config", "picked", "example", "sizes"),
    [
        ("opt-125m", 24, "model.decoder.layers.0.fc1", (768, 3072)),
        ("opt-350m", 48, "model.decoder.layers.23.fc2", (4096, 1024)),
        ("pythia-160m", 24, "gpt_neox.layers.0.mlp.dense_4h_to_h", (3072, 768)),
        ("gpt2", 24, "transformer.h.11.mlp.c_fc", (768, 3072)),
        ("llama-small", 90, "model.layers.0.mlp.gate_proj", (576, 1536)),
        ({"model_type": "bert"}, 24, "bert.encoder.layer.0.output.dense", (3072, 768)),
    ],
)
def test_the_feed_forwards_of_known_architectures_are_picked(
    config: str | dict[str, str], picked: int, example: str, sizes: tuple[int, int]
) -> None:
    rows = {row.name: row for row in linear_layers(build(config))}

    chosen = [row for row in rows.values() if row.picked]
    assert len(chosen) == picked
    assert {row.kind for row in chosen} == {"feed_forward"}
    assert (rows[example].in_features, rows[example].out_features) == sizes
    assert {4, 8, 16} <= set(rows[example].legal_n_blocks)
    assert all(row.reason and not row.legal_n_blocks for row in rows.values() if not row.picked)


def test_the_reason_says_what_a_layer_is_for() -> None:
    reasons = {row.name: row.reason for row in linear_layers(build("opt-350m"))}

    assert reasons["model.decoder.layers.0.self_attn.q_proj"] == "belongs to the attention"
    assert reasons["model.decoder.project_in"] == "belongs to the embedding"
    assert reasons["lm_head"] == "is the head; its weight is tied to another layer's"


def test_legal_block_counts_divide_both_sizes() -> None:
    row = next(row for row in linear_layers(build("llama-small")) if row.picked)

    assert row.legal_n_blocks == (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64)


def test_names_pick_instead_of_the_architecture() -> None:
    rows = linear_layers(build("opt-125m"), ["*.layers.0.fc1", "*.q_proj"])

    assert Counter(row.kind for row in rows if row.picked) == {"attention": 12, "feed_forward": 1}
    assert {row.reason for row in rows if row.name.endswith("fc2")} == {"no pattern fits its name"}


def test_an_unknown_architecture_says_its_layers_and_how_to_name_them() -> None:
    model = build({"model_type": "phi", "num_hidden_layers": 2})

    with pytest.raises(SpecError) as caught:
        linear_layers(model)

    said = str(caught.value)
    assert "the feed-forward layers of 'phi' are not known here" in said
    assert "2 × model.layers.*.mlp.fc1 (2048 → 8192)" in said
    assert "names=['model.layers.*.mlp.fc1', 'model.layers.*.mlp.fc2']" in said
    rows = linear_layers(model, ["model.layers.*.mlp.fc1", "model.layers.*.mlp.fc2"])
    assert sum(row.picked for row in rows) == 4


def test_names_that_fit_nothing_say_what_there_is() -> None:
    with pytest.raises(SpecError, match=r"12 × model\.decoder\.layers\.\*\.fc1 \(768 → 3072\)"):
        linear_layers(build("opt-125m"), ["fc1"])


def test_a_model_without_layers_is_refused() -> None:
    with pytest.raises(SpecError, match="must pick at least one linear layer"):
        linear_layers(build({"model_type": "opt", "num_hidden_layers": 0}))


@pytest.mark.parametrize("config", ["opt-350m", "pythia-160m", "gpt2", "llama-small", {"model_type": "bert"}])
def test_every_parameter_of_a_known_model_has_a_kind(config: str | dict[str, str]) -> None:
    model = build(config)
    kinds = module_kinds(model)

    owners = {name.rpartition(".")[0] for name, _ in model.named_parameters()}
    assert owners <= set(kinds)
    assert "other" not in kinds.values()
