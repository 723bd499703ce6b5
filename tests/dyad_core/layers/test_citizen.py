"""Layer and feed-forward as citizens of PyTorch: compile, export, autocast, empty input, derivatives, wrong operands."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from dyad_core import DyadFeedForward, DyadLinear
from dyad_core.geometry import VARIANTS

MODULES = {
    **{
        f"linear-{variant}": lambda variant=variant, **kw: DyadLinear(16, 24, variant=variant, **kw)
        for variant in VARIANTS
    },
    "feed-forward-it": lambda **kw: DyadFeedForward(16, 32, variant="it", activation="gelu", **kw),
    "feed-forward-dt": lambda **kw: DyadFeedForward(16, 32, variant="dt", activation="silu", **kw),
    "feed-forward-ot-it": lambda **kw: DyadFeedForward(16, 32, variant=("ot", "it"), activation="relu", **kw),
}


@pytest.fixture(params=MODULES)
def name(request: pytest.FixtureRequest) -> str:
    torch.manual_seed(0)
    torch.compiler.reset()
    return str(request.param)


def dense(module: nn.Module) -> nn.Module:
    """The dense twin, with the same weights."""
    if isinstance(module, DyadLinear):
        twin = nn.Linear(module.in_features, module.out_features, dtype=module.weight_blockdiag.dtype)
        with torch.no_grad():
            twin.weight.copy_(module.to_dense())
            twin.bias.copy_(module.bias)
        return twin
    activation = {"relu": nn.ReLU, "gelu": nn.GELU, "silu": nn.SiLU}[module.activation]
    return nn.Sequential(dense(module.fc1), activation(), dense(module.fc2))


def gradients(module: nn.Module, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
    return torch.autograd.grad(module(x).square().sum(), [x, *module.parameters()])


def test_compiles_whole_for_inference_and_training(name: str) -> None:
    module = MODULES[name](dtype=torch.float64)
    compiled = torch.compile(module, fullgraph=True, backend="aot_eager")
    for shape in ((2, 3, 16), (2, 5, 16)):
        x = torch.randn(shape, dtype=torch.float64, requires_grad=True)
        with torch.no_grad():
            torch.testing.assert_close(compiled(x), module(x))
        torch.testing.assert_close(gradients(compiled, x), gradients(module, x))


def test_has_no_graph_break(name: str) -> None:
    explained = torch._dynamo.explain(MODULES[name]())(torch.randn(5, 16))
    assert (explained.graph_count, explained.graph_break_count) == (1, 0)


def test_the_default_compiler_trains_it_with_an_optimizer_step() -> None:
    torch.compiler.reset()
    module = DyadFeedForward(16, 32, variant="dt")
    twin = DyadFeedForward(16, 32, variant="dt")
    twin.load_state_dict(module.state_dict())
    compiled = torch.compile(module, fullgraph=True)
    optimizers = [torch.optim.SGD(one.parameters(), lr=0.1) for one in (module, twin)]
    for _ in range(3):
        x = torch.randn(6, 16)
        for run, optimizer in zip((compiled, twin), optimizers, strict=True):
            optimizer.zero_grad()
            run(x).square().mean().backward()
            optimizer.step()
    for ours, expected in zip(module.parameters(), twin.parameters(), strict=True):
        torch.testing.assert_close(ours, expected)


@pytest.mark.parametrize("strict", [False, True])
def test_exports_with_dynamic_tokens(name: str, strict: bool) -> None:
    module, x = MODULES[name](), torch.randn(2, 3, 16)
    sizes = {0: torch.export.Dim("batch"), 1: torch.export.Dim("tokens")}
    program = torch.export.export(module, (x,), dynamic_shapes=(sizes,), strict=strict)
    assert set(program.state_dict) == set(module.state_dict())
    for shape in ((2, 3, 16), (4, 7, 16)):
        x = torch.randn(shape)
        torch.testing.assert_close(program.module()(x), module(x))
    # Also no scope without gradients, as strict tracing leaves around an autograd function.
    targets = {str(node.target) for node in program.graph.nodes if node.op == "call_function"}
    assert all(target.startswith("aten.") or "sym_size" in target or "getitem" in target for target in targets), targets


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_autocast_gives_the_dtypes_of_the_dense_twin(name: str, dtype: torch.dtype) -> None:
    module = MODULES[name]()
    twin = dense(module)
    x = torch.randn(5, 16, requires_grad=True)
    results = []
    for one in (module, twin):
        with torch.autocast("cpu", dtype=dtype):
            result = one(x)
            half = one(x.to(dtype))
        assert half.dtype == dtype
        grads = torch.autograd.grad(result.float().square().sum(), [x, *one.parameters()])
        results.append((result, grads[0]))
        assert {grad.dtype for grad in grads} == {torch.float32}
    (ours, ours_grad), (expected, expected_grad) = results
    assert ours.dtype == expected.dtype == dtype
    torch.testing.assert_close(ours, expected, rtol=5e-2, atol=5e-2)
    torch.testing.assert_close(ours_grad, expected_grad, rtol=1e-1, atol=1e-1)
    with torch.autocast("cpu", dtype=dtype, enabled=False):
        assert module(x).dtype == torch.float32


def test_autocast_leaves_float64_to_linear_alike() -> None:
    x = torch.randn(5, 16, dtype=torch.float64)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        dtypes = {layer(x).dtype for layer in (nn.Linear(16, 24).double(), DyadLinear(16, 24).double())}
    assert len(dtypes) == 1


@pytest.mark.parametrize("shape", [(0, 16), (2, 0, 16), (0, 3, 16), (16,)])
def test_empty_input_and_no_leading_dimension_train(name: str, shape: tuple[int, ...]) -> None:
    module = MODULES[name]()
    twin = dense(module)
    x = torch.randn(shape, requires_grad=True)
    result = module(x)
    torch.testing.assert_close(result, twin(x))
    result.sum().backward()
    assert x.grad is not None
    assert x.grad.shape == shape
    for parameter in module.parameters():
        assert parameter.grad is not None
        assert shape == (16,) or not parameter.grad.count_nonzero()


def test_strided_input_gives_the_same(name: str) -> None:
    module = MODULES[name](dtype=torch.float64)
    whole = torch.randn(16, 3, 4, dtype=torch.float64)
    for strided in (
        whole.permute(2, 1, 0),
        whole.permute(1, 2, 0)[::2],
        whole[:, :1, :1].expand(16, 3, 4).permute(2, 1, 0),
    ):
        x = strided.detach().requires_grad_()
        copy = strided.detach().contiguous().requires_grad_()
        torch.testing.assert_close(module(x), module(copy))
        torch.testing.assert_close(gradients(module, x), gradients(module, copy))


def test_differentiates_twice(name: str) -> None:
    module = MODULES[name](dtype=torch.float64)
    x = torch.randn(3, 16, dtype=torch.float64, requires_grad=True)

    def penalty(one: nn.Module) -> tuple[torch.Tensor, ...]:
        (gradient,) = torch.autograd.grad(one(x).pow(3).sum(), x, create_graph=True)
        return torch.autograd.grad(gradient.square().sum(), [x, *one.parameters()], allow_unused=True)

    ours, expected = penalty(module), penalty(dense(module))
    torch.testing.assert_close(ours[0], expected[0])
    assert ours[1] is not None


@pytest.mark.parametrize("reentrant", [False, True])
def test_activation_checkpointing_gives_the_same_gradients(name: str, reentrant: bool) -> None:
    module = MODULES[name](dtype=torch.float64)
    x = torch.randn(3, 16, dtype=torch.float64, requires_grad=True)
    result = checkpoint(module, x, use_reentrant=reentrant)
    result.square().sum().backward()
    for parameter, expected in zip([x, *module.parameters()], gradients(module, x), strict=True):
        torch.testing.assert_close(parameter.grad, expected)


def test_functional_call_with_other_weights_and_per_sample_gradients(name: str) -> None:
    module, other = MODULES[name](), MODULES[name]()
    x = torch.randn(4, 16)
    called = torch.func.functional_call(module, dict(other.named_parameters()), (x,))
    torch.testing.assert_close(called, other(x))
    parameters = {key: value.detach() for key, value in module.named_parameters()}

    def loss(values: dict[str, torch.Tensor], sample: torch.Tensor) -> torch.Tensor:
        return torch.func.functional_call(module, values, (sample,)).square().sum()

    each = torch.func.vmap(torch.func.grad(loss), in_dims=(None, 0))(parameters, x)
    whole = torch.func.grad(lambda values: loss(values, x))(parameters)
    for key, value in whole.items():
        torch.testing.assert_close(each[key].sum(0), value, rtol=1e-4, atol=1e-5)


def test_forward_mode_of_input_and_parameters(name: str) -> None:
    module, (x, direction) = MODULES[name](), torch.randn(2, 3, 16)
    found = torch.func.jvp(module, (x,), (direction,))
    torch.testing.assert_close(found, torch.func.jvp(dense(module), (x,), (direction,)), rtol=1e-4, atol=1e-5)
    parameters = {key: value.detach() for key, value in module.named_parameters()}

    def call(values: dict[str, torch.Tensor]) -> torch.Tensor:
        return torch.func.functional_call(module, values, (x,))

    _, tangent = torch.func.jvp(call, (parameters,), (parameters,))
    along = {key: value.mul(1 + 1e-3) for key, value in parameters.items()}
    torch.testing.assert_close((call(along) - call(parameters)) / 1e-3, tangent, rtol=2e-2, atol=2e-2)


@pytest.mark.parametrize("strict", [False, True])
def test_an_exported_program_trains_as_its_module(name: str, strict: bool) -> None:
    module, x = MODULES[name](dtype=torch.float64), torch.randn(5, 16, dtype=torch.float64)
    program = torch.export.export(module, (x,), strict=strict).module()
    assert [key for key, _ in program.named_parameters()] == [key for key, _ in module.named_parameters()]
    x.requires_grad_()
    torch.testing.assert_close(gradients(program, x), gradients(module, x))


@pytest.mark.parametrize(
    "value",
    [
        torch.randn(3, 16, dtype=torch.float64),
        torch.randn(3, 16, dtype=torch.bfloat16),
        torch.ones(3, 16, dtype=torch.int64),
        torch.ones(3, 16, dtype=torch.bool),
        torch.randn(3, 16, device="meta"),
        torch.randn(3, 15),
    ],
    ids=["float64", "bfloat16", "int64", "bool", "meta", "width"],
)
def test_wrong_operands_raise_what_the_dense_twin_raises(name: str, value: torch.Tensor) -> None:
    module = MODULES[name]()
    with pytest.raises(Exception) as expected:  # noqa: PT011 - whatever nn.Linear raises is the measure
        dense(module)(value)
    with pytest.raises(type(expected.value), match=r"."):
        module(value)


def test_meta_device_and_to_empty(name: str) -> None:
    module = MODULES[name](device="meta")
    assert module(torch.empty(5, 16, device="meta")).is_meta
    filled = module.to_empty(device="cpu")
    filled.reset_parameters()
    assert torch.isfinite(filled(torch.randn(5, 16))).all()
    with torch._subclasses.FakeTensorMode() as mode:
        fake = MODULES[name]()
        assert fake(mode.from_tensor(torch.randn(5, 16))).shape[0] == 5
