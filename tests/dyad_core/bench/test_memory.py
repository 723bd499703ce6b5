from __future__ import annotations

import itertools

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from dyad_core.bench import BenchmarkSpec, MemoryUse
from dyad_core.bench.candidates import build, plans
from dyad_core.bench.memory import allocated_peak, measure_memory, peak_of, saved_activations_bytes, storages
from dyad_core.bench.passes import operands, run_pass

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


def split_of(found: MemoryUse) -> tuple[int | None, ...]:
    return found.outputs_bytes, found.saved_activations_bytes, found.optimizer_state_bytes, found.temporaries_bytes


def test_a_dense_forward_is_all_output() -> None:
    spec = BenchmarkSpec(64, 128, tokens=100)
    assert split_of(measure_memory(nn.Linear(64, 128), operands(spec, "forward"))) == (4 * 100 * 128, 0, 0, 0)


@pytest.mark.parametrize(
    ("variant", "saved", "temporary"), [("it", 0, 64), ("ot", 0, 128), ("dt", 0, 64 + 128), ("bd", 0, 0)]
)
def test_a_linear_saves_no_more_than_its_dense_twin_and_copies_its_interleaved_sides(
    variant: str, saved: int, temporary: int
) -> None:
    spec = BenchmarkSpec(64, 128, tokens=100, n_blocks=[4], variants=[variant], implementations=["eager"])
    fed = operands(spec, "train_step")
    dense, dyad = (measure_memory(build(plan, spec), fed) for plan in plans(spec))
    assert split_of(dense) == (4 * 100 * 128, 0, 0, 0)
    assert split_of(dyad) == (4 * 100 * 128, saved, 0, 4 * 100 * temporary)


@pytest.mark.parametrize(("variant", "gathered"), [("it", 1), ("ot", 0), ("dt", 1), ("bd", 0)])
def test_a_feed_forward_saves_its_hidden_activation_and_one_gathered_copy_of_the_narrow_side(
    variant: str, gathered: int
) -> None:
    spec = BenchmarkSpec(
        64, 256, module="feed_forward", tokens=100, n_blocks=[4], variants=[variant], implementations=["eager"]
    )
    fed = operands(spec, "train_step")
    dense, dyad = (measure_memory(build(plan, spec), fed) for plan in plans(spec))
    assert dense.saved_activations_bytes == 4 * 100 * 256
    assert dyad.saved_activations_bytes == 4 * 100 * (256 + gathered * 64)


def test_a_saved_storage_counts_once_and_the_output_is_no_saved_activation() -> None:
    weight = torch.ones(100, requires_grad=True)

    def call() -> torch.Tensor:
        hidden = weight.exp()  # saves its result
        product = hidden.view(10, 10) * hidden.view(10, 10).T  # two views of it
        return product.sigmoid()  # saves its result, which is the output

    held = storages([weight])
    assert saved_activations_bytes(call, held) == 4 * 100


def test_the_optimizers_state_is_part_of_the_peak() -> None:
    spec = BenchmarkSpec(64, 128, tokens=100)
    fed, module = operands(spec, "train_step"), nn.Linear(64, 128)
    without = measure_memory(module, fed)
    optimizer = torch.optim.AdamW(module.parameters(), lr=0.0)
    assert measure_memory(module, fed, optimizer=optimizer).optimizer_state_bytes == 0

    def step() -> torch.Tensor:
        output = run_pass(module, fed)
        optimizer.step()
        return output

    step()
    found = measure_memory(module, fed, run=step, optimizer=optimizer)
    # Two moments each, and one step counter of a single float32 for each of the two parameters.
    assert found.optimizer_state_bytes == 2 * found.parameters_bytes + 2 * 4
    assert found.peak_bytes >= without.peak_bytes + found.optimizer_state_bytes
    assert found.gradients_bytes == without.gradients_bytes
    assert fed.input.grad is None


def test_gradients_of_a_call_before_do_not_make_it_cheaper() -> None:
    spec = BenchmarkSpec(64, 128, tokens=100)
    fed, module = operands(spec, "train_step"), nn.Linear(64, 128)
    first = measure_memory(module, fed)
    run_pass(module, fed)
    assert measure_memory(module, fed) == first


def test_a_run_that_raises_leaves_no_gradients() -> None:
    spec = BenchmarkSpec(64, 128, tokens=100)
    fed, module = operands(spec, "train_step"), nn.Linear(64, 128)

    def step() -> torch.Tensor:
        run_pass(module, fed)
        raise RuntimeError("on purpose")

    with pytest.raises(RuntimeError, match="on purpose"):
        measure_memory(module, fed, run=step)
    assert all(parameter.grad is None for parameter in module.parameters())
