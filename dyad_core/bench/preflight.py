"""Rules of a request that depend on the machine, checked before any process starts or byte is allocated.

Rules of the values alone live in :mod:`dyad_core.bench.spec`.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch

from dyad_core.bench.candidates import DTYPES
from dyad_core.bench.footprint import footprint, human
from dyad_core.bench.machine import EMULATION
from dyad_core.bench.spec import BenchmarkSpec, Dtype
from dyad_core.bench.system import DeviceInfo, SystemInfo, system_info
from dyad_core.errors import Problem, SpecError
from dyad_core.ops import registry

__all__ = ["device_problem", "implementation_problems", "native_warnings", "preflight"]


def preflight(spec: BenchmarkSpec, system: SystemInfo | None = None) -> list[str]:
    """Check whether this machine can measure ``spec``; return warnings, each a sentence.

    Never initialises CUDA in this process.

    Args:
        spec: the request.
        system: what is here; read when not given.

    Raises:
        SpecError: no such device, an implementation that is unknown or cannot run there, or not enough memory;
            all that hold, with what would do instead.
    """
    here = system_info() if system is None else system
    device = here.device(spec.device)
    if device is None:
        raise SpecError([device_problem(spec.device, here)])
    problems = implementation_problems(spec.implementations, spec.device, spec.dtype)
    problems += _memory_problems(spec, device)
    if problems:
        raise SpecError(problems)
    return _warnings(spec, device, here)


def device_problem(name: str, system: SystemInfo) -> Problem:
    """What is wrong with a device that is not here."""
    present = ", ".join(found.name for found in system.devices)
    suggestion = f"devices here: {present}" + "".join(f"; {note}" for note in system.notes)
    return Problem("device", "must be a device of this machine", name, suggestion)


def implementation_problems(
    names: Iterable[str], device_name: str, dtype_name: Dtype, *, field: str = "implementations"
) -> list[Problem]:
    """What is wrong with implementations that are unknown or cannot run on this device in this dtype."""
    device, dtype = torch.device(device_name), DTYPES[dtype_name]
    state = {name: registry.get(name).unavailable(device, dtype) for name in registry.names()}
    usable = ", ".join([registry.AUTO, *(name for name, reason in state.items() if reason is None)])
    problems = []
    for name in names:
        if name == registry.AUTO:
            continue
        if name not in state:
            unusable = "".join(f"; {other} cannot: {reason}" for other, reason in state.items() if reason)
            suggestion = f"those that run on {device_name} in {dtype_name}: {usable}{unusable}"
            problems.append(Problem(field, "must be registered implementations", name, suggestion))
        elif reason := state[name]:
            rule = f"must run on {device_name} in {dtype_name}, and {name} cannot: {reason}"
            problems.append(Problem(field, rule, name, f"those that can: {usable}"))
    return problems


def _memory_problems(spec: BenchmarkSpec, device: DeviceInfo) -> list[Problem]:
    available = device.memory_available_bytes
    if available is None:
        return []
    need = footprint(spec)
    if need.total_bytes <= available:
        return []
    rule = f"this needs {human(need.total_bytes)} of memory and {device.name} has {human(available)} available"
    fitting = (available - need.fixed_bytes) // need.per_token_bytes
    if fitting > 0:
        return [Problem("tokens", rule, spec.tokens, f"up to {fitting} tokens fit")]
    largest = "in_features" if spec.in_features >= spec.out_features else "out_features"
    suggestion = f"the weights of dense and DYAD together take {human(need.weights_bytes)}; take smaller sizes or fewer candidates"
    return [Problem(largest, rule, getattr(spec, largest), suggestion)]


def _warnings(spec: BenchmarkSpec, device: DeviceInfo, system: SystemInfo) -> list[str]:
    warnings = []
    for geometry in spec.geometries():
        if geometry.saves_nothing:
            cost = "costs as much as" if geometry.limit == 1 else f"costs {1 / geometry.limit:g} times as much as"
            warnings.append(
                f"n_blocks={geometry.n_blocks} with variant {geometry.variant} saves nothing: it {cost} dense; "
                "savings of a DYAD start at n_blocks=3"
            )
    warnings += native_warnings(spec.dtype, spec.threads, device, system)
    return list(dict.fromkeys(warnings))


def native_warnings(dtype: Dtype, threads: int | None, device: DeviceInfo, system: SystemInfo) -> list[str]:
    """What the machine does not do as it is asked: an emulated dtype, too many threads, memory that cannot be read."""
    warnings = []
    if dtype in device.emulated_dtypes:
        reason = EMULATION.format(dtype=dtype) if device.kind == "cpu" else f"this GPU emulates {dtype}"
        warnings.append(f"dtype {dtype} is not native here: {reason}; compare dtypes on hardware that has them")
    if threads is not None and threads > system.cpu_cores:
        warnings.append(
            f"threads={threads} exceeds the {system.cpu_cores} physical cores this process may use; "
            "threads that wait for a core disturb each other"
        )
    if device.memory_available_bytes is None:
        warnings.append(f"the available memory of {device.name} could not be read, so it was not checked")
    return warnings
