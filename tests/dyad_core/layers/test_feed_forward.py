"""``DyadFeedForward`` against two dense layers with the same weights."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from dyad_core import DyadFeedForward, DyadLinear, SpecError
from dyad_core.layers import feed_forward as layer_module


@pytest.mark.parametrize("activation", ["relu", "gelu", "silu"])
@pytest.mark.parametrize("variant", ["it", ("ot", "it"), "dt", "bd"])
def test_equals_two_dense_layers(variant: object, activation: str) -> None:
    module = DyadFeedForward(16, 64, n_blocks=4, variant=variant, activation=activation, dtype=torch.float64)
    x = torch.randn(2, 5, 16, dtype=torch.float64)
    hidden = getattr(F, activation)(F.linear(x, module.fc1.to_dense(), module.fc1.bias))
    torch.testing.assert_close(module(x), F.linear(hidden, module.fc2.to_dense(), module.fc2.bias))


def test_settings_reach_both_layers() -> None:
    module = DyadFeedForward(
        16,
        64,
        bias=False,
        dtype=torch.float64,
        n_blocks=2,
        variant=("ot", "it"),
        grain=2,
        init="variance_preserving",
        implementation="reference",
    )
    assert (module.features, module.hidden_features) == (16, 64)
    assert (module.fc1.variant, module.fc2.variant) == ("ot", "it")
    for layer in (module.fc1, module.fc2):
        assert isinstance(layer, DyadLinear)
        assert (layer.n_blocks, layer.grain, layer.init, layer.implementation) == (
            2,
            2,
            "variance_preserving",
            "reference",
        )
        assert layer.bias is None
        assert layer.weight_blockdiag.dtype == torch.float64
    before = module.fc2.weight_blocktrans.clone()
    module.reset_parameters()
    assert not torch.equal(before, module.fc2.weight_blocktrans)
    assert "activation='relu'" in repr(module)


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        ({"activation": "tanh"}, "activation"),
        ({"variant": ("it",)}, "variant"),
        ({"variant": 3}, "variant"),
        ({"variant": ("it", "no")}, "variant"),
        ({"n_blocks": 3}, "in_features"),
    ],
)
def test_wrong_arguments(arguments: dict, field: str) -> None:
    with pytest.raises(SpecError) as caught:
        DyadFeedForward(16, 64, **arguments)
    assert field in {problem.field for problem in caught.value.problems}


def planned(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The number of tokens of every call of the planned form from here on."""
    seen: list[int] = []
    compute = layer_module.feed_forward
    monkeypatch.setattr(layer_module, "feed_forward", lambda x, *rest: seen.append(x.shape[0]) or compute(x, *rest))
    return seen


@pytest.mark.parametrize("variant", ["it", ("ot", "it"), "dt", "bd"])
def test_many_tokens_are_computed_as_one_function(monkeypatch: pytest.MonkeyPatch, variant: object) -> None:
    seen = planned(monkeypatch)
    module = DyadFeedForward(16, 64, n_blocks=4, variant=variant, dtype=torch.float64, implementation="eager")
    x = torch.randn(2, 20, 16, dtype=torch.float64)
    hidden = F.relu(F.linear(x, module.fc1.to_dense(), module.fc1.bias))
    torch.testing.assert_close(module(x), F.linear(hidden, module.fc2.to_dense(), module.fc2.bias))
    torch.testing.assert_close(module(x.transpose(0, 1)), module(x).transpose(0, 1))
    assert seen == [40, 40, 40]
    module(x[0])
    assert len(seen) == 3, "a few tokens are not worth it"


def test_whatever_looks_into_the_layers_is_served_layer_by_layer(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = planned(monkeypatch)
    x = torch.randn(64, 16)
    heard: list[str] = []
    hooked = DyadFeedForward(16, 64, implementation="eager")
    handle = hooked.fc1.register_forward_hook(lambda *_: heard.append("fc1"))
    expected = hooked(x)
    assert heard == ["fc1"]
    assert not seen
    handle.remove()
    torch.testing.assert_close(hooked(x), expected)
    assert seen == [64]

    replaced = DyadFeedForward(16, 64, implementation="eager")
    replaced.fc2 = torch.nn.Linear(64, 16)
    torch.testing.assert_close(replaced(x), replaced.fc2(F.relu(replaced.fc1(x))))
    DyadFeedForward(16, 64, implementation="concat")(x)
    with torch.autocast("cpu", torch.bfloat16):
        assert hooked(x).dtype == torch.bfloat16
    torch.func.vmap(hooked)(x.expand(3, 64, 16))
    assert seen == [64]


def test_operands_that_do_not_fit_are_refused_as_by_the_layers() -> None:
    module = DyadFeedForward(16, 64, implementation="eager")
    with pytest.raises(RuntimeError, match="dtype"):
        module(torch.randn(64, 16, dtype=torch.float64))
    with pytest.raises(RuntimeError, match="input"):
        module(torch.randn(64, 17))
