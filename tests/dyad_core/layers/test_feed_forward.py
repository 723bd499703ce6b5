"""``DyadFeedForward`` against two dense layers with the same weights."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from dyad_core import DyadFeedForward, DyadLinear, SpecError


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
