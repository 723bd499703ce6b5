"""How much memory one call needs and what for, measured in calls of their own that are never timed.

The method follows the device: on the CPU every allocation and release that torch's allocator reports to the
profiler, summed up in time order; on CUDA the allocator's own statistics. The process's largest resident size
is of no use: it never falls, so it says nothing about the second candidate.

What forward keeps for backward is seen by torch's saved-tensor hooks in a second call. Memory is counted by storage,
each once: a view costs nothing, and a view that keeps a larger tensor alive costs all of it.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks
from torch.autograd.profiler import profile

from dyad_core.bench.passes import Operands, reset_gradients, run_pass
from dyad_core.bench.results import MemoryUse

__all__ = ["allocated_peak", "measure_memory", "saved_activations_bytes"]

CPU_METHOD = "profiler allocation events, peak of their sum (workspaces inside the BLAS library are not seen)"
CUDA_METHOD = "torch.cuda.max_memory_allocated minus memory_allocated before the call"


def measure_memory(
    module: nn.Module,
    fed: Operands,
    *,
    run: Callable[[], Tensor | list[Tensor]] | None = None,
    optimizer: torch.optim.Optimizer | None = None,
) -> MemoryUse:
    """Run one pass untimed, twice, and return what it needed. The gradients of ``module`` and input are None afterwards.

    Args:
        module: the candidate.
        fed: what it is fed; held by the caller, as the parameters and the state of the optimizer are.
        run: the pass, forward included where it ends in gradients; returns the output, or all that it hands out, and
            leaves gradients in ``.grad``. :func:`~dyad_core.bench.passes.run_pass` when not given.
        optimizer: one that has made its first step, so that its state is there; it is stepped by ``run`` or not at all.
    """
    call = run or (lambda: run_pass(module, fed))
    held = storages([*module.parameters(), *module.buffers(), fed.input, fed.grad_output])
    returned: list[Tensor] = []

    def keep() -> None:
        returned.extend(_each(call()))

    reset_gradients(module, fed)  # into one that is there a gradient would be added, not allocated
    try:
        peak = allocated_peak(keep, fed.input.device)
        gradients = [parameter.grad for parameter in module.parameters()] + [fed.input.grad]
        gradients_bytes = sum(size(gradient) for gradient in gradients)
        outputs_bytes = beyond(storages(returned), held, storages(gradients))
        returned.clear()
        reset_gradients(module, fed)
        saved_bytes = saved_activations_bytes(call, held)
    finally:
        reset_gradients(module, fed)
    parameters_bytes = sum(size(parameter) for parameter in module.parameters())
    inputs_bytes = size(fed.input) + size(fed.grad_output)
    optimizer_bytes = 0 if optimizer is None else optimizer_state_bytes(optimizer)
    return MemoryUse(
        parameters_bytes=parameters_bytes,
        inputs_bytes=inputs_bytes,
        gradients_bytes=gradients_bytes,
        allocated_peak_bytes=peak,
        peak_bytes=parameters_bytes + inputs_bytes + optimizer_bytes + peak,
        method=CUDA_METHOD if fed.input.device.type == "cuda" else CPU_METHOD,
        outputs_bytes=outputs_bytes,
        saved_activations_bytes=saved_bytes,
        optimizer_state_bytes=optimizer_bytes,
        temporaries_bytes=max(0, peak - outputs_bytes - saved_bytes - gradients_bytes),
    )


def saved_activations_bytes(call: Callable[[], Tensor | list[Tensor]], held: dict[int, int]) -> int:
    """Bytes that ``call`` keeps for a backward pass: each storage once, without ``held`` and without what it returns."""
    saved: dict[int, int] = {}

    def pack(tensor: Tensor) -> Tensor:
        saved.update(storages([tensor]))
        return tensor

    with saved_tensors_hooks(pack, lambda tensor: tensor):
        output = call()
    return beyond(saved, held, storages(_each(output)))


def optimizer_state_bytes(optimizer: torch.optim.Optimizer) -> int:
    """Bytes of every tensor that the optimizer keeps, its step counters included; 0 before the first step."""
    kept = [value for state in optimizer.state.values() for value in state.values() if isinstance(value, Tensor)]
    return sum(storages(kept).values())


def storages(tensors: Iterable[Tensor | None]) -> dict[int, int]:
    """Bytes of the storages under some tensors, by address."""
    found = {}
    for tensor in tensors:
        if tensor is not None and tensor.untyped_storage().nbytes():
            found[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
    return found


def beyond(found: dict[int, int], *known: dict[int, int]) -> int:
    """Bytes of the storages ``found`` that are in none of ``known``."""
    return sum(size for address, size in found.items() if not any(address in other for other in known))


def allocated_peak(call: Callable[[], object], device: torch.device) -> int:
    """Most bytes that ``call`` had allocated at one moment on ``device``, beyond what was allocated before it."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
        before = torch.cuda.memory_allocated(device)
        torch.cuda.reset_peak_memory_stats(device)
        call()
        torch.cuda.synchronize(device)
        return int(torch.cuda.max_memory_allocated(device)) - before
    # The autograd profiler under torch.profiler: the latter imports the compiler first, which takes seconds.
    with profile(profile_memory=True) as profiler:
        result = call()
    del result
    return peak_of(allocation_events(profiler))


def allocation_events(profiler: profile) -> list[int]:
    """Bytes of every allocation (positive) and release (negative) on the CPU, in time order."""
    recorded = profiler.kineto_results
    if recorded is None:
        msg = "the profiler returned no events"
        raise RuntimeError(msg)
    events = [event for event in recorded.events() if event.name() == "[memory]"]
    on_cpu = [event for event in events if event.device_type().name == "CPU"]
    return [int(event.nbytes()) for event in sorted(on_cpu, key=lambda event: event.start_ns())]  # type: ignore[attr-defined]


def peak_of(changes: list[int]) -> int:
    """Largest running sum, at least 0."""
    return max(itertools.accumulate(changes, initial=0))


def size(tensor: Tensor | None) -> int:
    """Bytes of a tensor's elements; 0 for None."""
    return 0 if tensor is None else tensor.numel() * tensor.element_size()


def _each(output: Tensor | list[Tensor]) -> list[Tensor]:
    return [output] if isinstance(output, Tensor) else output
