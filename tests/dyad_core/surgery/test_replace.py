"""``replace_linear``: what changes, what stays, what is refused."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

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
