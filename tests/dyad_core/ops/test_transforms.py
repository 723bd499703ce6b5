"""Every registered implementation under torch.compile, torch.export and torch.func, over drawn cases."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from implementation_cases import apply, examples, operands, skip_where_unavailable
from strategies import geometries
from torch.autograd import forward_ad
from torch.utils import _pytree as pytree

from dyad_core import DyadGeometry, DyadLinear
from dyad_core.geometry import VARIANTS
from dyad_core.ops import registry

OWN_RULES = ["eager", "compiled"]  # autograd functions of ours; the others are torch's operations with torch's rules
NAMES = ("input", "weight_blockdiag", "weight_blocktrans", "bias")


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


def drawn(geometry: DyadGeometry, tokens: int, *, bias: bool = True, seed: int = 0) -> dict[str, torch.Tensor]:
    """Operands by name, without graphs and without those that are None."""
    tensors = operands(geometry, tokens, torch.float64, bias=bias, seed=seed)
    return {name: tensor.detach() for name, tensor in zip(NAMES, tensors, strict=True) if tensor is not None}


def layer(implementation: str, geometry: DyadGeometry) -> Callable[[dict[str, Any]], torch.Tensor]:
    return lambda tensors: apply(implementation, geometry, [tensors.get(name) for name in NAMES])


def test_forward_mode_of_every_operand_at_once(implementation: str) -> None:
    @examples(implementation, 25)
    @given(geometries(), st.integers(0, 4), st.booleans())
    def holds(geometry: DyadGeometry, tokens: int, bias: bool) -> None:
        at, along = (drawn(geometry, tokens, bias=bias, seed=seed) for seed in (0, 1))
        found = torch.func.jvp(layer(implementation, geometry), (at,), (along,))
        torch.testing.assert_close(found, torch.func.jvp(layer("reference", geometry), (at,), (along,)))

    holds()


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("implementation", OWN_RULES)
def test_forward_mode_of_any_subset_with_duals_and_gradients_through_it(implementation: str, variant: str) -> None:
    skip_where_unavailable(implementation, torch.float64)
    geometry = DyadGeometry(12, 18, 3, variant, 2)
    at, along = (drawn(geometry, 3, seed=seed) for seed in (0, 1))
    for subset in range(1, 2 ** len(at)):
        found = []
        for name in (implementation, "reference"):
            primals = {key: value.clone().requires_grad_() for key, value in at.items()}
            with forward_ad.dual_level():
                duals = {
                    key: forward_ad.make_dual(value, along[key]) if subset >> place & 1 else value
                    for place, (key, value) in enumerate(primals.items())
                }
                output = forward_ad.unpack_dual(layer(name, geometry)(duals))
                slopes = torch.autograd.grad((output.primal * output.tangent).sum(), list(primals.values()))
            found.append((output.primal, output.tangent, slopes))
        torch.testing.assert_close(*found)


def transforms(
    call: Callable[[dict[str, Any]], torch.Tensor], at: dict[str, torch.Tensor], along: dict[str, torch.Tensor]
) -> dict[str, Callable[[], Any]]:
    """Ways in which torch.func combines derivatives and batches of one layer."""

    def loss(tensors: dict[str, Any]) -> torch.Tensor:
        return call(tensors).pow(3).sum()

    def of_input(value: torch.Tensor) -> torch.Tensor:
        return call({**at, "input": value})

    def slope(tensors: dict[str, Any]) -> torch.Tensor:
        return torch.func.jvp(loss, (tensors,), (along,))[1]

    stacked = {name: torch.stack((at[name], along[name])) for name in at}
    return {
        "jacfwd": lambda: torch.func.jacfwd(call)(at),
        "jacfwd of the input": lambda: torch.func.jacfwd(of_input)(at["input"]),
        "jacrev": lambda: torch.func.jacrev(call)(at),
        "hessian": lambda: torch.func.hessian(loss)(at),
        "hessian of the input": lambda: torch.func.hessian(lambda x: of_input(x).pow(3).sum())(at["input"]),
        # With a rule of our own torch would drop the mixed terms (pytorch/pytorch#197867).
        "jvp of jvp": lambda: torch.func.jvp(slope, (at,), (along,)),
        "grad of jvp": lambda: torch.func.grad(slope)(at),
        "jvp of vmap": lambda: torch.func.jvp(torch.func.vmap(call), (stacked,), (stacked,)),
        "grad of vmap": lambda: torch.func.grad(lambda s: torch.func.vmap(loss)(s).sum())(stacked),
        "vmap of grad": lambda: torch.func.vmap(torch.func.grad(loss))(stacked),
    }


SETTINGS = [DyadGeometry(4, 8, 2, "it"), DyadGeometry(8, 4, 2, "dt", 2), DyadGeometry(6, 6, 3, "ot")]


@pytest.mark.parametrize("geometry", SETTINGS, ids=lambda geometry: geometry.variant)
def test_transforms_of_transforms(implementation: str, geometry: DyadGeometry) -> None:
    at, along = (drawn(geometry, 2, seed=seed) for seed in (0, 1))
    ours = transforms(layer(implementation, geometry), at, along)
    for name, expected in transforms(layer("reference", geometry), at, along).items():
        torch.testing.assert_close(ours[name](), expected(), msg=lambda said, name=name: f"{name}: {said}")


# Operands that are constants of the derivative become attributes of torch's graph (torch 2.13).
@pytest.mark.filterwarnings("ignore:Attempted to insert a get_attr Node:UserWarning")
@pytest.mark.parametrize("geometry", SETTINGS, ids=lambda geometry: geometry.variant)
def test_linearised_once_it_serves_any_direction(implementation: str, geometry: DyadGeometry) -> None:
    # It folds constants: fresh memory that is written into afterwards would be one of them.
    at, *directions = (drawn(geometry, 2, seed=seed) for seed in range(3))
    for part in ({"input"}, set(at) - {"input"}, set(at)):
        chosen = {name: at[name] for name in part}
        value, derivative = torch.func.linearize(lambda some: layer(implementation, geometry)({**at, **some}), chosen)
        for along in directions:
            tangents = {name: along[name] for name in part}
            reference = layer("reference", geometry)
            expected = torch.func.jvp(lambda some: reference({**at, **some}), (chosen,), (tangents,))  # noqa: B023 - called here
            torch.testing.assert_close((value, derivative(tangents)), expected)


@pytest.mark.parametrize("implementation", OWN_RULES)
@pytest.mark.parametrize("name", ["jacfwd", "jacrev", "hessian", "jvp of jvp", "vmap of grad", "grad of vmap"])
def test_transforms_inside_of_a_compiled_function(implementation: str, name: str) -> None:
    skip_where_unavailable(implementation, torch.float64)
    torch.compiler.reset()
    geometry = DyadGeometry(4, 8, 2, "dt", 2)
    at, along = (drawn(geometry, 2, seed=seed) for seed in (0, 1))
    ours = transforms(layer(implementation, geometry), at, along)[name]
    compiled = torch.compile(ours, fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(compiled(), transforms(layer("reference", geometry), at, along)[name]())


def test_forward_mode_of_complex_numbers() -> None:
    geometry = DyadGeometry(8, 4, 2, "ot", 2)
    at, along = (
        pytree.tree_map(lambda value: torch.complex(value, value.flip(0)), drawn(geometry, 3, seed=s)) for s in (0, 1)
    )
    found = torch.func.jvp(layer("eager", geometry), (at,), (along,))
    torch.testing.assert_close(found, torch.func.jvp(layer("reference", geometry), (at,), (along,)))
