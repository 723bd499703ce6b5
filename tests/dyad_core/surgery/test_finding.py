"""Which linear layers a model has: every place, by full name, in post-order, and what is only like one."""

from __future__ import annotations

import pytest
import torch
from small_models import small_model
from torch import nn
from torch.nn.utils import parametrize

from dyad_core import DyadLinear
from dyad_core.surgery import find_linears
from dyad_core.surgery.finding import groups, kind_of, post_order, sizes_of


class Own(nn.Linear):
    pass


def test_every_place_of_a_shared_module_is_found() -> None:
    linear = nn.Linear(4, 8)
    model = nn.ModuleDict({"a": linear, "b": linear})
    assert [(layer.name, layer.module is linear) for layer in find_linears(model)] == [("a", True), ("b", True)]
    # torch's own walk tells of the first only.
    assert [name for name, _ in model.named_modules()] == ["", "a"]


def test_the_root_is_found_under_the_empty_name() -> None:
    (found,) = find_linears(nn.Linear(4, 8, bias=False))
    assert (found.name, found.kind, found.in_features, found.out_features, found.has_bias) == (
        "",
        "linear",
        4,
        8,
        False,
    )


def test_children_come_before_their_parents() -> None:
    model = nn.Sequential(nn.Sequential(nn.Linear(2, 2), nn.ReLU()), nn.Linear(2, 2))
    assert [name for name, _ in post_order(model)] == ["0.0", "0.1", "0", "1", ""]


def test_conv1d_of_transformers_has_its_sizes_the_other_way_round() -> None:
    layer = small_model("gpt2").transformer.h[0].mlp.c_fc
    assert tuple(layer.weight.shape) == (32, 64)
    assert (kind_of(layer), sizes_of(layer)) == ("conv1d", (32, 64))


def test_a_class_of_the_same_name_from_elsewhere_is_no_conv1d() -> None:
    class Conv1D(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.nx, self.nf = 4, 8

    assert kind_of(Conv1D()) == "other"
    assert kind_of(nn.Conv1d(4, 8, 1)) is None
    assert kind_of(nn.Bilinear(4, 4, 4)) is None


@pytest.mark.parametrize(
    ("layer", "reason"),
    [
        (Own(4, 4), "is a Own, a subclass with ways of its own"),
        (DyadLinear(8, 8), "is a DyadLinear already"),
        (nn.LazyLinear(4), "is a LazyLinear, a subclass"),
        (nn.MultiheadAttention(8, 2).out_proj, "is a NonDynamicallyQuantizableLinear, a subclass"),
    ],
)
def test_what_is_like_a_linear_layer_is_found_with_its_obstacle(layer: nn.Module, reason: str) -> None:
    (found,) = find_linears(layer)
    assert found.kind == "other"
    assert found.obstacle.startswith(reason)


def test_a_parametrised_layer_counts_as_what_it_was() -> None:
    layer = nn.Linear(4, 4)
    parametrize.register_parametrization(layer, "weight", nn.Identity())
    assert type(layer) is not nn.Linear
    assert kind_of(layer) == "linear"


def test_groups_have_a_star_for_each_number_that_is_a_whole_part() -> None:
    model = nn.ModuleDict(
        {"h2o": nn.ModuleList([nn.ModuleList([nn.Linear(2, 2)]) for _ in range(3)]), "7": nn.Linear(2, 2)}
    )
    assert {pattern: len(group) for pattern, group in groups(find_linears(model)).items()} == {"h2o.*.*": 3, "*": 1}


def test_finding_changes_nothing_and_allocates_nothing() -> None:
    with torch.device("meta"):
        model = nn.Sequential(nn.Linear(2**14, 2**14), nn.Linear(2**14, 2**14))
    before = dict(model.named_parameters())
    assert len(find_linears(model)) == 2
    assert all(parameter is before[name] for name, parameter in model.named_parameters())


def test_a_wrapper_that_answers_for_what_it_wraps_is_no_layer() -> None:
    model = torch.compile(nn.Linear(4, 8), backend="eager")
    assert model.in_features == 4
    assert [layer.name for layer in find_linears(model)] == ["_orig_mod"]


def test_a_module_that_holds_its_own_parent_is_walked_once() -> None:
    model = nn.Sequential(nn.Linear(8, 8))
    model[0].add_module("parent", model)
    child = nn.Sequential(nn.Linear(8, 8))
    model.append(child)
    child.add_module("top", model)
    assert [layer.name for layer in find_linears(model)] == ["0", "1.0"]
