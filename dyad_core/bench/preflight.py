"""Rules of a request that depend on the machine, checked before any process starts or byte is allocated.

Rules of the values alone live in :mod:`dyad_core.bench.spec`.
"""

from __future__ import annotations

import torch

from dyad_core.bench.candidates import DTYPES
from dyad_core.bench.footprint import footprint, human
from dyad_core.bench.machine import EMULATION
from dyad_core.bench.spec import BenchmarkSpec
from dyad_core.bench.system import DeviceInfo, SystemInfo, system_info
from dyad_core.errors import Problem, SpecError
from dyad_core.ops import registry

__all__ = ["preflight"]


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
        present = ", ".join(found.name for found in here.devices)
        suggestion = f"devices here: {present}" + "".join(f"; {note}" for note in here.notes)
        raise SpecError([Problem("device", "must be a device of this machine", spec.device, suggestion)])
    problems = [*_implementation_problems(spec), *_memory_problems(spec, device)]
    if problems:
        raise SpecError(problems)
    return _warnings(spec, device, here)


def _implementation_problems(spec: BenchmarkSpec) -> list[Problem]:
    device, dtype = torch.device(spec.device), DTYPES[spec.dtype]
    state = {name: registry.get(name).unavailable(device, dtype) for name in registry.names()}
    usable = ", ".join([registry.AUTO, *(name for name, reason in state.items() if reason is None)])
    problems = []
    for name in spec.implementations:
        if name == registry.AUTO:
            continue
        if name not in state:
            unusable = "".join(f"; {other} cannot: {reason}" for other, reason in state.items() if reason)
            suggestion = f"those that run on {spec.device} in {spec.dtype}: {usable}{unusable}"
            problems.append(Problem("implementations", "must be registered implementations", name, suggestion))
        elif reason := state[name]:
            rule = f"must run on {spec.device} in {spec.dtype}, and {name} cannot: {reason}"
            problems.append(Problem("implementations", rule, name, f"those that can: {usable}"))
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
    if spec.dtype in device.emulated_dtypes:
        reason = EMULATION.format(dtype=spec.dtype) if device.kind == "cpu" else f"this GPU emulates {spec.dtype}"
        warnings.append(f"dtype {spec.dtype} is not native here: {reason}; compare dtypes on hardware that has them")
    if spec.threads is not None and spec.threads > system.cpu_cores:
        warnings.append(
            f"threads={spec.threads} exceeds the {system.cpu_cores} physical cores this process may use; "
            "threads that wait for a core disturb each other"
        )
    if device.memory_available_bytes is None:
        warnings.append(f"the available memory of {device.name} could not be read, so it was not checked")
    return list(dict.fromkeys(warnings))
