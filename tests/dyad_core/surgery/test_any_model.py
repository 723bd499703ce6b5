"""Over drawn models: every linear layer is accounted for, refusals change nothing, and undo gives everything back."""

from __future__ import annotations

import torch
from hypothesis import event, given, settings
from hypothesis import strategies as st
from torch import nn

from dyad_core import DyadLinear, SpecError, replace_linear
from dyad_core.surgery import find_linears
from dyad_core.surgery.finding import post_order


@st.composite
def models(draw: st.DrawFn) -> nn.Module:
    """A tree of modules in which layers may be in several places, be tied, be subclasses or have hooks."""
    pool: list[nn.Module] = []

    def leaf() -> nn.Module:
        kind = draw(st.sampled_from([*["linear"] * 12, "again", "tied", "other", "odd", "dyad", "hooked"]))
        if kind == "again" and pool:
            return draw(st.sampled_from(pool))
        sizes = {"odd": (6, 8)}.get(kind, (8, 8))
        layer: nn.Module = nn.Linear(*sizes, bias=draw(st.booleans()))
        if kind == "tied" and (squares := [one for one in pool if type(one) is nn.Linear and one.in_features == 8]):
            layer.weight = draw(st.sampled_from(squares)).weight
        elif kind == "other":
            layer = nn.ReLU()
        elif kind == "dyad":
            layer = DyadLinear(8, 8)
        elif kind == "hooked":
            layer.register_forward_hook(lambda *a: None)
        pool.append(layer)
        return layer

    def tree(depth: int) -> nn.Module:
        if depth == 0 or draw(st.integers(0, 3)) == 0:
            return leaf()
        return nn.ModuleDict({name: tree(depth - 1) for name in "abc"[: draw(st.integers(1, 3))]})

    return tree(3)


@settings(max_examples=150)
@given(models(), st.data())
def test_layers_are_accounted_for_and_come_back(model: nn.Module, data: st.DataObject) -> None:
    names = [layer.name for layer in find_linears(model)]
    picked = data.draw(st.sets(st.sampled_from(names), min_size=1)) if names else set()
    allow_shared = data.draw(st.booleans())
    before = [(name, id(module)) for name, module in post_order(model)]
    count = sum(parameter.numel() for parameter in model.parameters())
    values = {name: value.clone() for name, value in model.state_dict().items()}
    try:
        swapped, report = replace_linear(model, filter_fn=lambda m, name: name in picked, allow_shared=allow_shared)
    except SpecError:
        event("refused")
        assert [(name, id(module)) for name, module in post_order(model)] == before
        return
    event("replaced")
    replaced = [layer.name for layer in report.replaced]
    assert set(replaced) <= picked
    assert sorted([*replaced, *(layer.name for layer in report.skipped)]) == sorted(names)
    assert all(isinstance(swapped.get_submodule(name), DyadLinear) for name in replaced)
    assert count - sum(parameter.numel() for parameter in swapped.parameters()) == report.saved_parameters
    restored = report.undo(swapped)
    assert restored is model
    assert [(name, id(module)) for name, module in post_order(restored)] == before
    assert all(torch.equal(value, restored.state_dict()[name]) for name, value in values.items())
