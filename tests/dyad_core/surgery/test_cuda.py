"""Replacement on a GPU: new layers are made where the old ones are, and the way back finds the model where it went."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from dyad_core import replace_linear

pytestmark = [pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")]


def everything(module: nn.Module, name: str) -> bool:
    return True


@pytest.mark.parametrize("weights", ["projected", "fresh"])
def test_new_layers_are_made_where_the_old_ones_are(weights: str) -> None:
    model = nn.Sequential(nn.Linear(64, 256), nn.Linear(256, 64)).to("cuda", torch.bfloat16)
    _, report = replace_linear(model, filter_fn=everything, weights=weights)
    assert {(p.device.type, p.dtype) for p in model.parameters()} == {("cuda", torch.bfloat16)}
    assert model(torch.randn(3, 64, device="cuda", dtype=torch.bfloat16)).shape == (3, 64)
    if weights == "projected":
        assert all(0.6 < row.relative_error < 0.9 for row in report.replaced)


def test_the_projection_is_the_same_as_on_the_cpu() -> None:
    model = nn.Sequential(nn.Linear(64, 256))
    twin = nn.Sequential(nn.Linear(64, 256))
    twin.load_state_dict(model.state_dict())
    replace_linear(model, filter_fn=everything)
    replace_linear(twin.to("cuda"), filter_fn=everything)
    assert torch.equal(twin[0].to_dense().cpu(), model[0].to_dense())


def test_the_former_layers_follow_the_model_to_the_gpu() -> None:
    model = nn.Sequential(nn.Linear(8, 8))
    weight = model[0].weight.detach().clone()
    _, report = replace_linear(model, filter_fn=everything)
    report.undo(model.to("cuda"))
    assert model[0].weight.device.type == "cuda"
    assert torch.equal(model[0].weight.cpu(), weight)
