"""``triton`` on a GPU, against float64 and the dense layer's own error: ``pytest -m gpu tests/dyad_core/ops``."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest
import torch
from torch.nn import functional as F

from dyad_core import DyadGeometry, DyadLinear
from dyad_core.geometry import VARIANTS
from dyad_core.ops import registry
from dyad_core.ops._triton import function, tune
from dyad_core.ops.reference import dense_weight
from dyad_core.ops.triton import linear_triton

CUDA = torch.device("cuda")


def reason_to_skip() -> str | None:
    if not torch.cuda.is_available():
        return "there is no CUDA device here"
    return registry.get("triton").unavailable(CUDA, torch.float32)


pytestmark = [pytest.mark.gpu, pytest.mark.skipif(reason_to_skip() is not None, reason=reason_to_skip() or "")]

PRECISIONS = {
    "bfloat16": (torch.bfloat16, "ieee"),
    "float16": (torch.float16, "ieee"),
    "tf32": (torch.float32, "tf32"),
    "ieee": (torch.float32, "ieee"),
}
SIZES = ((768, 3072, 4, 300), (3072, 768, 8, 300), (768, 3072, 8, 1), (120, 72, 3, 33))


@pytest.fixture(params=PRECISIONS)
def dtype(request: pytest.FixtureRequest) -> Iterator[torch.dtype]:
    chosen, precision = PRECISIONS[request.param]
    before = torch.backends.cuda.matmul.fp32_precision
    torch.backends.cuda.matmul.fp32_precision = precision
    yield chosen
    torch.backends.cuda.matmul.fp32_precision = before


def drawn(geometry: DyadGeometry, tokens: int, dtype: torch.dtype) -> list[torch.Tensor | None]:
    shapes = [(tokens, geometry.in_features), geometry.weight_shape, geometry.weight_shape, (geometry.out_features,)]
    tensors = [(torch.randn(shape, device=CUDA) / shape[-1] ** 0.5).to(dtype).requires_grad_() for shape in shapes]
    return [None if geometry.variant == "bd" and place == 2 else each for place, each in enumerate(tensors)]


def through_dense(tensors: list[torch.Tensor | None], geometry: DyadGeometry) -> list[torch.Tensor]:
    """Output and gradients by ``F.linear`` in the operands' dtype: the error that rounding makes anyway."""
    leaves = [None if each is None else each.detach().clone().requires_grad_() for each in tensors]
    x, diag, trans, bias = leaves
    output = F.linear(x, dense_weight(diag, trans, variant=geometry.variant, grain=geometry.grain), bias)
    return [output, *torch.autograd.grad(output.square().sum(), [each for each in leaves if each is not None])]


@pytest.mark.parametrize(("size", "variant", "grain"), list(itertools.product(SIZES, VARIANTS, (1, 8))))
def test_error_is_at_most_twice_the_dense_layers(
    dtype: torch.dtype, size: tuple[int, int, int, int], variant: str, grain: int
) -> None:
    torch.manual_seed(0)
    in_features, out_features, n, tokens = size
    geometry = DyadGeometry(in_features, out_features, n, variant, grain)
    tensors = drawn(geometry, tokens, dtype)
    present = [each for each in tensors if each is not None]
    output = linear_triton(*tensors, variant, grain)
    got = [output, *torch.autograd.grad(output.square().sum(), present)]
    exact = through_dense([None if each is None else each.double() for each in tensors], geometry)
    dense = through_dense(tensors, geometry)
    for ours, theirs, truth in zip(got, dense, exact, strict=True):
        assert ours.dtype == dtype
        floor = 2 * torch.finfo(dtype).eps * truth.abs().max()
        assert (ours.double() - truth).abs().max() <= 2 * (theirs.double() - truth).abs().max() + floor


@pytest.mark.parametrize("activation", ["relu", "gelu", "silu"])
def test_activations(activation: str) -> None:
    geometry = DyadGeometry(256, 512, 4, "ot", 8)
    tensors = drawn(geometry, 64, torch.float32)
    expected = getattr(F, activation)(linear_triton(*tensors, "ot", 8))
    with torch.no_grad():
        torch.testing.assert_close(linear_triton(*tensors, "ot", 8, activation), expected)


def test_every_tuning_candidate_is_right_or_too_large_for_this_gpu() -> None:
    said: list[str] = []
    cases = [
        tune.Case(DyadGeometry(256, 1024, 4, variant), 300, transposed)
        for variant in ("it", "ot", "dt")
        for transposed in (False, True)
    ]
    content = tune.tune(cases, clock=lambda call: 1.0, report=said.append)
    assert len(content["rows"]) == len(cases)
    assert not [line for line in said if "is wrong" in line]


@pytest.mark.parametrize("variant", ["it", "ot"])
def test_compiles_into_one_graph_and_runs_in_a_cuda_graph(variant: str) -> None:
    layer = DyadLinear(256, 512, n_blocks=4, variant=variant, implementation="triton", device=CUDA)
    x = torch.randn(64, 256, device=CUDA)
    expected = layer(x)
    torch.testing.assert_close(torch.compile(layer, fullgraph=True)(x), expected)
    graph = torch.cuda.CUDAGraph()
    with torch.no_grad(), torch.cuda.graph(graph):
        captured = layer(x)
    graph.replay()
    torch.testing.assert_close(captured, expected)


def test_the_operator_keeps_torchs_contract() -> None:
    tensors = drawn(DyadGeometry(64, 128, 4, "ot"), 5, torch.float32)
    torch.library.opcheck(function.triton_linear, (*tensors, "ot", 1, "relu"))


def test_offsets_past_32_bits() -> None:
    if torch.cuda.mem_get_info()[0] < 24 << 30:
        pytest.skip("needs 24 GiB of free GPU memory")
    x = torch.randn(2**31 // 1024 + 16, 1024, device=CUDA, dtype=torch.bfloat16)
    layer = DyadLinear(1024, 1024, n_blocks=4, implementation="triton", device=CUDA, dtype=torch.bfloat16)
    with torch.no_grad():
        torch.testing.assert_close(layer(x)[-16:], layer(x[-16:]))
