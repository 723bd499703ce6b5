from __future__ import annotations

import itertools

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from dyad_core.bench import BenchmarkSpec
from dyad_core.bench.candidates import build, plans
from dyad_core.bench.memory import allocated_peak, measure_memory, peak_of
from dyad_core.bench.passes import operands

CPU = torch.device("cpu")
KB = 1000


def test_peak_of_a_known_pattern_is_exact() -> None:
    def pattern() -> torch.Tensor:
        a = torch.empty(400 * KB, dtype=torch.uint8)
        b = torch.empty(300 * KB, dtype=torch.uint8)
        del a
        c = torch.empty(350 * KB, dtype=torch.uint8)  # 650: below the 700 of a and b
        del b
        d = torch.empty(200 * KB, dtype=torch.uint8)
        del c
        return d

    assert allocated_peak(pattern, CPU) == 700 * KB


def test_what_is_returned_is_still_held_at_the_end() -> None:
    assert allocated_peak(lambda: [torch.empty(KB, dtype=torch.uint8) for _ in range(5)], CPU) == 5 * KB
    assert allocated_peak(lambda: [len(torch.empty(KB, dtype=torch.uint8)) for _ in range(5)], CPU) == KB


def test_what_was_there_before_does_not_count() -> None:
    before = torch.zeros(100 * KB, dtype=torch.uint8)
    assert allocated_peak(lambda: before.add_(1), CPU) < KB
    assert allocated_peak(lambda: None, CPU) == 0


@given(st.lists(st.integers(-1000, 1000)))
def test_peak_is_the_largest_running_sum(changes: list[int]) -> None:
    assert peak_of(changes) == max(0, *itertools.accumulate(changes, initial=0))


def test_memory_of_a_dense_forward_is_its_output() -> None:
    spec = BenchmarkSpec(64, 128, tokens=100)
    found = measure_memory(nn.Linear(64, 128), operands(spec, "forward"))
    assert found.parameters_bytes == 4 * (64 * 128 + 128)
    assert found.inputs_bytes == 4 * 100 * 64
    assert found.gradients_bytes == 0
    assert found.allocated_peak_bytes == 4 * 100 * 128
    assert found.peak_bytes == found.parameters_bytes + found.inputs_bytes + found.allocated_peak_bytes
    assert "profiler" in found.method


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_memory_of_a_training_step_counts_gradients(dtype: str) -> None:
    spec = BenchmarkSpec(64, 128, tokens=100, n_blocks=[4], variants=["it"], dtype=dtype)
    fed = operands(spec, "train_step")
    size = fed.input.element_size()
    for plan in plans(spec):
        module = build(plan, spec)
        found = measure_memory(module, fed)
        parameters = sum(parameter.numel() for parameter in module.parameters())
        assert found.parameters_bytes == size * parameters
        assert found.inputs_bytes == size * 100 * (64 + 128)
        assert found.gradients_bytes == size * (parameters + 100 * 64)
        assert found.allocated_peak_bytes >= found.gradients_bytes
        assert all(parameter.grad is None for parameter in module.parameters())


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_cuda_memory_of_a_dense_forward_is_its_output() -> None:
    spec = BenchmarkSpec(64, 128, tokens=128, device="cuda:0")
    fed = operands(spec, "forward")
    module = build(plans(spec)[0], spec)
    measure_memory(module, fed)  # the first call also allocates the library's workspace
    found = measure_memory(module, fed)
    assert found.allocated_peak_bytes == 4 * 128 * 128
