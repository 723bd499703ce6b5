"""Structures by layer: functions of (name, module), mappings, and what is wrong with them."""

from __future__ import annotations

import pytest
from small_models import Block, is_feed_forward
from torch import nn

from dyad_core import SpecError, replace_linear


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
