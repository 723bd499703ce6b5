"""Adding, finding and refusing implementations."""

from __future__ import annotations

import pytest
import torch

from dyad_core import ImplementationError, SpecError
from dyad_core.ops import registry
from dyad_core.ops.registry import Implementation

CPU = torch.device("cpu")


def test_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(SpecError, match=r"known: auto, .*eager.*reference"):
        registry.get("fastest")


def test_unknown_name_says_why_the_others_do_not_run_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_registered", dict(registry._registered))
    registry.register(
        Implementation("needs-a-gpu", "for the test", registry.get("eager").apply, lambda device, dtype: "needs CUDA")
    )
    for call in (lambda: registry.get("fastest"), lambda: registry.choose("fastest", CPU, torch.float64)):
        with pytest.raises(
            SpecError, match=r"known: auto, .*eager.*; not on this cpu: .*needs-a-gpu \(needs CUDA\)"
        ) as caught:
            call()
        assert "needs-a-gpu" not in str(caught.value).partition("not on this cpu")[0]


def test_auto_resolves_to_a_registered_implementation() -> None:
    assert registry.choose("auto", CPU, torch.float32).name in registry.names()
    assert "auto" not in registry.names()


def test_a_taken_name_is_refused() -> None:
    present = registry.get("eager")
    assert registry.register(present) is present
    with pytest.raises(ValueError, match="taken"):
        registry.register(Implementation("eager", "another", present.apply, lambda device, dtype: "no"))
    with pytest.raises(ValueError, match="taken"):
        registry.register(Implementation("auto", "not a name", present.apply))


def test_an_implementation_that_cannot_run_here_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_registered", dict(registry._registered))
    registry.register(
        Implementation("needs-a-gpu", "for the test", registry.get("eager").apply, lambda device, dtype: "needs CUDA")
    )
    with pytest.raises(ImplementationError, match=r"'needs-a-gpu' cannot run on cpu in torch.float32: needs CUDA"):
        registry.choose("needs-a-gpu", CPU, torch.float32)
