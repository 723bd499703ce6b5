"""``replace_linear``: what changes, what stays, what is refused."""

from __future__ import annotations

import copy
import json
import math

import pytest
import torch
from torch import nn
from transformers.pytorch_utils import Conv1D

from dyad_core import DyadLinear, SpecError, replace_linear


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc1 = nn.Linear(16, 64)
        self.fc2 = nn.Linear(64, 16)
        self.head = nn.Linear(16, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.fc2(torch.relu(self.fc1(x))))


def is_feed_forward(module: nn.Module, name: str) -> bool:
    return name.rpartition(".")[2] in ("fc1", "fc2")


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


def test_fresh_weights_are_drawn_anew() -> None:
    linear = nn.Linear(16, 16)
    with torch.no_grad():
        linear.weight.zero_()
    layer, report = replace_linear(linear, filter_fn=lambda module, name: True, weights="fresh")
    assert layer.weight_blockdiag.abs().sum() > 0
    assert report.replaced[0].relative_error is None


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


def test_settings_may_be_functions_of_name_and_module() -> None:
    model = nn.Sequential(Block(), Block())
    seen = []

    def n_blocks(name: str, module: nn.Module) -> int:
        seen.append((name, module))
        return 8 if name.startswith("1.") else 4

    linears = [(name, module) for name, module in model.named_modules() if is_feed_forward(module, name)]
    _, report = replace_linear(
        model,
        filter_fn=is_feed_forward,
        n_blocks=n_blocks,
        variant=lambda name, module: "ot" if module.in_features < module.out_features else "it",
        grain=lambda name, module: 2,
    )
    assert seen == linears
    assert [(row.geometry.n_blocks, row.geometry.variant, row.geometry.grain) for row in report.replaced] == [
        (4, "ot", 2),
        (4, "it", 2),
        (8, "ot", 2),
        (8, "it", 2),
    ]


def test_settings_of_a_layer_beat_the_others_and_none_leaves_it_out() -> None:
    model = nn.Sequential(Block(), Block())
    given = {"0.fc1": {"n_blocks": 8}, "0.fc2": {"variant": "dt", "grain": 2}, "1.fc1": {}, "1.fc2": None}
    _, report = replace_linear(
        model, filter_fn=is_feed_forward, variant="ot", settings=lambda name, module: given[name]
    )
    assert {row.name: (row.geometry.n_blocks, row.geometry.variant, row.geometry.grain) for row in report.replaced} == {
        "0.fc1": (8, "ot", 1),
        "0.fc2": (4, "dt", 2),
        "1.fc1": (4, "ot", 1),
    }
    assert ("1.fc2", "left out by settings") in [(layer.name, layer.reason) for layer in report.skipped]
    assert type(model[1].fc2) is nn.Linear


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"settings": lambda name, module: None}, "settings: must leave at least one picked layer in"),
        ({"settings": {"0.fc1": 4}}, "settings: must be a function"),
        ({"settings": lambda name, module: 4}, "0.fc1.settings: must return a mapping"),
        (
            {"settings": lambda name, module: {"blocks": 4}},
            "0.fc1.blocks: is not a setting of a layer.*known: n_blocks",
        ),
        ({"n_blocks": lambda name, module: None}, "0.fc1.n_blocks: must be a positive integer"),
        ({"n_blocks": "4"}, "0.fc1.n_blocks: must be a positive integer"),
        ({"variant": ("ot", "it")}, "0.fc1.variant: must be one of it, ot, dt, bd"),
        ({"grain": 3}, "0.fc1.grain: n_blocks·grain must divide"),
        ({"init": "zeros"}, "init: must be one of paper, variance_preserving"),
        ({"filter_fn": "fc1"}, r"filter_fn: must be a function.*filters\.named"),
        ({"feed_forward": True, "allow_shared": True}, "allow_shared: goes with feed_forward=False only"),
    ],
)
def test_wrong_settings_are_refused_and_the_model_is_unchanged(arguments: dict, message: str) -> None:
    model = nn.Sequential(Block(), Block())
    before = list(model.modules())
    with pytest.raises(SpecError, match=message):
        replace_linear(model, **{"filter_fn": is_feed_forward, **arguments})
    assert list(model.modules()) == before


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


@pytest.mark.parametrize("weights", ["projected", "fresh"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16, torch.float16])
def test_dtype_mode_and_frozen_parameters_carry_over(dtype: torch.dtype, weights: str) -> None:
    model = nn.Sequential(nn.Linear(16, 64), nn.Linear(64, 16, bias=False)).to(dtype)
    model[0].eval()
    model[0].weight.requires_grad_(False)
    model[1].requires_grad_(True)
    replace_linear(model, filter_fn=lambda module, name: True, weights=weights, init="variance_preserving")
    assert {parameter.dtype for parameter in model.parameters()} == {dtype}
    assert (model[0].training, model[1].training) == (False, True)
    assert [p.requires_grad for p in (model[0].weight_blockdiag, model[0].weight_blocktrans, model[0].bias)] == [
        False,
        False,
        True,
    ]
    assert model[1].bias is None
    assert model[1].weight_blocktrans.requires_grad
    assert {layer.init for layer in model} == {"variance_preserving"}


def test_on_the_meta_device_nothing_is_allocated_and_nothing_computed() -> None:
    with torch.device("meta"):
        model = nn.Sequential(nn.Linear(2**16, 2**18), nn.Linear(2**18, 2**16))  # 128 GiB each, were they there
    for weights in ("projected", "fresh"):
        _, report = replace_linear(model, filter_fn=lambda module, name: True, weights=weights)
        assert {parameter.device.type for parameter in model.parameters()} == {"meta"}
        assert [row.relative_error for row in report.replaced] == [None, None]
        assert report.saved_bytes == 2 * 2**34 * 4 // 2
        report.undo(model)


def test_conv1d_is_replaced_exactly() -> None:
    torch.manual_seed(0)
    layer = Conv1D(24, 16)
    torch.nn.init.normal_(layer.bias)
    x = torch.randn(3, 5, 16)
    dense = layer(x)
    same, _ = replace_linear(layer, filter_fn=lambda module, name: True, n_blocks=1)
    torch.testing.assert_close(same(x), dense)
    near, report = replace_linear(layer, filter_fn=lambda module, name: True, n_blocks=4, variant="dt")
    assert (near.in_features, near.out_features) == (16, 24)
    assert report.replaced[0].kind == "conv1d"
    pattern = near.to_dense() != 0
    torch.testing.assert_close(near.to_dense()[pattern], layer.weight.T[pattern])
    assert torch.equal(near.bias, layer.bias)
    assert near.bias is not layer.bias
    assert near.weight_blockdiag.is_contiguous()
    lost = (layer.weight.T - near.to_dense()).detach().norm() / layer.weight.detach().norm()
    assert report.replaced[0].relative_error == pytest.approx(float(lost), rel=1e-6)


def test_the_relative_error_is_that_of_the_projection() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(64, 256, dtype=torch.float64), nn.Linear(64, 64).to(torch.bfloat16))
    weights = [layer.weight.detach().clone().double() for layer in model]
    _, report = replace_linear(model, filter_fn=lambda module, name: True)
    for row, layer, weight in zip(report.replaced, model, weights, strict=True):
        error = (weight - layer.to_dense().detach().double()).norm() / weight.norm()
        assert row.relative_error == pytest.approx(float(error), rel=1e-6)
    # √(1 - 0.4375) for a matrix without structure.
    assert report.replaced[0].relative_error == pytest.approx(0.75, abs=0.02)


def test_the_report_says_what_was_saved_and_is_json_ready() -> None:
    model = nn.Sequential(Block(), Block()).to(torch.bfloat16)
    _, report = replace_linear(model, filter_fn=is_feed_forward, n_blocks=8)
    assert report.saved_parameters == 4 * 1024 - 1024
    assert report.saved_bytes == 2 * report.saved_parameters
    values = json.loads(json.dumps(report.to_dict(), allow_nan=False))
    assert values["replaced"][3]["name"] == "1.fc2"
    assert values["replaced"][3]["n_blocks"] == 8
    assert values["skipped"][0] == {"name": "0.head", "reason": "not picked by filter_fn"}
    assert values["saved_bytes"] == report.saved_bytes
    assert copy.deepcopy(report).replaced == report.replaced


def test_a_layer_without_weights_loses_nothing() -> None:
    linear = nn.Linear(8, 8)
    with torch.no_grad():
        linear.weight.zero_()
    _, report = replace_linear(linear, filter_fn=lambda module, name: True)
    assert report.replaced[0].relative_error == 0.0


def test_a_weight_that_is_not_finite_is_told_and_its_error_is_no_number() -> None:
    model = nn.Sequential(nn.Linear(8, 8), nn.Linear(8, 8))
    with torch.no_grad():
        model[1].weight[0, 0] = float("inf")
    _, report = replace_linear(model, filter_fn=lambda module, name: True)
    assert report.warnings == ("the weight of 1 is not finite",)
    assert math.isnan(report.replaced[1].relative_error)
    assert report.to_dict()["replaced"][1]["relative_error"] is None


def test_a_failure_while_the_new_layers_are_built_leaves_the_model_unchanged(monkeypatch: pytest.MonkeyPatch) -> None:
    model = nn.Sequential(Block(), Block())
    before = list(model.modules())
    made = []

    def from_linear(linear: nn.Linear, **settings: object) -> DyadLinear:
        made.append(linear)
        if len(made) == 3:
            raise MemoryError
        return DyadLinear(linear.in_features, linear.out_features)

    monkeypatch.setattr(DyadLinear, "from_linear", from_linear)
    with pytest.raises(MemoryError):
        replace_linear(model, filter_fn=is_feed_forward)
    assert list(model.modules()) == before


def test_new_values_of_the_old_layer_do_not_reach_the_new_one() -> None:
    model = nn.Sequential(nn.Linear(8, 8))
    old = model[0]
    replace_linear(model, filter_fn=lambda module, name: True)
    bias, weight = model[0].bias.detach().clone(), model[0].to_dense().detach().clone()
    with torch.no_grad():
        old.weight.zero_()
        old.bias.zero_()
    assert torch.equal(model[0].bias, bias)
    assert torch.equal(model[0].to_dense(), weight)
