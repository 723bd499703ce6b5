"""``eager`` in parts: a product over many tokens is made some tokens at a time."""

from __future__ import annotations

import pytest
import torch

from dyad_core import DyadLinear
from dyad_core.geometry import VARIANTS
from dyad_core.ops import eager


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("tokens", [1, 7, 8, 9])
def test_parts_make_the_whole(monkeypatch: pytest.MonkeyPatch, variant: str, tokens: int, bias: bool) -> None:
    layer = DyadLinear(12, 24, bias, dtype=torch.float64, n_blocks=3, variant=variant, grain=2, implementation="eager")
    x = torch.randn(tokens, 12, dtype=torch.float64, requires_grad=True)
    monkeypatch.setattr(eager, "COPIED_BYTES", 8 * 24 * 2)
    written = []
    monkeypatch.setattr(eager, "write_rows", lambda output, *rest: written.append(len(output)) or write(output, *rest))
    expected = x @ layer.to_dense().T + (layer.bias if bias else 0)
    result = layer(x)
    torch.testing.assert_close(result, expected)
    assert sum(written) == tokens
    if variant != "bd" and tokens > 4:
        assert len(written) > 1
    present = [x, *layer.parameters()]
    gradients = torch.autograd.grad(result.square().sum(), present)
    for gradient, value in zip(gradients, torch.autograd.grad(expected.square().sum(), present), strict=True):
        torch.testing.assert_close(gradient, value)


write = eager.write_rows


def test_the_copies_stay_within_the_bound() -> None:
    for variant, copied in (("it", 768), ("ot", 3072), ("dt", 3840)):
        rows = eager.rows_at_once(torch.empty(4096, 768), torch.empty(4096, 3072), variant)
        assert rows * copied * 4 <= eager.COPIED_BYTES * 1.01
        assert rows * 2 * copied * 4 > eager.COPIED_BYTES / 2
    assert eager.rows_at_once(torch.empty(4096, 768), torch.empty(4096, 3072), "bd") == 4096
    assert eager.rows_at_once(torch.empty(0, 768), torch.empty(0, 3072), "dt") == 1
    assert (
        eager.rows_at_once(torch.empty(4096, 768, device="meta"), torch.empty(4096, 3072, device="meta"), "dt") == 4096
    )
