"""Gathering and scattering at copy speed against indexing, whatever the dtype, the grain and the memory."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.autograd import forward_ad

from dyad_core.geometry import DyadGeometry
from dyad_core.ops import layout

DTYPES = [torch.float32, torch.float64, torch.bfloat16, torch.float16, torch.complex64, torch.complex128]


def members(n: int, block: int, grain: int) -> torch.Tensor:
    """Features of each interleaved group in order, (n, b), from the definition."""
    return torch.from_numpy(np.asarray(DyadGeometry(n * block, n * block, n, "dt", grain).input_side.members()))


@settings(max_examples=120, deadline=None)
@given(
    st.sampled_from(DTYPES),
    st.integers(1, 5),
    st.integers(1, 4),
    st.sampled_from([1, 2, 3, 4, 8, 16]),
    st.integers(0, 5),
    st.sampled_from(["contiguous", "rows apart", "transposed", "shifted", "conjugated"]),
)
def test_gather_and_scatter_equal_indexing(
    dtype: torch.dtype, n: int, runs: int, grain: int, tokens: int, memory: str
) -> None:
    block = runs * grain
    x = torch.randn(tokens, n * block, dtype=dtype)
    if memory == "rows apart":
        x = torch.cat((x, x), dim=1)[:, : n * block]
    elif memory == "transposed":
        x = x.T.contiguous().T
    elif memory == "shifted":
        x = torch.cat((torch.zeros(1, dtype=dtype), x.flatten()))[1:].view(tokens, n * block)
    elif memory == "conjugated":
        x = x.conj()
    index = members(n, block, grain)
    expected = x[:, index].transpose(0, 1)  # (n, T, b)
    gathered = layout.gather(x, n, grain)
    assert torch.equal(gathered, expected)

    output, bias = torch.full((tokens, n * block), 7.0, dtype=dtype), torch.randn(n * block, dtype=dtype)
    layout.write_interleaved(output, gathered.contiguous(), None, grain)
    assert torch.equal(output, x)
    layout.write_interleaved(output, gathered, bias, grain)
    torch.testing.assert_close(output, x + bias)


def test_bits_are_moved_as_they_are() -> None:
    patterns = torch.arange(-(2**15), 2**15, dtype=torch.int32).to(torch.int16).view(torch.bfloat16).view(2, -1)
    gathered = layout.gather(patterns, 4, 1)
    expected = layout.interleaved(patterns, 4, 1).flatten(2)
    assert torch.equal(gathered.contiguous().view(torch.int16), expected.contiguous().view(torch.int16))


@pytest.mark.parametrize("grain", [1, 2, 4])
def test_gather_is_differentiable(grain: int) -> None:
    x = torch.randn(3, 24, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: layout.gather(x, 3, grain), x)
    with forward_ad.dual_level():
        dual = forward_ad.make_dual(x.detach(), torch.ones_like(x))
        assert forward_ad.unpack_dual(layout.gather(dual, 3, grain)).tangent is not None


def test_what_runs_directly() -> None:
    def state() -> tuple[bool, bool, bool]:
        return layout.is_direct(), layout.is_transformed(), layout.is_forward_mode()

    seen = [state()]
    torch.func.vmap(lambda x: (seen.append(state()), x)[1])(torch.ones(2))
    torch.func.jvp(lambda x: (seen.append(state()), x)[1], (torch.ones(2),), (torch.ones(2),))
    with forward_ad.dual_level():
        seen.append(state())
    forward = (False, True, True)
    assert [*seen, state()] == [(True, False, False), (False, True, False), forward, forward, (True, False, False)]
