"""Twins share every parameter and change nothing of the original."""

from __future__ import annotations

import torch
from torch import nn

from dyad_core.models.measuring.twins import by_name, twin


def model() -> nn.Sequential:
    return nn.Sequential(nn.Sequential(nn.Linear(3, 3), nn.ReLU()), nn.Linear(3, 3))


def test_a_twin_has_other_modules_and_the_same_parameters() -> None:
    original = model()
    other = twin(original, by_name({"0.1": nn.Tanh()}))
    assert isinstance(other.get_submodule("0.1"), nn.Tanh)
    assert isinstance(original.get_submodule("0.1"), nn.ReLU)
    assert other.get_submodule("1") is original.get_submodule("1")
    assert list(other.parameters()) == list(original.parameters())
    assert [name for name, _ in other.named_parameters()] == [name for name, _ in original.named_parameters()]


def test_gradients_of_a_twin_arrive_at_the_original() -> None:
    original = model()
    twin(original, by_name({"0.1": nn.Identity()}))(torch.ones(2, 3)).sum().backward()
    assert all(parameter.grad is not None for parameter in original.parameters())


def test_nothing_exchanged_is_the_model_itself_and_the_root_can_be_exchanged() -> None:
    original, other = model(), nn.Identity()
    assert twin(original, by_name({})) is original
    assert twin(original, by_name({"": other})) is other


def test_a_module_that_is_registered_twice_is_exchanged_at_both_places() -> None:
    shared = nn.ReLU()
    original = nn.Sequential(shared, nn.Linear(2, 2), shared)
    other = twin(original, lambda _, module: nn.Tanh() if isinstance(module, nn.ReLU) else None)
    assert isinstance(other.get_submodule("2"), nn.Tanh)
    assert other.get_submodule("0") is other.get_submodule("2")


def test_a_twin_of_a_compiled_model_is_not_compiled() -> None:
    original = model()
    original.compile(backend="eager")
    other = twin(original, by_name({"0.1": nn.Identity()}))
    assert other._compiled_call_impl is None
    assert original._compiled_call_impl is not None
