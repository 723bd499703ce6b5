"""Triton's kernels in its interpreter, on the CPU. ``test_triton.py`` runs this file with TRITON_INTERPRET=1.

The interpreter must be on before triton is imported, hence a process of its own, and it takes tens of milliseconds a
launch, hence small sizes.
"""

from __future__ import annotations

import dataclasses
import json
import os
from pathlib import Path

import pytest
import torch
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from implementation_cases import operands
from strategies import geometries
from torch.nn import functional as F

from dyad_core import DyadGeometry, DyadLinear, ImplementationError
from dyad_core.geometry import VARIANTS
from dyad_core.ops import registry
from dyad_core.ops._triton import function, launch, plan, tune
from dyad_core.ops._triton import settings as tiles
from dyad_core.ops._triton.settings import Settings, Shape
from dyad_core.ops.eager import product as product_eager
from dyad_core.ops.reference import linear_reference
from dyad_core.ops.triton import INTERPRETED, linear_triton

CPU = torch.device("cpu")
TOLERANCE = {torch.float64: 1e-12, torch.float32: 2e-5, torch.float16: 2e-2}
ACTIVATIONS = {"none": lambda value: value, "relu": F.relu, "gelu": F.gelu, "silu": F.silu}
SMALL = Settings(16, 16, 16, 2, 4, 3)


def test_the_interpreter_is_on() -> None:
    assert INTERPRETED
    assert registry.get("triton").unavailable(CPU, torch.float32) is None


def assert_equal_to_the_oracle(
    geometry: DyadGeometry, tensors: list[torch.Tensor | None], dtype: torch.dtype, activation: str
) -> None:
    present = [tensor for tensor in tensors if tensor is not None]
    result = linear_triton(*tensors, geometry.variant, geometry.grain, activation)
    exact = [None if tensor is None else tensor.detach().double().requires_grad_() for tensor in tensors]
    oracle = linear_reference(*exact, geometry.variant, geometry.grain)
    # Rounding decides on which side of its corner relu takes a sum near zero; the gradient follows the value that came.
    oracle = oracle * (result > 0) if activation == "relu" else ACTIVATIONS[activation](oracle)
    tolerance = TOLERANCE[dtype]
    assert result.dtype == dtype
    torch.testing.assert_close(result.double(), oracle, rtol=tolerance, atol=tolerance)
    upstream = torch.cos(torch.arange(oracle.numel(), dtype=torch.float64)).view(oracle.shape)
    gradients = torch.autograd.grad(result, present, upstream.to(dtype))
    expected = torch.autograd.grad(oracle, [each for each in exact if each is not None], upstream)
    for gradient, value in zip(gradients, expected, strict=True):
        assert gradient.dtype == dtype
        torch.testing.assert_close(gradient.double(), value, rtol=tolerance, atol=tolerance)


@settings(max_examples=int(os.environ.get("FEW_EXAMPLES", "8")), phases=(Phase.explicit, Phase.reuse, Phase.generate))
@given(
    geometry=geometries(max_blocks=4),
    tokens=st.integers(0, 19),
    dtype=st.sampled_from((torch.float32, torch.float16)),
    bias=st.booleans(),
    activation=st.sampled_from(sorted(ACTIVATIONS)),
    smallest_cell=st.sampled_from((1, 1, 10**6)),
)
def test_values_and_gradients_equal_the_oracle(
    geometry: DyadGeometry, tokens: int, dtype: torch.dtype, bias: bool, activation: str, smallest_cell: int
) -> None:
    tensors = operands(geometry, tokens, dtype, bias=bias)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(launch, "SMALLEST_CELL", smallest_cell)
        assert_equal_to_the_oracle(geometry, tensors, dtype, activation)


@pytest.mark.parametrize(("variant", "passes"), [*((variant, 1) for variant in VARIANTS), ("ot", 2), ("dt", 2)])
@pytest.mark.parametrize(("grain", "dtype"), [(1, torch.float16), (3, torch.float32), (8, torch.float16)])
def test_many_tiles_of_odd_sizes(
    monkeypatch: pytest.MonkeyPatch, variant: str, grain: int, passes: int, dtype: torch.dtype
) -> None:
    # 17 tokens and 24 inputs a block: no multiple of the tile, and more than one tile each way.
    geometry = DyadGeometry(2 * 24, 2 * 48, 2, variant, grain)
    monkeypatch.setattr(launch, "SMALLEST_CELL", 1 if passes == 1 else 10**6)
    monkeypatch.setattr(launch, "settings_for", lambda *shape: SMALL)
    assert_equal_to_the_oracle(geometry, operands(geometry, 17, dtype, bias=True), dtype, "relu")


@pytest.mark.parametrize("grain", [1, 2])
def test_cells_of_unequal_size_and_empty_ones(monkeypatch: pytest.MonkeyPatch, grain: int) -> None:
    monkeypatch.setattr(launch, "SMALLEST_CELL", 1)
    for n, block_out in ((3, 4), (5, 2), (4, 6)):
        geometry = DyadGeometry(n * 2 * grain, n * block_out, n, "dt", grain)
        assert_equal_to_the_oracle(geometry, operands(geometry, 3, torch.float32, bias=True), torch.float32, "none")


@pytest.mark.parametrize("variant", ["it", "dt"])
@pytest.mark.parametrize("grain", [1, 4])
def test_any_strides(monkeypatch: pytest.MonkeyPatch, variant: str, grain: int) -> None:
    monkeypatch.setattr(launch, "SMALLEST_CELL", 1)
    _, *weights, bias = operands(DyadGeometry(24, 24, 3, variant, grain), 1, torch.float32, bias=True)
    inputs = (
        torch.randn(24, 10).T[::2],  # feature-major
        torch.randn(10, 48)[::2, ::2],  # no unit stride
        torch.ones(()).expand(5, 24),  # the gradient of a sum
    )
    transposed = [weight.mT for weight in weights]
    every_other = [torch.stack((weight, weight), 3)[..., 0] for weight in weights]
    for x, both in zip(inputs, (transposed, weights, every_other), strict=True):
        result = linear_triton(x, *both, bias, variant, grain)
        torch.testing.assert_close(result, linear_reference(x, *both, bias, variant, grain))


def test_offsets_of_64_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launch, "OFFSETS_32_BITS", 1)
    monkeypatch.setattr(launch, "SMALLEST_CELL", 1)
    for variant in VARIANTS:
        geometry = DyadGeometry(16, 32, 2, variant, 4)
        assert_equal_to_the_oracle(geometry, operands(geometry, 3, torch.float32, bias=True), torch.float32, "none")


def test_one_token_does_not_write_into_the_bias() -> None:
    tensors = operands(DyadGeometry(8, 12, 2, "ot"), 1, torch.float32, bias=True)
    before = [tensor.detach().clone() for tensor in tensors]
    with torch.no_grad():
        linear_triton(*tensors, "ot", 1, "relu")
    for tensor, copy in zip(tensors, before, strict=True):
        torch.testing.assert_close(tensor.detach(), copy, rtol=0, atol=0)


@pytest.mark.filterwarnings(
    "ignore:invalid value|overflow:RuntimeWarning"
)  # NumPy, which the interpreter computes with
@pytest.mark.parametrize("activation", sorted(ACTIVATIONS))
def test_activations_in_the_kernel_meet_torch_at_the_extremes(activation: str) -> None:
    values = torch.tensor([[-float("inf"), -30.0, -1.0, -0.0], [0.0, 1e-3, 30.0, float("nan")]])
    weight = torch.ones(1, 1, 1)
    result = torch.stack(
        [linear_triton(values[:, [i]], weight, None, None, "bd", 1, activation)[:, 0] for i in range(4)]
    )
    torch.testing.assert_close(result.T, ACTIVATIONS[activation](values), equal_nan=True)


def test_second_gradients() -> None:
    geometry = DyadGeometry(4, 4, 2, "it")
    tensors = operands(geometry, 1, torch.float64, bias=True)

    def apply(*present: torch.Tensor) -> torch.Tensor:
        return linear_triton(*present, "it", 1, "relu")

    assert torch.autograd.gradgradcheck(apply, tensors, fast_mode=True)


def test_the_operator_keeps_torchs_contract() -> None:
    tensors = operands(DyadGeometry(4, 8, 2, "ot"), 2, torch.float32, bias=True)
    torch.library.opcheck(function.triton_linear, (*tensors, "ot", 1, "relu"))
    with pytest.raises(RuntimeError, match="gelu was fused into a product"):
        function.triton_linear(*tensors, "ot", 1, "gelu").sum().backward()


@pytest.mark.parametrize("variant", ["it", "ot"])
def test_traces_without_a_graph_break(variant: str) -> None:
    torch.manual_seed(0)
    layer = DyadLinear(8, 16, n_blocks=2, variant=variant, implementation="triton")
    x = torch.randn(3, 8, requires_grad=True)
    torch.compiler.reset()
    compiled = torch.compile(layer, fullgraph=True, backend="aot_eager")
    present = [x, *layer.parameters()]
    torch.testing.assert_close(compiled(x), layer(x))
    gradients = torch.autograd.grad(compiled(x).square().sum(), present)
    for gradient, expected in zip(gradients, torch.autograd.grad(layer(x).square().sum(), present), strict=True):
        torch.testing.assert_close(gradient, expected)
    exported = torch.export.export(layer, (x.detach(),))
    assert "dyad.triton_linear" in exported.graph_module.code
    torch.testing.assert_close(exported.module()(x.detach()), layer(x.detach()))


def test_vmap_over_inputs_and_over_weights() -> None:
    layers = [DyadLinear(4, 8, n_blocks=2, implementation="triton") for _ in range(2)]
    x = torch.randn(2, 3, 4)
    torch.testing.assert_close(torch.func.vmap(layers[0])(x), layers[0](x))
    stacked = {name: torch.stack([layer.state_dict()[name] for layer in layers]) for name in layers[0].state_dict()}

    def call(parameters: dict[str, torch.Tensor], value: torch.Tensor) -> torch.Tensor:
        return torch.func.functional_call(layers[0], parameters, (value,))

    ensemble = torch.func.vmap(call, in_dims=(0, None))(stacked, x[0])
    torch.testing.assert_close(ensemble, torch.stack([layer(x[0]) for layer in layers]))
    per_sample = torch.func.vmap(torch.func.grad(lambda p, v: call(p, v).square().sum()), in_dims=(None, 0))
    gradients = per_sample({k: v.detach() for k, v in layers[0].named_parameters()}, x)
    expected = torch.autograd.grad(layers[0](x[1]).square().sum(), layers[0].weight_blocktrans)[0]
    torch.testing.assert_close(gradients["weight_blocktrans"][1], expected)


# Operands that are constants of torch.func.linearize become attributes of torch's graph (torch 2.13).
@pytest.mark.filterwarnings("ignore:Attempted to insert a get_attr Node:UserWarning")
@pytest.mark.parametrize("activation", sorted(ACTIVATIONS))
def test_derivatives_of_every_kind_with_an_activation(activation: str) -> None:
    geometry = DyadGeometry(4, 8, 2, "dt", 2)
    at, along = (
        tuple(tensor.detach() for tensor in operands(geometry, 2, torch.float64, bias=True, seed=seed))
        for seed in (0, 1)
    )

    def ours(*tensors: torch.Tensor) -> torch.Tensor:
        return linear_triton(*tensors, "dt", 2, activation)

    def exact(*tensors: torch.Tensor) -> torch.Tensor:
        return ACTIVATIONS[activation](linear_reference(*tensors, "dt", 2))

    stacked = tuple(torch.stack(pair) for pair in zip(at, along, strict=True))
    # Inside of vmap a tensor of grad does not say that a gradient is wanted: nothing may be fused then.
    for transform in (
        lambda call: torch.func.jvp(call, at, along),
        lambda call: torch.func.jvp(lambda *some: torch.func.jvp(call, some, along)[1], at, along),
        lambda call: torch.func.linearize(call, *at)[1](*along),
        lambda call: torch.func.grad(lambda x: torch.func.vmap(call)(x, *stacked[1:]).pow(3).sum())(stacked[0]),
        lambda call: torch.func.vmap(torch.func.jacrev(call))(*stacked),
        lambda call: torch.func.hessian(lambda x: call(x, *at[1:]).pow(3).sum())(at[0]),
    ):
        torch.testing.assert_close(transform(ours), transform(exact))


def test_tuning_drops_what_is_wrong_and_its_table_is_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    times = iter(range(9, 0, -1))

    def clock(call: object) -> float:
        return float(next(times))

    case = tune.Case(DyadGeometry(8, 16, 2, "ot"), 5)
    wide = dataclasses.replace(SMALL, block_n=32)
    said: list[str] = []
    arguments = {"dtypes": [torch.float32], "device": "cpu", "clock": clock, "report": said.append}
    content = tune.tune([case, tune.Case(DyadGeometry(8, 8, 2, "it"), 5)], candidates=[SMALL, wide], **arguments)
    assert [row["settings"]["block_n"] for row in content["rows"]] == [32, 32]  # the later, the shorter
    assert content["smallest_cell"] == 5  # two passes took 7 and 6, one pass 9 and 8
    assert len(said) == 2
    assert "in two passes" in said[0]
    monkeypatch.setattr(tune, "product_eager", lambda *rest: product_eager(*rest) + 1)
    assert tune.tune([case], candidates=[SMALL], **arguments)["rows"] == []
    assert any("is wrong by" in line for line in said)

    path = tmp_path / "triton.json"
    tune.save(content, path)
    monkeypatch.setenv(tiles.SETTINGS_VARIABLE, str(path))
    tiles.table.cache_clear()
    tiles.settings_for.cache_clear()
    try:
        assert tiles.settings_for("cpu", "ieee", 4, Shape(6, 4, 4, 4)) == wide
        assert tiles.settings_for("another", "ieee", 4, Shape(6, 4, 4, 4)) != wide
        assert tiles.table("cpu").smallest_cell == 5
        path.write_text(json.dumps({"schema_version": 99}), encoding="utf-8")
        tiles.table.cache_clear()
        with pytest.raises(ValueError, match="has schema version 99"):
            tiles.table("cpu")
    finally:
        monkeypatch.undo()
        tiles.table.cache_clear()
        tiles.settings_for.cache_clear()


def test_bfloat16_is_refused() -> None:
    with pytest.raises(
        ImplementationError, match="interpreter computes float64, float32 and float16; its products in bf"
    ):
        registry.choose("triton", CPU, torch.bfloat16)


@pytest.mark.xfail(
    strict=True, reason="the interpreter multiplies the bits of bfloat16 as integers (triton 3.6 to 3.9)"
)
def test_bfloat16_in_the_interpreter() -> None:
    geometry = DyadGeometry(4, 4, 2, "bd")
    tensors = [None if each is None else each.detach() for each in operands(geometry, 2, torch.bfloat16, bias=False)]
    result = linear_triton(*tensors, "bd", 1)
    torch.testing.assert_close(result, linear_reference(*tensors, "bd", 1), rtol=0.1, atol=0.1)


def test_the_plan_names_what_was_chosen() -> None:
    x, weight = torch.randn(3, 64, dtype=torch.float16), torch.randn(4, 32, 16, dtype=torch.float16)
    direct = plan.make_plan(x, weight, weight, "it", 8, 16)
    assert (direct.passes, direct.by_index, direct.gathers_input) == (1, True, False)
    assert plan.make_plan(x, weight, weight, "it", 4, 16).gathers_input
