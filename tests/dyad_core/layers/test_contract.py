"""One contract, run on ``nn.Linear`` and on every variant of ours: a drop-in must pass what the original passes."""

from __future__ import annotations

import copy
import io
import pickle
from collections.abc import Callable

import pytest
import torch
from torch import nn

from dyad_core import DyadLinear
from dyad_core.geometry import VARIANTS

Factory = Callable[..., nn.Module]


def dyad(variant: str) -> Factory:
    def build(*args: object, **kwargs: object) -> DyadLinear:
        return DyadLinear(*args, n_blocks=4, variant=variant, **kwargs)

    return build


FACTORIES = {"nn.Linear": nn.Linear, **{f"DyadLinear[{variant}]": dyad(variant) for variant in VARIANTS}}


@pytest.fixture(params=FACTORIES)
def factory(request: pytest.FixtureRequest) -> Factory:
    return FACTORIES[request.param]


def test_positional_signature(factory: Factory) -> None:
    layer = factory(16, 32, False, "cpu", torch.float64)
    assert (layer.in_features, layer.out_features, layer.bias) == (16, 32, None)
    assert all(parameter.dtype == torch.float64 for parameter in layer.parameters())


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16, torch.float16, torch.complex64])
def test_dtype_reaches_every_parameter_and_the_output(factory: Factory, dtype: torch.dtype) -> None:
    layer = factory(16, 32, dtype=dtype)
    assert {parameter.dtype for parameter in layer.parameters()} == {dtype}
    assert layer(torch.ones(3, 16, dtype=dtype)).dtype == dtype


def test_default_dtype_is_followed(factory: Factory) -> None:
    torch.set_default_dtype(torch.float64)
    try:
        assert {parameter.dtype for parameter in factory(16, 32).parameters()} == {torch.float64}
    finally:
        torch.set_default_dtype(torch.float32)


def test_meta_device_allocates_nothing_and_runs_shapes(factory: Factory) -> None:
    layer = factory(1 << 18, 1 << 18, device="meta")
    assert all(parameter.is_meta for parameter in layer.parameters())
    assert layer(torch.empty(5, 1 << 18, device="meta")).shape == (5, 1 << 18)
    small = factory(16, 32, device="meta").to_empty(device="cpu")
    small.reset_parameters()
    assert all(torch.isfinite(parameter).all() for parameter in small.parameters())


def test_device_context_is_followed(factory: Factory) -> None:
    with torch.device("meta"):
        assert all(parameter.is_meta for parameter in factory(16, 32).parameters())


@pytest.mark.parametrize("shape", [(16,), (0, 16), (1, 16), (2, 0, 16), (2, 3, 16), (2, 1, 3, 16)])
def test_leading_dimensions(factory: Factory, shape: tuple[int, ...]) -> None:
    layer = factory(16, 32)
    result = layer(torch.randn(shape))
    assert result.shape == (*shape[:-1], 32)
    result.sum().backward()
    assert all(parameter.grad is not None for parameter in layer.parameters())


@pytest.mark.parametrize(
    "value", [torch.randn(3, 15), torch.randn(()), torch.randn(3, 16).double(), torch.ones(3, 16, dtype=torch.int64)]
)
def test_what_does_not_fit_is_a_runtime_error(factory: Factory, value: torch.Tensor) -> None:
    with pytest.raises(RuntimeError):
        factory(16, 32)(value)


def test_rows_are_independent(factory: Factory) -> None:
    layer = factory(16, 32, dtype=torch.float64)
    x = torch.randn(7, 16, dtype=torch.float64)
    torch.testing.assert_close(layer(x), torch.stack([layer(row) for row in x]))


def test_the_layer_is_affine(factory: Factory) -> None:
    layer = factory(16, 32, dtype=torch.float64)
    a, b = torch.randn(2, 5, 16, dtype=torch.float64)
    torch.testing.assert_close(layer(a + b) + layer.bias, layer(a) + layer(b))


def test_the_input_is_left_alone(factory: Factory) -> None:
    layer, x = factory(16, 32), torch.randn(3, 16)
    before = x.clone()
    layer(x)
    torch.testing.assert_close(x, before, rtol=0, atol=0)


def test_no_gradient_when_frozen(factory: Factory) -> None:
    layer = factory(16, 32).requires_grad_(False)
    assert not layer(torch.randn(3, 16)).requires_grad
    with torch.inference_mode():
        assert layer(torch.randn(3, 16)).shape == (3, 32)


def test_pickle_deepcopy_and_state_dict(factory: Factory) -> None:
    layer, x = factory(16, 32), torch.randn(3, 16)
    expected = layer(x)
    torch.testing.assert_close(pickle.loads(pickle.dumps(layer))(x), expected, rtol=0, atol=0)  # noqa: S301 - its own bytes
    twin = copy.deepcopy(layer)
    torch.testing.assert_close(twin(x), expected, rtol=0, atol=0)
    assert all(a is not b for a, b in zip(twin.parameters(), layer.parameters(), strict=True))
    buffer = io.BytesIO()
    torch.save(layer.state_dict(), buffer)
    buffer.seek(0)
    fresh = factory(16, 32)
    fresh.load_state_dict(torch.load(buffer, weights_only=True))
    torch.testing.assert_close(fresh(x), expected, rtol=0, atol=0)


def test_a_checkpoint_of_other_sizes_is_refused(factory: Factory) -> None:
    with pytest.raises(RuntimeError, match="size mismatch"):
        factory(16, 32).load_state_dict(factory(16, 16).state_dict())


def test_conversion_moves_every_parameter(factory: Factory) -> None:
    layer = factory(16, 32).to(torch.float64)
    assert {parameter.dtype for parameter in layer.parameters()} == {torch.float64}
    assert layer(torch.randn(3, 16, dtype=torch.float64)).dtype == torch.float64


def test_reset_parameters_draws_anew_within_the_bound(factory: Factory) -> None:
    layer = factory(16, 32)
    before = [parameter.clone() for parameter in layer.parameters()]
    layer.reset_parameters()
    for old, new in zip(before, layer.parameters(), strict=True):
        assert not torch.equal(old, new)
        assert new.abs().max() <= 16**-0.5
    torch.manual_seed(3)
    layer.reset_parameters()
    first = [parameter.clone() for parameter in layer.parameters()]
    torch.manual_seed(3)
    layer.reset_parameters()
    assert all(torch.equal(old, new) for old, new in zip(first, layer.parameters(), strict=True))


def test_training_reduces_the_loss(factory: Factory) -> None:
    torch.manual_seed(0)
    layer = factory(16, 32)
    x = torch.randn(64, 16)
    target = torch.randn(64, 32)
    optimizer = torch.optim.Adam(layer.parameters(), lr=1e-2)
    losses = []
    for _ in range(50):
        optimizer.zero_grad()
        loss = (layer(x) - target).square().mean()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.95 * losses[0]


def test_repr_names_the_sizes(factory: Factory) -> None:
    assert "in_features=16, out_features=32, bias=True" in repr(factory(16, 32))
