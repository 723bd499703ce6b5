"""``dyad_linear``: operands that don't fit, leading dimensions, autocast."""

from __future__ import annotations

import pytest
import torch

from dyad_core import DyadLinear, ImplementationError, OperandError, SpecError, dyad_linear
from dyad_core.ops import dense_weight, registry

BLOCKS = torch.randn(2, 3, 4)  # n = 2, 3 outputs and 4 inputs a block


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((torch.randn(5, 9), BLOCKS, BLOCKS), r"input must have shape \(\*, 8\), received \(5, 9\)"),
        ((torch.randn(()), BLOCKS, BLOCKS), r"input must have shape \(\*, 8\), received \(\)"),
        ((torch.randn(5, 8), BLOCKS[0], BLOCKS), r"weight_blockdiag must have shape"),
        ((torch.randn(5, 8), BLOCKS, BLOCKS.mT), r"weight_blocktrans must have shape \(2, 3, 4\)"),
        ((torch.randn(5, 8), BLOCKS, BLOCKS, torch.randn(7)), r"bias must have shape \(6,\), received \(7,\)"),
        ((torch.randn(5, 8).double(), BLOCKS, BLOCKS), r"one dtype, received torch.float64 and torch.float32"),
        ((torch.randn(5, 8), BLOCKS, BLOCKS, torch.randn(6).double()), r"input and bias must have one dtype"),
        ((torch.randn(5, 8, device="meta"), BLOCKS, BLOCKS), r"blockdiag must be on one device, received meta and cpu"),
        ((torch.randn(5, 8), BLOCKS, BLOCKS.to("meta")), r"weight_blocktrans must be on one device"),
        ((torch.randn(5, 8), BLOCKS, BLOCKS, torch.randn(6, device="meta")), r"bias must be on one device"),
    ],
)
def test_operands_that_do_not_fit(arguments: tuple[torch.Tensor, ...], message: str) -> None:
    with pytest.raises(OperandError, match=message):
        dyad_linear(*arguments)
    assert issubclass(OperandError, RuntimeError)  # what F.linear raises


@pytest.mark.parametrize(
    ("blocktrans", "settings", "message"),
    [
        (BLOCKS, {"variant": "tt"}, "variant: must be one of it, ot, dt, bd"),
        (None, {"variant": "it"}, "weight_blocktrans: must be None for variant 'bd'"),
        (BLOCKS, {"variant": "bd"}, "weight_blocktrans: must be None for variant 'bd'"),
        (BLOCKS, {"grain": 3}, "grain: must be positive and divide block_in=4"),
        (BLOCKS, {"grain": 0}, "grain: must be positive"),
        (BLOCKS, {"implementation": "magic"}, "implementation: must be a registered implementation"),
    ],
)
def test_settings_that_do_not_work(blocktrans: torch.Tensor | None, settings: dict, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        dyad_linear(torch.randn(5, 8), BLOCKS, blocktrans, **settings)


@pytest.mark.parametrize("implementation", [registry.AUTO, *registry.names()])
@pytest.mark.parametrize("tokens", [1, 3])
def test_wrong_operands_are_one_error_whatever_computes(implementation: str, tokens: int) -> None:
    x = torch.randn(tokens, 8)
    for arguments in (
        (x.double(), BLOCKS, BLOCKS),
        (x.bfloat16(), BLOCKS, BLOCKS),
        (x.long(), BLOCKS, BLOCKS),
        (x, BLOCKS.long(), BLOCKS.long()),
        (x, BLOCKS, BLOCKS.half()),
        (x, BLOCKS, BLOCKS, torch.ones(6, dtype=torch.int64)),
        (x.to("meta"), BLOCKS, BLOCKS),
        (x, BLOCKS, BLOCKS.to("meta")),
        (x[:, 1:], BLOCKS, BLOCKS),
    ):
        with pytest.raises(OperandError):
            dyad_linear(*arguments, implementation=implementation)


@pytest.mark.parametrize("implementation", [registry.AUTO, *registry.names()])
@pytest.mark.parametrize("tokens", [1, 3])
@pytest.mark.parametrize("dtype", [torch.int64, torch.int32, torch.uint8])
def test_integers_alone_are_computed_as_by_linear_or_refused(
    implementation: str, tokens: int, dtype: torch.dtype
) -> None:
    x, weights, bias = torch.arange(8 * tokens) % 5, torch.arange(48).view(2, 2, 3, 4) % 3, torch.arange(6)
    operands = [tensor.to(dtype) for tensor in (x.view(tokens, 8), *weights, bias)]
    if implementation in ("compiled", "triton"):
        with pytest.raises(ImplementationError, match=rf"'{implementation}' cannot run on cpu in {dtype}: .*"):
            dyad_linear(*operands, implementation=implementation)
        return
    result = dyad_linear(*operands, implementation=implementation)
    expected = torch.nn.functional.linear(operands[0], dense_weight(*operands[1:3]), operands[3])
    torch.testing.assert_close(result, expected, rtol=0, atol=0)


@pytest.mark.parametrize("shape", [(8,), (0, 8), (1, 8), (2, 0, 8), (2, 3, 8), (2, 1, 3, 8)])
def test_any_leading_dimensions(shape: tuple[int, ...]) -> None:
    layer = DyadLinear(8, 6, n_blocks=2)
    x = torch.randn(shape)
    result = layer(x)
    assert result.shape == (*shape[:-1], 6)
    torch.testing.assert_close(result, x @ layer.to_dense().T + layer.bias)
    result.sum().backward()
    assert layer.weight_blocktrans.grad is not None


def test_autocast_behaves_as_for_linear() -> None:
    layer, twin = DyadLinear(8, 6, n_blocks=2), torch.nn.Linear(8, 6)
    x = torch.randn(5, 8, requires_grad=True)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        result, expected = layer(x), twin(x)
    assert result.dtype == expected.dtype == torch.bfloat16
    result.float().sum().backward()
    assert layer.weight_blockdiag.grad.dtype == torch.float32
    assert x.grad.dtype == torch.float32
    torch.testing.assert_close(result.float(), layer(x), rtol=5e-2, atol=5e-2)
