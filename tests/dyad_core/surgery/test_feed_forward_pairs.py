"""``feed_forward=True``: the same function as layer by layer, one module, and a refusal that names the other mode."""

from __future__ import annotations

import pytest
import torch
from small_models import HIDDEN, WIDTH, small_model, some_tokens
from torch import nn

from dyad_core import DyadFeedForward, SpecError, replace_linear
from dyad_core.surgery import ReplacementReport, filters
from dyad_core.surgery.feed_forward_pairs import FORMS, activation_of

TOKENS = some_tokens(batch=3, length=24)
"""72 rows: enough for the plan of DyadFeedForward that computes both layers as one function."""


def swapped(
    model_type: str, *, feed_forward: bool, n_blocks: int = 4, **changes
) -> tuple[nn.Module, ReplacementReport]:
    model = small_model(model_type, **changes)
    return replace_linear(
        model, filter_fn=filters.feed_forward_of(model_type), feed_forward=feed_forward, n_blocks=n_blocks
    )


CASES = [
    ("opt", {}),
    ("opt", {"activation_function": "gelu"}),
    ("opt", {"activation_function": "silu"}),
    ("opt", {"do_layer_norm_before": False, "word_embed_proj_dim": 16}),
    ("opt", {"enable_bias": False}),
    ("gpt_neox", {}),
    ("gpt_neox", {"hidden_act": "relu", "use_parallel_residual": False}),
    ("gpt2", {"activation_function": "gelu"}),
    ("gpt2", {"activation_function": "swish"}),
]


@pytest.mark.parametrize(("model_type", "changes"), CASES)
def test_one_module_computes_what_two_layers_compute(model_type: str, changes: dict) -> None:
    layered, by_layer = swapped(model_type, feed_forward=False, **changes)
    together, by_pair = swapped(model_type, feed_forward=True, **changes)
    assert sum(isinstance(module, DyadFeedForward) for module in together.modules()) == 2
    outputs = [model(TOKENS, labels=TOKENS) for model in (layered, together)]
    torch.testing.assert_close(outputs[1].logits, outputs[0].logits, atol=1e-5, rtol=1e-4)
    for output in outputs:
        output.loss.backward()
    for row in by_pair.replaced:
        twin = layered.get_submodule(row.name)
        for name, parameter in together.get_submodule(row.module).named_parameters():
            value = dict(twin.named_parameters())[name]
            assert torch.equal(parameter, value)
            torch.testing.assert_close(parameter.grad, value.grad, atol=1e-6, rtol=1e-3)
    assert by_pair.parameters_after == by_layer.parameters_after
    assert {row.name: row.relative_error for row in by_pair.replaced} == {
        row.name: row.relative_error for row in by_layer.replaced
    }


@pytest.mark.parametrize("model_type", ["opt", "gpt_neox"])
def test_with_the_full_pattern_the_model_stays_the_same_function(model_type: str) -> None:
    dense = small_model(model_type)
    model, report = swapped(model_type, feed_forward=True, n_blocks=1)
    assert {row.kind for row in report.replaced} == {"feed_forward"}
    assert max(row.relative_error for row in report.replaced) < 1e-6
    torch.testing.assert_close(model(TOKENS).logits, dense(TOKENS).logits, atol=1e-5, rtol=1e-4)


def test_opt_gets_the_module_at_fc1_and_nothing_at_the_other_places() -> None:
    model, report = swapped("opt", feed_forward=True)
    layer = model.model.decoder.layers[1]
    assert isinstance(layer.fc1, DyadFeedForward)
    assert (layer.fc1.features, layer.fc1.hidden_features, layer.fc1.activation) == (WIDTH, HIDDEN, "relu")
    assert type(layer.activation_fn) is nn.Identity
    assert type(layer.fc2) is nn.Identity
    assert [(row.name, row.module) for row in report.replaced[2:]] == [
        ("model.decoder.layers.1.fc1", "model.decoder.layers.1.fc1.fc1"),
        ("model.decoder.layers.1.fc2", "model.decoder.layers.1.fc1.fc2"),
    ]


def test_neox_gets_the_module_in_place_of_its_own() -> None:
    model, report = swapped("gpt_neox", feed_forward=True)
    mlp = model.gpt_neox.layers[0].mlp
    assert isinstance(mlp, DyadFeedForward)
    assert mlp.activation == "gelu"
    assert [row.module for row in report.replaced[:2]] == ["gpt_neox.layers.0.mlp.fc1", "gpt_neox.layers.0.mlp.fc2"]


def test_a_bare_pair_that_is_the_whole_model_is_replaced_through_the_return_value() -> None:
    mlp = small_model("gpt_neox").gpt_neox.layers[0].mlp
    x = torch.randn(40, WIDTH)
    module, report = replace_linear(mlp, filter_fn=filters.named("dense*"), feed_forward=True)
    assert isinstance(module, DyadFeedForward)
    assert [row.module for row in report.replaced] == ["fc1", "fc2"]
    assert module(x).shape == x.shape
    assert report.undo(module) is mlp


def test_the_pair_may_have_two_variants() -> None:
    for variant in (("ot", "it"), lambda name, module: "ot" if name.endswith("fc1") else "it"):
        model, report = replace_linear(
            small_model("opt"), filter_fn=filters.opt_feed_forward, variant=variant, feed_forward=True
        )
        layer = model.model.decoder.layers[0]
        assert (layer.fc1.fc1.variant, layer.fc1.fc2.variant) == ("ot", "it")
        assert [row.geometry.variant for row in report.replaced] == ["ot", "it"] * 2
        model(TOKENS).logits.sum().backward()


def test_mode_dtype_and_frozen_parameters_carry_over() -> None:
    model = small_model("opt").to(torch.bfloat16)
    model.model.decoder.layers[0].requires_grad_(False)
    model.model.decoder.layers[1].train()
    replace_linear(model, filter_fn=filters.opt_feed_forward, feed_forward=True)
    first, second = (layer.fc1 for layer in model.model.decoder.layers)
    assert {p.dtype for p in [*first.parameters(), *second.parameters()]} == {torch.bfloat16}
    assert not any(p.requires_grad for p in first.parameters())
    assert all(p.requires_grad for p in second.parameters())
    assert {module.training for module in first.modules()} == {False}
    assert {module.training for module in second.modules()} == {True}


def test_on_the_meta_device_nothing_is_allocated() -> None:
    with torch.device("meta"):
        model = small_model("opt")
    _, report = replace_linear(model, filter_fn=filters.opt_feed_forward, feed_forward=True)
    assert {parameter.device.type for parameter in model.parameters()} == {"meta"}
    assert {row.relative_error for row in report.replaced} == {None}


@pytest.mark.parametrize("model_type", ["llama", "bert", "gpt_neo"])
def test_an_architecture_without_such_a_pair_is_refused_with_the_other_mode(model_type: str) -> None:
    model = small_model(model_type)
    before = list(model.modules())
    with pytest.raises(SpecError) as error:
        replace_linear(model, filter_fn=filters.feed_forward_of(model_type), feed_forward=True)
    assert len(error.value.problems) == (6 if model_type == "llama" else 4)
    problem = error.value.problems[0]
    assert problem.rule.startswith(
        "is in no feed-forward that one module can replace (known: OPTDecoderLayer, GPTNeoXMLP"
    )
    assert problem.suggestion == "feed_forward=False replaces each layer by itself"
    assert list(model.modules()) == before


@pytest.mark.parametrize(
    ("model_type", "changes"),
    [
        ("gpt2", {}),
        ("gpt_neox", {"hidden_act": "gelu_fast"}),
        ("opt", {"activation_function": "gelu_pytorch_tanh"}),
        ("opt", {"activation_function": "relu2"}),
    ],
)
def test_an_activation_that_the_module_does_not_know_is_refused(model_type: str, changes: dict) -> None:
    with pytest.raises(SpecError, match=r"must be relu, gelu \(the exact one\) or silu .*feed_forward=False") as error:
        swapped(model_type, feed_forward=True, **changes)
    assert len(error.value.problems) == 2  # one for each of two layers of the model


def test_half_a_pair_is_refused_and_attention_beside_it_too() -> None:
    model = small_model("opt")
    with pytest.raises(
        SpecError, match=r"0\.fc1: is half of a feed-forward whose other half fc2 filter_fn does not pick"
    ):
        replace_linear(model, filter_fn=filters.named("*.fc1"), feed_forward=True)
    with pytest.raises(SpecError, match=r"q_proj: is in no feed-forward") as error:
        replace_linear(model, filter_fn=filters.named("*.fc[12]", "*.q_proj"), feed_forward=True)
    assert len(error.value.problems) == 2


def test_hooks_on_what_goes_are_refused() -> None:
    for model_type, place in (("opt", "model.decoder.layers.0.activation_fn"), ("gpt_neox", "gpt_neox.layers.0.mlp")):
        model = small_model(model_type)
        model.get_submodule(place).register_forward_hook(lambda *a: None)
        with pytest.raises(SpecError, match=rf"{place}: has hooks \(forward_hooks\), which would be lost"):
            replace_linear(model, filter_fn=filters.feed_forward_of(model_type), feed_forward=True)


def test_what_was_added_to_a_module_that_goes_whole_is_refused() -> None:
    model = small_model("gpt_neox")
    model.gpt_neox.layers[1].mlp.add_module("adapter", nn.Linear(WIDTH, WIDTH))
    with pytest.raises(SpecError, match=r"layers\.1\.mlp: has the part 'adapter', which would be lost"):
        replace_linear(model, filter_fn=filters.gpt_neox_feed_forward, feed_forward=True)


@pytest.mark.parametrize("model_type", ["opt", "gpt_neox"])
def test_both_modes_draw_the_same_fresh_weights(model_type: str) -> None:
    drawn = []
    for feed_forward in (False, True):
        model = small_model(model_type)
        torch.manual_seed(3)
        _, report = replace_linear(
            model, filter_fn=filters.feed_forward_of(model_type), weights="fresh", feed_forward=feed_forward
        )
        drawn.append([model.get_submodule(row.module).weight_blocktrans for row in report.replaced])
    assert all(torch.equal(one, other) for one, other in zip(*drawn, strict=True))


def test_both_layers_need_one_n_and_one_grain() -> None:
    model = small_model("opt")
    with pytest.raises(SpecError, match=r"layers.0: must have one n_blocks and one grain .*\[\(4, 1\), \(8, 1\)\]"):
        replace_linear(
            model,
            filter_fn=filters.opt_feed_forward,
            n_blocks=lambda name, module: 4 if name.endswith("fc1") else 8,
            feed_forward=True,
        )
    with pytest.raises(SpecError, match="settings: must leave out both layers of a feed-forward, or none"):
        replace_linear(
            model,
            filter_fn=filters.opt_feed_forward,
            settings=lambda name, module: None if name.endswith("0.fc1") else {},
            feed_forward=True,
        )
    _, report = replace_linear(
        model,
        filter_fn=filters.opt_feed_forward,
        settings=lambda name, module: None if "layers.0" in name else {"n_blocks": 8},
        feed_forward=True,
    )
    assert [row.geometry.n_blocks for row in report.replaced] == [8, 8]
    assert type(model.model.decoder.layers[0].activation_fn) is nn.ReLU


def test_a_class_of_that_name_from_elsewhere_is_not_trusted() -> None:
    class OPTDecoderLayer(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc1, self.activation_fn, self.fc2 = nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 8)

    with pytest.raises(SpecError, match="fc1: is in no feed-forward"):
        replace_linear(nn.Sequential(OPTDecoderLayer()), filter_fn=filters.named("*"), feed_forward=True)


def test_activations_are_recognised_for_what_they_compute() -> None:
    assert activation_of(nn.ReLU()) == "relu"
    assert activation_of(nn.GELU()) == "gelu"
    assert activation_of(nn.GELU(approximate="tanh")) is None
    assert activation_of(nn.SiLU()) == "silu"
    assert activation_of(nn.ReLU6()) is None
    assert activation_of(torch.relu) is None
    assert activation_of(None) is None


def test_the_forms_are_those_of_the_classes_of_transformers() -> None:
    owners = {"OPTDecoderLayer": "opt", "GPTNeoXMLP": "gpt_neox", "GPT2MLP": "gpt2"}
    assert set(FORMS) == set(owners)
    for cls, model_type in owners.items():
        owner = next(module for module in small_model(model_type).modules() if type(module).__name__ == cls)
        form = FORMS[cls]
        parts = {form.first, form.activation, form.second}
        assert parts <= set(owner._modules)
        if form.is_whole:
            assert parts == set(owner._modules)
