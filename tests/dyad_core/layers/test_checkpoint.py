"""State dicts through files: every format keeps the numbers, and another structure is refused with both structures."""

from __future__ import annotations

import copy
import io
import pickle
from pathlib import Path

import pytest
import safetensors.torch
import torch
from torch import nn

from dyad_core import DyadFeedForward, DyadLinear
from dyad_core.geometry import VARIANTS


def through_torch(state: dict[str, torch.Tensor], folder: Path) -> dict[str, torch.Tensor]:
    torch.save(state, folder / "state.pt")
    return torch.load(folder / "state.pt", weights_only=True)


def through_safetensors(state: dict[str, torch.Tensor], folder: Path) -> dict[str, torch.Tensor]:
    safetensors.torch.save_file(state, folder / "state.safetensors")
    return safetensors.torch.load_file(folder / "state.safetensors")


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("write_and_read", [through_torch, through_safetensors])
@pytest.mark.parametrize("variant", VARIANTS)
def test_a_feed_forward_round_trips(variant: str, write_and_read: object, dtype: torch.dtype, tmp_path: Path) -> None:
    module = DyadFeedForward(16, 64, n_blocks=4, variant=variant, dtype=dtype)
    fresh = DyadFeedForward(16, 64, n_blocks=4, variant=variant, dtype=dtype)
    fresh.load_state_dict(write_and_read(module.state_dict(), tmp_path))
    x = torch.randn(3, 16, dtype=dtype)
    torch.testing.assert_close(fresh(x), module(x), rtol=0, atol=0)
    assert all(torch.equal(a, b) for a, b in zip(fresh.parameters(), module.parameters(), strict=True))


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda module: pickle.loads(pickle.dumps(module))])  # noqa: S301 - its own bytes
def test_a_feed_forward_copies_and_pickles(copied: object) -> None:
    module, x = DyadFeedForward(16, 64, variant=("ot", "it"), activation="silu"), torch.randn(3, 16)
    twin = copied(module)
    torch.testing.assert_close(twin(x), module(x), rtol=0, atol=0)
    nn.init.zeros_(twin.fc2.weight_blockdiag)
    assert module.fc2.weight_blockdiag.abs().sum() > 0


@pytest.mark.parametrize(
    ("settings", "held"),
    [
        ({"variant": "ot"}, "variant='ot'"),
        ({"variant": "dt"}, "variant='dt'"),
        ({"grain": 2}, "grain=2"),
        ({"n_blocks": 2}, "n_blocks=2"),
        ({"variant": "bd"}, "variant='bd'"),
    ],
)
def test_a_checkpoint_of_another_structure_says_both(settings: dict, held: str, tmp_path: Path) -> None:
    # it, ot and dt have weights of equal shapes: without the note one would load into another and compute nonsense.
    state = nn.Sequential(DyadLinear(16, 16, **settings)).state_dict()
    target = nn.Sequential(DyadLinear(16, 16))
    before = copy.deepcopy(target.state_dict())
    for strict in (True, False):
        with pytest.raises(
            RuntimeError, match=rf"0: the checkpoint has .*{held}.*; the layer has n_blocks=4, variant='it'"
        ):
            target.load_state_dict(through_torch(state, tmp_path), strict=strict)
    assert all(torch.equal(before[key], value) for key, value in target.state_dict().items())


def test_a_feed_forward_of_another_structure_names_both_layers(tmp_path: Path) -> None:
    state = DyadFeedForward(16, 64, n_blocks=4, variant=("ot", "it")).state_dict()
    target = DyadFeedForward(16, 64, n_blocks=8, variant="dt")
    with pytest.raises(RuntimeError) as caught:
        target.load_state_dict(through_torch(state, tmp_path))
    for name, variant in (("fc1", "ot"), ("fc2", "it")):
        held = f"{name}: the checkpoint has n_blocks=4, variant='{variant}', grain=1"
        assert f"{held}; the layer has n_blocks=8, variant='dt', grain=1" in str(caught.value)


def test_without_metadata_shapes_and_keys_still_tell_n_and_bd(tmp_path: Path) -> None:
    target = DyadLinear(16, 16)
    with pytest.raises(RuntimeError, match="this layer: the checkpoint has n_blocks=2; the layer has n_blocks=4"):
        target.load_state_dict(through_safetensors(DyadLinear(16, 16, n_blocks=2).state_dict(), tmp_path))
    with pytest.raises(RuntimeError, match="n_blocks=4, variant='bd'; the layer has n_blocks=4, variant='it'"):
        target.load_state_dict(dict(DyadLinear(16, 16, variant="bd").state_dict()))


def test_keys_that_are_missing_are_missing_as_ever() -> None:
    with pytest.raises(RuntimeError, match=r"Missing key\(s\) in state_dict: \"weight_blockdiag\""):
        DyadLinear(16, 16).load_state_dict({"bias": torch.zeros(16)})
    state = {**DyadLinear(16, 16).state_dict(), "bias": torch.zeros(8)}
    with pytest.raises(RuntimeError, match="size mismatch for bias"):
        DyadLinear(16, 16).load_state_dict(state)


def test_old_and_assigned_checkpoints_load() -> None:
    source, target = DyadLinear(16, 16, variant="dt"), DyadLinear(16, 16, variant="dt", device="meta")
    target.load_state_dict(source.state_dict(), assign=True)
    x = torch.randn(2, 16)
    torch.testing.assert_close(target(x), source(x), rtol=0, atol=0)
    buffer = io.BytesIO()
    torch.save(dict(source.state_dict()), buffer)  # a plain dictionary, as older code may have written
    buffer.seek(0)
    target.load_state_dict(torch.load(buffer, weights_only=True))
