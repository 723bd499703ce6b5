"""``compiled``: checked before it is used, refused when wrong, one form for all token counts, never at import."""

from __future__ import annotations

import copy
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest
import torch
from implementation_cases import skip_where_unavailable

from dyad_core import DyadLinear, ImplementationError
from dyad_core.ops import compiled_forms, registry

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def compiles() -> None:
    skip_where_unavailable("compiled")


@pytest.fixture
def forgetful(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No form is known before the test, and none of its forms afterwards."""
    for name in ("_compiled", "_offered", "_refused"):
        monkeypatch.setattr(compiled_forms, name, {})
    compiled_forms._missing_tools.cache_clear()
    yield
    compiled_forms._missing_tools.cache_clear()


def layer(variant: str = "dt", **kwargs: object) -> DyadLinear:
    return DyadLinear(16, 24, n_blocks=4, variant=variant, grain=2, implementation="compiled", **kwargs)


def test_importing_and_building_compile_nothing() -> None:
    script = (
        "import sys, dyad_core\n"
        "dyad_core.DyadLinear(8, 8, n_blocks=2, implementation='compiled')\n"
        "assert not {'torch._dynamo', 'torch._inductor'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True, timeout=120)


def test_a_wrong_forward_is_refused_with_figures_and_stays_refused(
    forgetful: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = compiled_forms.linear_plain
    calls = []

    def wrong(*operands: object) -> torch.Tensor:
        calls.append(1)
        return 1.001 * right(*operands)

    monkeypatch.setattr(compiled_forms, "linear_plain", wrong)
    pattern = r"wrong values here, for 16 → 24, variant 'dt', n_blocks=4, grain=2, torch.float32 on cpu at 3 tokens: "
    pattern += r"the output is off by 0.001 of its largest value; \S+e-0\d is allowed"
    module, x = layer(), torch.randn(3, 16)
    with pytest.raises(ImplementationError, match=pattern):
        module(x)
    compiles = len(calls)
    with pytest.raises(ImplementationError, match=pattern):
        module(x)
    assert len(calls) == compiles


@pytest.mark.parametrize("place", range(3))
def test_a_wrong_gradient_is_refused_with_figures(forgetful: None, monkeypatch: pytest.MonkeyPatch, place: int) -> None:
    right = compiled_forms.gradients

    def wrong(*arguments: object) -> list[torch.Tensor | None]:
        found = right(*arguments)
        found[place] = found[place] * 1.01
        return found

    monkeypatch.setattr(compiled_forms, "gradients", wrong)
    result = layer()(torch.randn(3, 16, requires_grad=True))
    name = ("input gradient", "gradient of weight_blockdiag", "gradient of weight_blocktrans")[place]
    with pytest.raises(ImplementationError, match=f"the {name} is off by 0.01"):
        result.sum().backward()


def test_what_fails_to_compile_is_one_clear_error(forgetful: None, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch._functorch.config as functorch
    import torch._inductor.config as inductor

    broken = inductor.patch({"cpp.cxx": (None, "no-such-compiler"), "fx_graph_cache": False})
    said = r"failed to compile for 16 → 24, .*InvalidCxxCompiler.*; use 'eager'"
    with broken, functorch.patch(enable_autograd_cache=False), pytest.raises(ImplementationError, match=said):
        layer()(torch.randn(3, 16))
    layer()(torch.randn(3, 16))  # a failure to compile may pass: the next call tries again
    right = compiled_forms.gradients
    monkeypatch.setattr(compiled_forms, "gradients", lambda *rest: [right(*rest)[0].item()] * 4)
    with pytest.raises(ImplementationError, match=r"failed to compile for 16 → 24, .*: Unsupported: .*; use 'eager'"):
        layer()(torch.randn(3, 16)).sum().backward()


def test_without_a_compiler_it_says_what_to_install(forgetful: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("CXX", raising=False)
    with pytest.raises(ImplementationError, match=r"needs a C\+\+ compiler .* apt-get install g\+\+"):
        layer()(torch.randn(3, 16))


def test_switched_off_compilation_is_no_implementation(forgetful: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCHDYNAMO_DISABLE", "1")
    assert "switched off" in (registry.get("compiled").unavailable(CPU, torch.float32) or "")


def test_one_form_serves_every_token_count(forgetful: None) -> None:
    module = layer()
    torch._dynamo.utils.counters.clear()
    for tokens in (5, 2, 3, 40, 17, 1, 6):
        x = torch.randn(tokens, 16, requires_grad=True)
        expected = x @ module.to_dense().T + module.bias
        torch.testing.assert_close(module(x), expected)
        module(x).sum().backward()
        with torch.no_grad():
            torch.testing.assert_close(module(x), expected)
        frozen = copy.deepcopy(module).requires_grad_(False)
        torch.testing.assert_close(frozen(x.detach()), expected)
    # Forward and backward, each for one token and for more.
    assert torch._dynamo.utils.counters["stats"]["unique_graphs"] == 4
    # Checked at each power of two that came: 1, 2–3, 4–7, 16–31, 32–63.
    assert len(compiled_forms._offered) == 2 * 5


def test_the_bias_gradient_is_summed_as_by_torch() -> None:
    # In compiled code it had 2.2 times the rounding errors of the dense layer, at these sizes.
    module, x = layer(), torch.randn(93, 16)
    upstream = torch.randn(93, 24)
    module(x).backward(upstream)
    torch.testing.assert_close(module.bias.grad, upstream.sum(0), rtol=0, atol=0)


@pytest.mark.parametrize("frozen", [None, "weight_blockdiag", "weight_blocktrans"])
@pytest.mark.parametrize(
    ("sizes", "variant"), [((6, 1, 4, 1), "ot"), ((4, 4, 1, 1), "it"), ((2, 2, 2, 2), "dt"), ((1, 2, 3, 1), "it")]
)
def test_components_of_equal_entries_have_gradients_each(
    sizes: tuple[int, ...], variant: str, frozen: str | None
) -> None:
    # Equal sums were one sum to the compiler, stored twice by a C++ variable that it declared twice in 16-bit types.
    n, block_out, block_in, grain = sizes
    module = DyadLinear(
        n * block_in,
        n * block_out,
        n_blocks=n,
        variant=variant,
        grain=grain,
        dtype=torch.bfloat16,
        implementation="compiled",
    )
    if frozen is not None:
        module.get_parameter(frozen).requires_grad_(False)
    x = torch.randn(3, n * block_in, dtype=torch.bfloat16, requires_grad=True)
    module(x).square().sum().backward()
    found = {name: parameter.grad for name, parameter in module.named_parameters() if name != frozen}
    expected = DyadLinear(
        n * block_in, n * block_out, n_blocks=n, variant=variant, grain=grain, implementation="reference"
    ).double()
    expected.load_state_dict(module.state_dict())
    expected(x.detach().double()).square().sum().backward()
    assert len({gradient.data_ptr() for gradient in found.values()}) == len(found)
    for name, gradient in found.items():
        torch.testing.assert_close(gradient.double(), expected.get_parameter(name).grad, rtol=5e-2, atol=5e-2)


def test_freezing_and_autotuning_stay_off(forgetful: None, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch._functorch.config as functorch
    import torch._inductor.config as inductor
    from torch._inductor import compile_fx

    seen = []
    inner = compile_fx._compile_fx_inner

    def spy(*args: object, **kwargs: object) -> object:
        seen.append((inductor.freezing, inductor.max_autotune, inductor.max_autotune_gemm))
        return inner(*args, **kwargs)

    monkeypatch.setattr(compile_fx, "_compile_fx_inner", spy)
    eager_to_tune = inductor.patch(freezing=True, max_autotune=True, max_autotune_gemm=True, fx_graph_cache=False)
    with eager_to_tune, functorch.patch(enable_autograd_cache=False), torch.no_grad():
        layer(dtype=torch.float64)(torch.randn(3, 16, dtype=torch.float64))
    assert seen
    assert set(seen) == {(False, False, False)}


def test_threads_share_one_form(forgetful: None) -> None:
    module, x = layer(variant="it"), torch.randn(9, 16)
    expected = (x @ module.to_dense().T + module.bias).detach()
    results: list[torch.Tensor] = []

    def call() -> None:
        with torch.no_grad():
            results.extend(module(x) for _ in range(5))

    threads = [threading.Thread(target=call) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 20
    for result in results:
        torch.testing.assert_close(result, expected)
    assert len(compiled_forms._compiled) == 1


def test_inference_mode_and_counters_that_watch_the_operations() -> None:
    from torch.utils.flop_counter import FlopCounterMode

    module, x = layer(), torch.randn(3, 16)
    expected = module(x)
    with torch.inference_mode():
        torch.testing.assert_close(module(torch.clone(x)), expected)
    with FlopCounterMode(display=False) as counter:
        torch.testing.assert_close(module(x), expected)
    assert counter.get_total_flops() == module.geometry.flops(3)
