"""``replace_linear``: what changes, what stays, what is refused."""

from __future__ import annotations

import copy

import pytest
import torch
from small_models import Block, is_feed_forward
from torch import nn

from dyad_core import DyadLinear, SpecError, replace_linear


def test_replaces_what_the_filter_picks_and_reports_the_rest() -> None:
    model = nn.Sequential(Block(), Block())
    returned, report = replace_linear(model, filter_fn=is_feed_forward, n_blocks=4, variant="ot")
    assert returned is model
    assert [layer.name for layer in report.replaced] == ["0.fc1", "0.fc2", "1.fc1", "1.fc2"]
    assert [(layer.name, layer.reason) for layer in report.skipped] == [
        ("0.head", "not picked by filter_fn"),
        ("1.head", "not picked by filter_fn"),
    ]
    assert isinstance(model[1].fc2, DyadLinear)
    assert model[1].fc2.variant == "ot"
    assert type(model[0].head) is nn.Linear
    assert (report.parameters_before, report.parameters_after) == (4 * 1024, 2 * 1024)
    assert "4 linear layers replaced (4,096 → 2,048 weights), 2 left" in str(report)
    assert all(0.5 < layer.relative_error < 0.9 for layer in report.replaced)
    assert model[0](torch.randn(3, 16)).shape == (3, 10)


def test_a_root_linear_is_replaced_through_the_return_value() -> None:
    linear = nn.Linear(16, 16)
    layer, report = replace_linear(linear, filter_fn=lambda module, name: True)
    assert isinstance(layer, DyadLinear)
    assert report.replaced[0].name == ""


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"filter_fn": lambda module, name: False}, "filter_fn: must pick at least one"),
        ({"filter_fn": is_feed_forward, "n_blocks": 5}, r"0.fc1.in_features: must be divisible by n_blocks=5"),
        ({"filter_fn": lambda module, name: True}, r"0.head.out_features: must be divisible by n_blocks=4"),
        ({"filter_fn": is_feed_forward, "weights": "best"}, "weights: must be 'projected' or 'fresh'"),
        ({"filter_fn": is_feed_forward, "implementation": "magic"}, "implementation"),
    ],
)
def test_refusal_leaves_the_model_unchanged(arguments: dict, message: str) -> None:
    model = nn.Sequential(Block(), Block())
    before = {name: type(module) for name, module in model.named_modules()}
    state = copy.deepcopy(model.state_dict())
    with pytest.raises(SpecError, match=message):
        replace_linear(model, **arguments)
    assert {name: type(module) for name, module in model.named_modules()} == before
    assert all(torch.equal(value, model.state_dict()[name]) for name, value in state.items())


def test_shared_layers_and_tied_weights_are_refused() -> None:
    twice = Block()
    shared = nn.Sequential(twice, twice)
    with pytest.raises(SpecError, match=r"0.fc1: shares its module or weight"):
        replace_linear(shared, filter_fn=is_feed_forward)
    tied = nn.ModuleDict({"embedding": nn.Embedding(16, 16), "head": nn.Linear(16, 16)})
    tied["head"].weight = tied["embedding"].weight
    with pytest.raises(SpecError, match=r"head: shares its module or weight"):
        replace_linear(tied, filter_fn=lambda module, name: True)
    assert type(tied["head"]) is nn.Linear


def test_all_wrong_arguments_and_all_wrong_layers_are_told_at_once() -> None:
    with pytest.raises(SpecError) as error:
        replace_linear(3, filter_fn=None, weights="best", init="zeros", implementation="magic", settings=1)
    fields = [problem.field for problem in error.value.problems]
    assert fields == ["model", "filter_fn", "weights", "init", "implementation", "settings"]
    model = nn.Sequential(Block(), Block())
    model[1].fc2.register_forward_hook(lambda *a: None)
    with pytest.raises(SpecError) as error:
        replace_linear(model, filter_fn=lambda module, name: True)
    assert [problem.field for problem in error.value.problems] == [
        "1.fc2",
        "0.head.out_features",
        "1.head.out_features",
    ]
    assert "nearest n_blocks that divide both sizes: 1, 2" in error.value.problems[1].suggestion


@pytest.mark.parametrize("wrong", [KeyError("mine"), ZeroDivisionError()])
def test_an_error_inside_a_filter_comes_through_and_the_model_is_unchanged(wrong: Exception) -> None:
    def filter_fn(module: nn.Module, name: str) -> bool:
        if name == "1.fc2":
            raise wrong
        return True

    model = nn.Sequential(Block(), Block())
    before = list(model.modules())
    with pytest.raises(type(wrong)):
        replace_linear(model, filter_fn=filter_fn)
    assert list(model.modules()) == before
