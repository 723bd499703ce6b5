"""Checkpoints of the original layout, held against the published equations evaluated feature-major."""

from __future__ import annotations

import copy

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from dyad_core import DyadLinear, SpecError
from dyad_core.surgery import from_original, load_original, to_original


def original_layer(features: torch.Tensor, state: dict[str, torch.Tensor]) -> torch.Tensor:
    """The paper's equations by loops over entries, feature-major: (in_features, T) → (out_features, T)."""
    n, block_out, block_in = state["wl"].shape
    output = torch.zeros(n * block_out, features.shape[1], dtype=features.dtype)
    for block in range(n):
        for row in range(block_out):
            for column in range(block_in):
                output[block * block_out + row] += state["wl"][block, row, column] * features[block * block_in + column]
                # Input i = (column, block) of the input seen as (block_in, n).
                output[block * block_out + row] += state["wu"][block, row, column] * features[column * n + block]
    return output + state["bias"] if "bias" in state else output


def original_state(n: int, block_out: int, block_in: int, *, bias: bool = True) -> dict[str, torch.Tensor]:
    state = {name: torch.randn(n, block_out, block_in, dtype=torch.float64) for name in ("wu", "wl")}
    return {**state, "bias": torch.randn(n * block_out, 1, dtype=torch.float64)} if bias else state


@given(st.integers(1, 4), st.integers(1, 4), st.integers(1, 4), st.booleans())
def test_a_layer_computes_what_the_original_computes(n: int, block_out: int, block_in: int, bias: bool) -> None:
    state = original_state(n, block_out, block_in, bias=bias)
    layer = DyadLinear(n * block_in, n * block_out, bias, n_blocks=n, dtype=torch.float64)
    load_original(layer, state)
    x = torch.randn(5, n * block_in, dtype=torch.float64)
    torch.testing.assert_close(layer(x), original_layer(x.T, state).T)
    back = to_original(layer)
    assert set(back) == set(state)
    assert all(torch.equal(back[key], state[key]) for key in state)


class Block(nn.Module):
    def __init__(self, n_blocks: int = 4, variant: str = "it") -> None:
        super().__init__()
        self.norm = nn.LayerNorm(8)
        self.fc1 = DyadLinear(8, 16, n_blocks=n_blocks, variant=variant, dtype=torch.float64)
        self.fc2 = DyadLinear(16, 8, n_blocks=n_blocks, variant=variant, dtype=torch.float64)
        self.out = nn.Linear(8, 3)


def model_state() -> dict[str, torch.Tensor]:
    model = nn.ModuleDict({"layers": nn.ModuleList([Block(), Block()])})
    state = {key: value for key, value in model.state_dict().items() if ".fc" not in key}
    for layer in range(2):
        for name, sizes in (("fc1", (4, 4, 2)), ("fc2", (4, 2, 4))):
            state |= {f"layers.{layer}.{name}.{key}": value for key, value in original_state(*sizes).items()}
    return state


def test_a_whole_model_goes_there_and_back() -> None:
    state = model_state()
    model = nn.ModuleDict({"layers": nn.ModuleList([Block(), Block()])})
    assert set(from_original(state)) == set(model.state_dict())
    load_original(model, state)
    assert torch.equal(model.get_parameter("layers.1.fc2.weight_blocktrans"), state["layers.1.fc2.wu"])
    assert torch.equal(model.get_parameter("layers.0.out.bias"), state["layers.0.out.bias"])
    back = to_original(model)
    assert set(back) == set(state)
    assert all(torch.equal(back[key], state[key]) for key in state)


@pytest.mark.parametrize(
    ("block", "received"),
    [
        (Block(n_blocks=2), r"16 → 8, n_blocks=2, variant 'it', grain 1"),
        (Block(variant="dt"), r"16 → 8, n_blocks=4, variant 'dt', grain 1"),
    ],
)
def test_another_n_or_variant_says_both_and_loads_nothing(block: Block, received: str) -> None:
    state = {key.removeprefix("layers.0."): value for key, value in model_state().items() if "layers.0" in key}
    before = copy.deepcopy(block.state_dict())
    with pytest.raises(SpecError) as caught:
        load_original(block, state)
    assert [problem.field for problem in caught.value.problems] == ["fc1", "fc2"]
    text = str(caught.value.problems[1])
    assert "the checkpoint: 16 → 8, n_blocks=4, variant 'it', grain 1" in text
    assert received in text
    assert all(torch.equal(before[key], value) for key, value in block.state_dict().items())


@pytest.mark.parametrize(
    ("change", "field", "rule"),
    [
        ({"wu": None}, "fc1.wu", "has both wl and wu"),
        ({"wu": torch.zeros(4, 2, 4)}, "fc1.wu", "same shape as wl"),
        ({"bias": torch.zeros(16)}, "fc1.bias", r"must have shape (16, 1)"),
        ({"bias": None}, "fc1.bias", "in both the checkpoint and the model"),
    ],
)
def test_what_does_not_fit_is_named(change: dict, field: str, rule: str) -> None:
    state = {key.removeprefix("layers.0."): value for key, value in model_state().items() if "layers.0" in key}
    for name, value in change.items():
        del state[f"fc1.{name}"]
        if value is not None:
            state[f"fc1.{name}"] = value
    with pytest.raises(SpecError) as caught:
        load_original(Block(), state)
    assert [(problem.field, rule in problem.rule) for problem in caught.value.problems] == [(field, True)]


def test_no_original_layer_no_dyad_layer_and_no_original_variant() -> None:
    with pytest.raises(SpecError, match="at least one layer of the original layout"):
        from_original(nn.Linear(2, 2).state_dict())
    with pytest.raises(SpecError, match="at least one DyadLinear"):
        to_original(nn.Linear(2, 2))
    with pytest.raises(SpecError, match=r"fc1: must be variant 'it' of grain 1.*variant 'ot', grain 1"):
        to_original(Block(variant="ot"))
    with pytest.raises(SpecError, match=r"model: must be a DyadLinear.*n_blocks=4"):
        load_original(nn.Linear(8, 16), original_state(4, 4, 2))
