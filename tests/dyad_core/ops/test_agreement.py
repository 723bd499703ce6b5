"""The check of compiled code: the index form is the layer, what is right passes and what is wrong is named."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from implementation_cases import apply, operands
from strategies import geometries

from dyad_core import DyadGeometry
from dyad_core.ops.agreement import backward_disagreement, by_index, forward_disagreement
from dyad_core.ops.backward import gradients
from dyad_core.ops.plain import linear_plain

CPU = torch.device("cpu")
DTYPES = [torch.float64, torch.float32, torch.bfloat16, torch.float16]


@given(geometries(), st.booleans())
def test_the_index_form_is_the_reference(geometry: DyadGeometry, bias: bool) -> None:
    tensors: list[Any] = operands(geometry, 4, torch.float64, bias=bias)
    torch.testing.assert_close(by_index(*tensors, geometry), apply("reference", geometry, tensors))


@settings(max_examples=40)
@given(geometries(), st.integers(1, 200), st.sampled_from(DTYPES), st.booleans())
def test_correct_rounding_is_never_refused(geometry: DyadGeometry, tokens: int, dtype: torch.dtype, bias: bool) -> None:
    def forward(*tensors: Any) -> torch.Tensor:
        return linear_plain(*tensors, geometry.variant, geometry.grain)

    def backward(grad: torch.Tensor, *saved: Any) -> list[torch.Tensor | None]:
        wanted = (True, True, saved[2] is not None, True)
        return gradients(linear_plain, grad, saved, geometry.variant, geometry.grain, wanted)

    assert forward_disagreement(forward, geometry, tokens, dtype, CPU, bias=bias) is None
    assert backward_disagreement(backward, geometry, tokens, dtype, CPU, (True,) * 4) is None


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (lambda y: y * 1.001, "the output is off by 0.001"),
        (lambda y: y.index_fill(1, torch.tensor([5]), torch.nan), "off by nan"),
        (lambda y: y[:, :-1], r"the output is \(300, 15\)"),
        (lambda y: y.double(), "torch.float64 instead of"),
    ],
)
def test_a_wrong_output_is_named(wrong: Any, said: str) -> None:
    import re

    geometry = DyadGeometry(12, 16, 4, "ot")

    def forward(*tensors: Any) -> torch.Tensor:
        return wrong(linear_plain(*tensors, "ot", 1))

    found = forward_disagreement(forward, geometry, 300, torch.float32, CPU, bias=True)
    assert found is not None
    assert re.search(said, found), found


def test_a_missing_gradient_is_named() -> None:
    geometry = DyadGeometry(12, 16, 4, "it")
    found = backward_disagreement(lambda *_: [None] * 4, geometry, 3, torch.float32, CPU, (False, True, True, True))
    assert found == "the gradient of weight_blockdiag is missing"
