"""``report.undo``: the same objects with the same bits, wherever they were, or a refusal that changes nothing."""

from __future__ import annotations

import copy

import pytest
import torch
from small_models import small_model, some_tokens
from torch import nn

from dyad_core import SpecError, replace_linear
from dyad_core.surgery import filters


def everything(module: nn.Module, name: str) -> bool:
    return True


def bits(model: nn.Module) -> dict[str, torch.Tensor]:
    return {name: value.detach().clone() for name, value in model.state_dict().items()}


@pytest.mark.parametrize("feed_forward", [False, True])
@pytest.mark.parametrize("weights", ["projected", "fresh"])
@pytest.mark.parametrize("model_type", ["opt", "gpt_neox"])
def test_undo_gives_the_same_objects_with_the_same_bits(model_type: str, weights: str, feed_forward: bool) -> None:
    model = small_model(model_type)
    modules, state, tokens = dict(model.named_modules()), bits(model), some_tokens()
    with torch.no_grad():
        logits = model(tokens).logits
    swapped, report = replace_linear(
        model, filter_fn=filters.feed_forward_of(model_type), weights=weights, feed_forward=feed_forward
    )
    optimizer = torch.optim.AdamW(swapped.parameters())
    swapped.train()
    swapped(tokens, labels=tokens).loss.backward()
    optimizer.step()
    del optimizer
    # What was not replaced has trained: put its values back, so that only the replacement is judged.
    swapped.load_state_dict({k: v for k, v in state.items() if k in swapped.state_dict()}, strict=False)
    restored = report.undo(swapped.eval())
    assert restored is model
    now = dict(restored.named_modules())
    assert list(now) == list(modules)
    assert all(now[name] is module for name, module in modules.items())
    assert all(torch.equal(value, restored.state_dict()[name]) for name, value in state.items())
    with torch.no_grad():
        assert torch.equal(restored(tokens).logits, logits)


def test_undo_works_for_a_root() -> None:
    linear = nn.Linear(8, 8)
    layer, report = replace_linear(linear, filter_fn=everything)
    assert layer is not linear
    assert report.undo(layer) is linear


def test_undo_of_conv1d_gives_conv1d() -> None:
    model = small_model("gpt2")
    before = {name: type(module).__name__ for name, module in model.named_modules()}
    _, report = replace_linear(model, filter_fn=filters.gpt2_feed_forward)
    report.undo(model)
    assert {name: type(module).__name__ for name, module in model.named_modules()} == before


def test_two_replacements_are_undone_in_either_order() -> None:
    for first_undone in (0, 1):
        model = nn.Sequential(nn.Linear(8, 8), nn.Linear(8, 8))
        originals = list(model)
        reports = [replace_linear(model, filter_fn=filters.named(name))[1] for name in ("0", "1")]
        for index in (first_undone, 1 - first_undone):
            reports[index].undo(model)
        assert all(now is then for now, then in zip(model, originals, strict=True))


def test_the_former_layers_follow_the_model_to_its_mode_and_device() -> None:
    model = nn.Sequential(nn.Linear(8, 8)).train()
    _, report = replace_linear(model, filter_fn=everything)
    model.eval().to("meta")
    report.undo(model)
    assert not model[0].training
    assert model[0].weight.device.type == "meta"


def test_shared_places_come_back_shared() -> None:
    linear = nn.Linear(8, 8)
    model = nn.ModuleDict({"a": linear, "b": linear})
    _, report = replace_linear(model, filter_fn=everything, allow_shared=True)
    report.undo(model)
    assert model["a"] is linear
    assert model["b"] is linear


def test_without_undo_nothing_is_kept_and_the_report_says_so() -> None:
    model = nn.Sequential(nn.Linear(8, 8))
    _, report = replace_linear(model, filter_fn=everything, undoable=False)
    assert not report.can_undo
    with pytest.raises(SpecError, match=r"cannot be undone: the former layers were not kept.*undoable=True"):
        report.undo(model)


def test_a_second_undo_is_refused() -> None:
    model = nn.Sequential(nn.Linear(8, 8))
    _, report = replace_linear(model, filter_fn=everything)
    report.undo(model)
    with pytest.raises(SpecError, match="has its former layers back already"):
        report.undo(model)


@pytest.mark.parametrize("other", [copy.deepcopy, lambda model: nn.Sequential(nn.ReLU(), model), lambda _: nn.ReLU()])
def test_undo_of_another_model_is_refused_and_changes_nothing(other) -> None:
    model = nn.Sequential(nn.Linear(8, 8), nn.Linear(8, 8))
    _, report = replace_linear(model, filter_fn=everything)
    stranger = other(model)
    before = list(stranger.modules())
    with pytest.raises(SpecError, match="must still be the layer that the replacement put there") as error:
        report.undo(stranger)
    assert [problem.field for problem in error.value.problems] == ["0", "1"]
    assert list(stranger.modules()) == before
    report.undo(model)
    assert type(model[0]) is nn.Linear


def test_undo_warns_of_an_optimizer_made_since() -> None:
    model = nn.Sequential(nn.Linear(8, 8))
    _, report = replace_linear(model, filter_fn=everything)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with pytest.warns(UserWarning, match=r"an optimizer made before \(SGD\) holds 3"):
        report.undo(model)
    assert optimizer.param_groups
