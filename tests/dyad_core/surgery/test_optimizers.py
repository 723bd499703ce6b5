"""An optimizer made before the replacement is warned about, by name, and only while it lives."""

from __future__ import annotations

import gc
import warnings

import pytest
import torch
from torch import nn

from dyad_core import replace_linear
from dyad_core.surgery import filters


def everything(module: nn.Module, name: str) -> bool:
    return True


def two_layers() -> nn.Module:
    return nn.Sequential(nn.Linear(8, 8), nn.Linear(8, 8))


@pytest.mark.parametrize("kind", [torch.optim.AdamW, torch.optim.SGD])
def test_a_live_optimizer_of_a_replaced_layer_is_named(kind) -> None:
    model = two_layers()
    optimizer = kind(model.parameters(), lr=0.1)
    message = rf"an optimizer made before \({kind.__name__}\) holds 2 of the parameters .*make it anew"
    with pytest.warns(UserWarning, match=message) as caught:
        _, report = replace_linear(model, filter_fn=filters.named("0"))
    assert caught[0].filename == __file__
    assert len(report.warnings) == 1
    assert report.warnings[0] in str(report)
    assert len(optimizer.param_groups[0]["params"]) == 4


def test_what_the_warning_says_is_so() -> None:
    model = two_layers()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with pytest.warns(UserWarning, match="would train nothing in the new layers"):
        replace_linear(model, filter_fn=everything)
    before = model[0].weight_blockdiag.detach().clone()
    model(torch.randn(4, 8)).sum().backward()
    optimizer.step()
    assert torch.equal(model[0].weight_blockdiag, before)


def test_an_optimizer_of_other_layers_or_models_is_no_matter() -> None:
    model, other = two_layers(), two_layers()
    kept = [torch.optim.SGD(model[1].parameters(), lr=0.1), torch.optim.SGD(other.parameters(), lr=0.1)]
    _, report = replace_linear(model, filter_fn=filters.named("0"))
    assert report.warnings == ()
    assert len(kept) == 2


def test_an_optimizer_that_only_waits_to_be_collected_is_no_matter() -> None:
    model = two_layers()
    gc.disable()
    try:
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        optimizer.itself = optimizer
        del optimizer
        _, report = replace_linear(model, filter_fn=everything)
    finally:
        gc.enable()
    assert report.warnings == ()


def test_whoever_turns_warnings_into_errors_keeps_the_model_as_it_was() -> None:
    model = two_layers()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(UserWarning):
            replace_linear(model, filter_fn=everything)
    assert [type(layer) for layer in model] == [nn.Linear, nn.Linear]
    assert optimizer.param_groups


def test_an_optimizer_made_afterwards_trains_the_new_layers() -> None:
    model, _ = replace_linear(two_layers(), filter_fn=everything)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    before = model[0].weight_blocktrans.detach().clone()
    model(torch.randn(4, 8)).sum().backward()
    optimizer.step()
    assert not torch.equal(model[0].weight_blocktrans, before)
