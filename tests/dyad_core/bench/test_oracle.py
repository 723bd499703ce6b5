from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from dyad_core import DyadLinear
from dyad_core.bench import oracle
from dyad_core.bench.oracle import dense_pass, read_layer


@pytest.fixture(params=[1, 100, 2**22], ids=["row by row", "a few rows", "whole"], autouse=True)
def chunk(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(oracle, "CHUNK_ELEMENTS", request.param)


@pytest.mark.parametrize("variant", ["it", "ot", "dt", "bd"])
@pytest.mark.parametrize(("n", "grain"), [(1, 1), (3, 1), (4, 2), (6, 2)])
def test_rows_are_those_of_the_reference_weight(variant: str, n: int, grain: int) -> None:
    layer = DyadLinear(24, 48, n_blocks=n, variant=variant, grain=grain, dtype=torch.float64)
    rows = torch.arange(48)
    assert torch.equal(read_layer(layer).rows(rows, torch.float64), layer.to_dense().detach())


def test_rows_of_a_dense_layer_are_its_weight() -> None:
    layer = nn.Linear(5, 7)
    assert torch.equal(read_layer(layer).rows(torch.tensor([6, 0]), torch.float32), layer.weight.detach()[[6, 0]])


def test_the_pass_and_its_backward_are_those_of_autograd() -> None:
    first, second = DyadLinear(12, 24, n_blocks=3, dtype=torch.float64), nn.Linear(24, 12, dtype=torch.float64)
    x = torch.randn(9, 12, dtype=torch.float64, requires_grad=True)
    g = torch.randn(9, 12, dtype=torch.float64)
    hidden = F.linear(x, first.to_dense(), first.bias)
    hidden.retain_grad()
    output = second(hidden.relu())
    output.backward(g)
    found = dense_pass([read_layer(first), read_layer(second)], x.detach(), g)
    torch.testing.assert_close(found.output, output.detach())
    torch.testing.assert_close(found.grad_input, x.grad)
    torch.testing.assert_close(found.deltas[0], hidden.grad)
    assert torch.equal(found.deltas[1], g)


def test_a_layer_without_bias_is_not_a_candidate() -> None:
    with pytest.raises(TypeError, match="bias"):
        read_layer(nn.Linear(4, 4, bias=False))
