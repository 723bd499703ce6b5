"""Filters: what they take of real models, at exact thresholds, and what they refuse."""

from __future__ import annotations

import fnmatch

import pytest
import torch
from small_models import HIDDEN, WIDTH, small_model, some_tokens
from torch import nn

from dyad_core import DyadLinear, SpecError, replace_linear
from dyad_core.surgery import filters, find_linears
from dyad_core.surgery.finding import groups

OPT = ("model.decoder.layers.*.fc1", "model.decoder.layers.*.fc2")
NEOX = ("gpt_neox.layers.*.mlp.dense_h_to_4h", "gpt_neox.layers.*.mlp.dense_4h_to_h")
GPT2 = ("transformer.h.*.mlp.c_fc", "transformer.h.*.mlp.c_proj")
LLAMA = ("model.layers.*.mlp.gate_proj", "model.layers.*.mlp.up_proj", "model.layers.*.mlp.down_proj")
BERT = ("{}.encoder.layer.*.intermediate.dense", "{}.encoder.layer.*.output.dense")
EXPECTED = {"opt": OPT, "gpt_neox": NEOX, "gpt2": GPT2, "gpt_neo": GPT2, "gpt_bigcode": GPT2}


def expected_names(model_type: str) -> set[str]:
    if filters.FEED_FORWARD[model_type] is filters.bert_feed_forward:
        patterns: tuple[str, ...] = tuple(pattern.format(model_type) for pattern in BERT)
    else:
        patterns = EXPECTED.get(model_type, LLAMA)
    return {pattern.replace("*", str(layer)) for pattern in patterns for layer in (0, 1)}


@pytest.mark.parametrize("model_type", sorted(filters.FEED_FORWARD))
def test_the_feed_forward_of_a_real_model_is_replaced_and_nothing_else(model_type: str) -> None:
    model = small_model(model_type)
    before = {name: type(module) for name, module in model.named_modules()}
    returned, report = replace_linear(model, filter_fn=filters.feed_forward_of(model_type), weights="fresh")
    assert returned is model
    expected = expected_names(model_type)
    assert {layer.name for layer in report.replaced} == expected
    # The filtered result, not the calls of the filter: what is in the model now.
    assert {name for name, module in model.named_modules() if isinstance(module, DyadLinear)} == expected
    after = {name: type(module) for name, module in model.named_modules()}
    assert {name for name in before if before[name] is not after[name]} == expected
    model(some_tokens()).logits.sum().backward()
    assert all(model.get_submodule(name).weight_blockdiag.grad.abs().sum() > 0 for name in expected)


@pytest.mark.parametrize("model_type", ["opt", "gpt_neox", "gpt2", "llama", "bert"])
def test_a_filter_fits_the_bare_model_as_well(model_type: str) -> None:
    bare = small_model(model_type).base_model
    picked = [layer for layer in find_linears(bare) if filters.FEED_FORWARD[model_type](layer.module, layer.name)]
    assert len(picked) == (6 if model_type == "llama" else 4)
    assert {(layer.in_features, layer.out_features) for layer in picked} == {(WIDTH, HIDDEN), (HIDDEN, WIDTH)}


@pytest.mark.parametrize(
    ("filter_fn", "name"),
    [
        (filters.gpt2_feed_forward, "transformer.h.0.attn.c_proj"),
        (filters.bert_feed_forward, "bert.encoder.layer.0.attention.output.dense"),
        (filters.bert_feed_forward, "bert.encoder.layer.0.crossattention.output.dense"),
        (filters.bert_feed_forward, "bert.pooler.dense"),
        (filters.opt_feed_forward, "model.decoder.project_in"),
        (filters.opt_feed_forward, "layers.0.xfc1"),
        (filters.opt_feed_forward, "layers.0.fc1.fc1"),
        (filters.llama_feed_forward, "model.layers.0.self_attn.o_proj"),
        (filters.llama_feed_forward, "model.layers.0.mlp.experts.0.gate_proj"),
        (filters.gpt_neox_feed_forward, "layers.0.attention.dense"),
    ],
)
def test_what_only_ends_alike_is_not_taken(filter_fn: filters.FilterFn, name: str) -> None:
    assert filter_fn(nn.Linear(4, 4), name) is False


@pytest.mark.parametrize(
    ("sizes", "taken"), [((64, 64), True), ((64, 65), True), ((63, 64), False), ((64, 63), False), ((63, 4096), False)]
)
def test_at_least_is_exact_at_its_threshold(sizes: tuple[int, int], taken: bool) -> None:
    assert filters.at_least(64)(nn.Linear(*sizes, device="meta"), "any") is taken


def test_at_least_reads_the_sizes_of_conv1d() -> None:
    model = small_model("gpt2")
    layer = model.transformer.h[0].mlp.c_fc
    assert filters.at_least(WIDTH)(layer, "c_fc") is True
    assert filters.at_least(WIDTH + 1)(layer, "c_fc") is False
    assert filters.at_least(WIDTH)(nn.LayerNorm(WIDTH), "norm") is False


def test_named_takes_patterns_of_the_whole_name() -> None:
    model = small_model("llama")
    _, report = replace_linear(model, filter_fn=filters.named("model.layers.1.mlp.*", "*.q_proj"), weights="fresh")
    assert [layer.name for layer in report.replaced] == [
        "model.layers.0.self_attn.q_proj",
        "model.layers.1.self_attn.q_proj",
        "model.layers.1.mlp.gate_proj",
        "model.layers.1.mlp.up_proj",
        "model.layers.1.mlp.down_proj",
    ]
    assert report.warnings == ()
    assert filters.named("gate_proj")(nn.Linear(4, 4), "model.layers.0.mlp.gate_proj") is False
    assert filters.named("*.GATE_proj")(nn.Linear(4, 4), "model.layers.0.mlp.gate_proj") is False


def test_a_pattern_that_fits_nothing_is_a_warning_in_the_report() -> None:
    model = nn.Sequential(nn.Linear(8, 8), nn.Linear(8, 8))
    _, report = replace_linear(model, filter_fn=filters.named("0", "*.fc9"))
    assert report.warnings == ("the pattern '*.fc9' fits no linear layer of this model",)
    assert "'*.fc9' fits no linear layer" in str(report)


def test_the_groups_that_an_error_lists_are_patterns_that_named_takes() -> None:
    layers = find_linears(small_model("opt"))
    for pattern, group in groups(layers).items():
        assert {layer.name for layer in group} == {one.name for one in layers if fnmatch.fnmatchcase(one.name, pattern)}


@pytest.mark.parametrize("model_type", ["mamba", "", None, ["opt"]])
def test_an_unknown_architecture_lists_the_known_ones(model_type: object) -> None:
    with pytest.raises(SpecError, match=r"model_type: must be an architecture .*bert.*gpt2.*llama.*opt") as error:
        filters.feed_forward_of(model_type)
    assert "filters.named(" in error.value.problems[0].suggestion


@pytest.mark.parametrize(
    "make",
    [
        lambda: filters.named(),
        lambda: filters.named("a", 3),
        lambda: filters.at_least(0),
        lambda: filters.at_least("64"),
    ],
)
def test_wrong_arguments_of_filters_are_refused(make) -> None:
    with pytest.raises(SpecError):
        make()


def test_the_same_filter_serves_two_models_and_keeps_nothing() -> None:
    filter_fn = filters.named("0")
    for _ in range(2):
        model = nn.Sequential(nn.Linear(8, 8), nn.Linear(8, 8))
        replace_linear(model, filter_fn=filter_fn)
        assert isinstance(model[0], DyadLinear)
        assert model(torch.zeros(1, 8)).shape == (1, 8)
