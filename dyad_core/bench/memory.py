"""How much memory one call needs, measured in a call of its own that is never timed.

The method follows the device: on the CPU every allocation and release that torch's allocator reports to the
profiler, summed up in time order; on CUDA the allocator's own statistics. The process's largest resident size
is of no use: it never falls, so it says nothing about the second candidate.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.autograd.profiler import profile

from dyad_core.bench.passes import Operands, reset_gradients, run_pass
from dyad_core.bench.results import MemoryUse

__all__ = ["allocated_peak", "measure_memory"]

CPU_METHOD = "profiler allocation events, peak of their sum (workspaces inside the BLAS library are not seen)"
CUDA_METHOD = "torch.cuda.max_memory_allocated minus memory_allocated before the call"


def measure_memory(module: nn.Module, fed: Operands) -> MemoryUse:
    """Run one pass untimed and return what it needed. The gradients of ``module`` and input are None afterwards."""
    try:
        peak = allocated_peak(lambda: run_pass(module, fed), fed.input.device)
        gradients = [parameter.grad for parameter in module.parameters()] + [fed.input.grad]
        gradients_bytes = sum(size(gradient) for gradient in gradients)
    finally:
        reset_gradients(module, fed)
    parameters_bytes = sum(size(parameter) for parameter in module.parameters())
    inputs_bytes = size(fed.input) + size(fed.grad_output)
    return MemoryUse(
        parameters_bytes=parameters_bytes,
        inputs_bytes=inputs_bytes,
        gradients_bytes=gradients_bytes,
        allocated_peak_bytes=peak,
        peak_bytes=parameters_bytes + inputs_bytes + peak,
        method=CUDA_METHOD if fed.input.device.type == "cuda" else CPU_METHOD,
    )


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
