"""What differs between runs, field by field, and what of them may be compared: milliseconds, only speed-ups, or nothing.

A speed-up is measured inside one run, in one dtype and on one machine, so it travels further than a time does: to other
sizes, never to another dtype, module or pass. Every restriction comes with its reason as a sentence.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

from dyad_core.bench.disturbance import is_disturbed
from dyad_core.bench.reading import PASS_NAMES
from dyad_core.bench.results import BenchmarkRun, Environment
from dyad_core.bench.spec import Pass

__all__ = ["MOMENTARY", "Comparable", "Difference", "Pair", "differences", "pair", "pass_reason", "same_machine"]

Comparable = Literal["all", "speedups", "nothing"]
"""``all``: times and speed-ups; ``speedups``: sizes or tokens differ, so only speed-ups stand side by side."""

Part = Literal["spec", "environment"]
PARTS: tuple[Part, ...] = get_args(Part)

MOMENTARY = frozenset({"memory_available_bytes", "load_average_1min"})
"""Fields of the environment that change from run to run on one and the same machine."""

SETTINGS = ("threads", "allocator", "compile", "cuda_graph", "cache", "implementations")


@dataclass(frozen=True)
class Difference:
    """One field that is not the same in all runs.

    Attributes:
        part: ``"spec"`` (the request) or ``"environment"``.
        field: its name.
        values: one per run, JSON-ready.
        momentary: it changes from run to run on one machine.
    """

    part: Part
    field: str
    values: tuple[Any, ...]
    momentary: bool = False


@dataclass(frozen=True)
class Pair:
    """What may be compared of one run and the first.

    Attributes:
        base: name of the first run.
        other: name of the other.
        comparable: see :data:`Comparable`.
        same_machine: None where a run does not tell its host.
        reasons: sentences: why not everything, and what to mind.
    """

    base: str
    other: str
    comparable: Comparable
    same_machine: bool | None
    reasons: tuple[str, ...]


def differences(runs: Sequence[BenchmarkRun]) -> tuple[Difference, ...]:
    """Every field of requests and environments in which the runs differ, in the order of the records."""
    found = []
    dumped = [run.to_dict() for run in runs]
    for part in PARTS:
        for name in dict.fromkeys(name for values in dumped for name in values[part]):
            values = tuple(each[part].get(name) for each in dumped)
            if any(value != values[0] for value in values):
                found.append(Difference(part, name, values, part == "environment" and name in MOMENTARY))
    return tuple(found)


def same_machine(first: Environment, second: Environment) -> bool | None:
    """Whether two environments are of one device; None where a host name is missing and nothing else tells them apart."""
    if any(getattr(first, name) != getattr(second, name) for name in ("device_name", "cpu_name", "cpu_cores")):
        return False
    if not first.hostname or not second.hostname:
        return None
    return first.hostname == second.hostname


def pair(base: BenchmarkRun, other: BenchmarkRun, names: tuple[str, str]) -> Pair:
    """Judge what may be compared of two runs, called ``names``."""
    nothing = [reason for rule in _NOTHING if (reason := rule(base, other, names))]
    sizes = _sizes(base, other, names)
    comparable: Comparable = "nothing" if nothing else "speedups" if sizes else "all"
    same = same_machine(base.environment, other.environment)
    limits = nothing or ([sizes] if sizes else [])
    reasons = [*limits, *_notes(base, other, names, same)]
    return Pair(*names, comparable, same, tuple(reasons))


def pass_reason(base: BenchmarkRun, other: BenchmarkRun, pass_: Pass, names: tuple[str, str]) -> str:
    """Why this pass was not the same work in both runs, or an empty text."""
    optimizers = (base.spec.optimizer, other.spec.optimizer)
    if pass_ != "train_step" or optimizers[0] == optimizers[1]:
        return ""
    return (
        f"A training step of {names[0]} ends with the optimizer {optimizers[0]!r} and one of {names[1]} with "
        f"{optimizers[1]!r}: that is not the same work."
    )


def _module(base: BenchmarkRun, other: BenchmarkRun, names: tuple[str, str]) -> str:
    return _unequal("module", (base.spec.module, other.spec.module), names, "is another computation")


def _dtype(base: BenchmarkRun, other: BenchmarkRun, names: tuple[str, str]) -> str:
    what = "a difference between them would be one of precision and not of structure"
    return _unequal("dtype", (base.environment.dtype, other.environment.dtype), names, what)


def _precision(base: BenchmarkRun, other: BenchmarkRun, names: tuple[str, str]) -> str:
    if {base.environment.dtype, other.environment.dtype} != {"float32"}:
        return ""
    values = (base.environment.float32_matmul_precision, other.environment.float32_matmul_precision)
    what = "a difference between them would be one of precision and not of structure"
    return _unequal("float32_matmul_precision", values, names, what)


def _unequal(field: str, values: tuple[str, str], names: tuple[str, str], what: str) -> str:
    if values[0] == values[1]:
        return ""
    said = f"{names[0]} has {field} {values[0]} and {names[1]} has {values[1]}"
    return f"Not comparable: {said}; {what}."


def _passes(base: BenchmarkRun, other: BenchmarkRun, names: tuple[str, str]) -> str:
    if set(base.spec.passes) & set(other.spec.passes):
        return ""
    measured = [" and ".join(PASS_NAMES[each] for each in run.spec.passes) for run in (base, other)]
    return (
        f"Not comparable: {names[0]} measured {measured[0]} and {names[1]} {measured[1]}; they have no pass in common."
    )


_NOTHING: tuple[Callable[[BenchmarkRun, BenchmarkRun, tuple[str, str]], str], ...] = (
    _module,
    _dtype,
    _precision,
    _passes,
)


def _sizes(base: BenchmarkRun, other: BenchmarkRun, names: tuple[str, str]) -> str:
    sizes = [f"{run.spec.in_features}→{run.spec.out_features} with {run.spec.tokens} tokens" for run in (base, other)]
    if sizes[0] == sizes[1]:
        return ""
    return f"Only the speed-ups are compared: {names[0]} is {sizes[0]} and {names[1]} is {sizes[1]}."


def _notes(base: BenchmarkRun, other: BenchmarkRun, names: tuple[str, str], same: bool | None) -> list[str]:
    notes = []
    if same is False:
        devices = (base.environment.device_name, other.environment.device_name)
        which = f" ({devices[0]}, {devices[1]})" if devices[0] != devices[1] else ""
        notes.append(f"Not the same machine{which}: compare the ratios, not the milliseconds.")
    elif same is None:
        notes.append("Whether it is the same machine is not known: compare the ratios, not the milliseconds.")
    settings = [name for name in SETTINGS if _setting(base, name) != _setting(other, name)]
    if settings:
        notes.append(f"The two were measured with other settings ({', '.join(settings)}).")
    for run, name in ((base, names[0]), (other, names[1])):
        if is_disturbed(run):
            notes.append(f"{name} says that other work disturbed it.")
    return notes


def _setting(run: BenchmarkRun, name: str) -> Any:
    """A setting as it was in effect: the number of threads, not the wish to have as many as there are cores."""
    return run.environment.threads if name == "threads" else getattr(run.spec, name)
