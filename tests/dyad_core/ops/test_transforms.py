"""Every registered implementation under torch.compile, torch.export and torch.func, over drawn cases."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from implementation_cases import examples, skip_where_unavailable
from strategies import geometries

from dyad_core import DyadGeometry, DyadLinear
from dyad_core.ops import registry


@pytest.fixture(params=registry.names())
def implementation(request: pytest.FixtureRequest) -> str:
    skip_where_unavailable(request.param)
    return str(request.param)


def build(geometry: DyadGeometry, implementation: str, *, bias: bool = True) -> DyadLinear:
    return DyadLinear(
        geometry.in_features,
        geometry.out_features,
        bias,
        n_blocks=geometry.n_blocks,
        variant=geometry.variant,
        grain=geometry.grain,
        implementation=implementation,
    )


def test_compiles_without_a_graph_break_and_trains(implementation: str) -> None:
    @examples(implementation, 2)
    @given(geometries(max_blocks=4), st.integers(2, 5), st.booleans())
    def holds(geometry: DyadGeometry, tokens: int, bias: bool) -> None:
        torch.compiler.reset()
        layer = build(geometry, implementation, bias=bias)
        compiled = torch.compile(layer, fullgraph=True, backend="aot_eager")
        for rows in (tokens, 1, tokens + 1):
            x = torch.randn(rows, geometry.in_features, requires_grad=True)
            present = [x, *layer.parameters()]
            result, expected = compiled(x), layer(x)
            torch.testing.assert_close(result, expected)
            gradients = torch.autograd.grad(result.square().sum(), present)
            torch.testing.assert_close(gradients, torch.autograd.grad(expected.square().sum(), present))

    holds()


def test_exports_with_any_number_of_tokens(implementation: str) -> None:
    @examples(implementation, 3)
    @given(geometries(max_blocks=4), st.booleans())
    def holds(geometry: DyadGeometry, bias: bool) -> None:
        layer = build(geometry, implementation, bias=bias)
        x = torch.randn(3, geometry.in_features)
        exported = torch.export.export(layer, (x,), dynamic_shapes=({0: torch.export.Dim("tokens")},)).module()
        for rows in (3, 2, 7):
            x = torch.randn(rows, geometry.in_features)
            torch.testing.assert_close(exported(x), layer(x))

    holds()


def test_maps_over_inputs_and_over_weights(implementation: str) -> None:
    @examples(implementation, 6)
    @given(geometries(max_blocks=4), st.booleans())
    def holds(geometry: DyadGeometry, bias: bool) -> None:
        layers = [build(geometry, implementation, bias=bias) for _ in range(3)]
        x = torch.randn(3, 5, geometry.in_features)
        torch.testing.assert_close(torch.func.vmap(layers[0])(x), layers[0](x))
        stacked, _ = torch.func.stack_module_state(layers)  # type: ignore[arg-type] # a list of modules

        def call(parameters: dict[str, torch.Tensor], value: torch.Tensor) -> torch.Tensor:
            return torch.func.functional_call(layers[0], parameters, (value,))

        ensemble = torch.func.vmap(call, in_dims=(0, None))(stacked, x[0])
        torch.testing.assert_close(ensemble, torch.stack([layer(x[0]) for layer in layers]))
        both = torch.func.vmap(call)(stacked, x)
        torch.testing.assert_close(both, torch.stack([layer(row) for layer, row in zip(layers, x, strict=True)]))
        # Gradients of one sample each, as differentially private training takes them.
        per_sample = torch.func.vmap(torch.func.grad(lambda p, v: call(p, v).square().sum()), in_dims=(None, 0))
        gradients = per_sample({name: value.detach() for name, value in layers[0].named_parameters()}, x)
        expected = torch.autograd.grad(layers[0](x[1]).square().sum(), layers[0].weight_blockdiag)[0]
        torch.testing.assert_close(gradients["weight_blockdiag"][1], expected)

    holds()


def test_reverse_over_reverse_in_torch_func(implementation: str) -> None:
    layer = build(DyadGeometry(6, 8, 2, "it"), implementation)
    x = torch.randn(3, 6)
    parameters = {name: value.detach() for name, value in layer.named_parameters()}

    def loss(weight: torch.Tensor) -> torch.Tensor:
        values = {**parameters, "weight_blockdiag": weight}
        return torch.func.functional_call(layer, values, (x,)).pow(3).sum()

    weight = parameters["weight_blockdiag"]
    direction = torch.randn_like(weight)
    second = torch.func.grad(lambda w: (torch.func.grad(loss)(w) * direction).sum())(weight)
    step = 1e-2 * direction
    slope = torch.func.grad(loss)
    torch.testing.assert_close(second, (slope(weight + step) - slope(weight - step)) / 2e-2, rtol=2e-2, atol=2e-2)


def test_forward_mode_works_or_says_that_it_does_not(implementation: str) -> None:
    layer = build(DyadGeometry(6, 8, 2, "dt"), implementation)
    x, direction = torch.randn(2, 3, 6)
    try:
        _, tangent = torch.func.jvp(layer, (x,), (direction,))
    except RuntimeError as error:
        assert "forward" in str(error) or "jvp" in str(error)  # noqa: PT017 - either of two outcomes is right
    else:
        torch.testing.assert_close(tangent, direction @ layer.to_dense().T)
