"""The published condition, DYAD in float16 beside dense in float32: replayed from the published rows, or measured here.

Run ``python -c "from dyad_core.bench.original_conditions import published_conditions as p; print(p().reading)"``, or
``dyad original-conditions``. It is the only place that compares two precisions, always labelled *not like for like*, and
it exists to show how much of such a figure is structure. Every measured run stays like for like: a measurement is two
ordinary runs, one all float32 and one all float16, and the comparison is made of both afterwards.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from dyad_core.bench.independent import ratio_of_medians
from dyad_core.bench.isolation import run_benchmark
from dyad_core.bench.machine import EMULATION, cpu_flags, emulated_dtypes
from dyad_core.bench.original_replay import published_conditions
from dyad_core.bench.precision_split import (
    LABEL,
    Decomposition,
    OriginalConditions,
    Part,
    factors,
    in_words,
    part_of,
)
from dyad_core.bench.results import BenchmarkRun, Candidate
from dyad_core.bench.spec import BenchmarkSpec, Pass
from dyad_core.errors import Problem, SpecError
from dyad_core.geometry import VARIANTS, Variant

__all__ = ["check_device", "measure_original_conditions", "published_conditions", "take_apart"]

MEASURED_PASSES: tuple[Pass, ...] = ("train_step", "forward")
AS_PUBLISHED = "original_feature_major"
"""The implementation of the published formulation, as its authors call it."""


def measure_original_conditions(
    in_features: int = 768,
    out_features: int = 3072,
    *,
    tokens: int = 4096,
    n_blocks: int = 4,
    variant: Variant = "it",
    device: str = "cuda",
    implementation: str = AS_PUBLISHED,
    threads: int | None = None,
    seed: int = 0,
    max_seconds: float = 60.0,
    anyway: bool = False,
    run: Callable[..., BenchmarkRun] = run_benchmark,
    **watching: Any,
) -> OriginalConditions:
    """Measure one layer in float32 and in float16 on ``device`` and take the mixed figure apart.

    Args:
        max_seconds: budget for the timing of both runs together.
        anyway: measure where float16 is emulated, too; the answer then says so.
        run: what measures; called once per precision with a :class:`BenchmarkSpec` and ``watching``.
        watching: passed on: ``on_progress``, ``cancel``, ``timeout_s``.

    Raises:
        SpecError: the request is wrong or does not suit this machine, or float16 is emulated here; nothing was measured.
        BenchmarkError: a measurement could not be made.
    """
    check_device(device, anyway=anyway)
    spec = BenchmarkSpec(
        in_features,
        out_features,
        tokens=tokens,
        n_blocks=(n_blocks,),
        variants=(variant,),
        implementations=(implementation,),
        passes=MEASURED_PASSES,
        device=device,
        threads=threads,
        seed=seed,
        max_seconds=max_seconds / 2,
        optimizer="none",  # as published: forward and backward
    )
    return take_apart(run(spec, **watching), run(dataclasses.replace(spec, dtype="float16"), **watching))


def check_device(device: str, *, anyway: bool, flags: Iterable[str] | None = None) -> None:
    """Refuse a processor that emulates float16: its times would say nothing about precision.

    Raises:
        SpecError: unless ``anyway``; the sentence offers the replay.
    """
    emulated = emulated_dtypes(cpu_flags() if flags is None else frozenset(flags))
    if device == "cpu" and "float16" in emulated and not anyway:
        rule = f"{EMULATION.format(dtype='float16')}, and the factor of precision would be one of emulation"
        what = (
            "name a CUDA device, or take the replay of the published rows (dyad original-conditions without --measure)"
        )
        raise SpecError([Problem("device", rule, device, f"{what}; --anyway measures all the same")])


def take_apart(float32: BenchmarkRun, float16: BenchmarkRun) -> OriginalConditions:
    """Compose the published comparison from two runs that differ in precision only.

    Raises:
        SpecError: they differ in more, or are of other precisions.
    """
    _check_pair(float32, float16)
    found = [_measured(group, float32, float16) for group in _groups(float32)]
    environment = float32.environment
    emulated = [EMULATION.format(dtype="float16")] if float16.environment.dtype_emulated else []
    spec = float32.spec
    return OriginalConditions(
        kind="measured",
        label=LABEL,
        source=f"measured with dyad-explorer {environment.dyad_version}",
        device_name=environment.device_name,
        conditions=(
            f"{spec.tokens} tokens, float32 products {spec.float32_matmul_precision}, torch {environment.torch_version}; "
            "medians; intervals of structure are paired by round, those across precisions are of independent medians"
        ),
        caveats=(
            *emulated,
            "weights are float16 here, where the published runs cast float32 weights by autocast in every call",
            "the two runs were made one after the other; what changed on the machine between them is in no interval",
            *dict.fromkeys((*float32.warnings, *float16.warnings)),
        ),
        decompositions=tuple(found),
        reading=_measured_reading(found, environment.device_name),
        runs=(float32, float16),
    )


def _measured(group: dict[Pass, Candidate], float32: BenchmarkRun, float16: BenchmarkRun) -> Decomposition:
    parts, lacking = [], []
    for pass_, single in group.items():
        half = next((each for each in float16.candidates if _same(each, single)), None)
        found = {
            "dense float32": float32.dense(pass_),
            "DYAD float32": single,
            "dense float16": float16.dense(pass_),
            "DYAD float16": half,
        }
        lacking += [f"{name} in {pass_}" for name, each in found.items() if each is None or each.median_ms is None]
        parts.append(_measured_part(pass_, found))
    single, spec = next(iter(group.values())), float32.spec
    missing = f"there is no speed of {', '.join(lacking)}" if lacking else ""
    sizes = f"{spec.in_features}→{spec.out_features}"
    return Decomposition(
        model=None,
        in_features=spec.in_features,
        out_features=spec.out_features,
        variant=single.variant,
        n_blocks=single.n_blocks or 0,
        implementation=single.implementation,
        parts=tuple(parts),
        missing=missing,
        reading=f"{sizes}, {single.label}, {single.implementation}: {in_words(parts[0], missing)}",
    )


def _measured_part(pass_: Pass, found: dict[str, Candidate | None]) -> Part:
    times = {name: None if each is None else each.median_ms for name, each in found.items()}
    samples = {name: () if each is None else each.samples_ms for name, each in found.items()}
    bounds = {
        "headline": _across(samples["dense float32"], samples["DYAD float16"]),
        "structure": _paired(found["DYAD float32"]),
        "precision": _across(samples["DYAD float32"], samples["DYAD float16"]),
        "structure_float16": _paired(found["DYAD float16"]),
    }
    return part_of(
        pass_,
        times["dense float32"],
        times["DYAD float32"],
        times["DYAD float16"],
        dense_float16_ms=times["dense float16"],
        bounds={name: each for name, each in bounds.items() if each is not None},
    )


def _paired(candidate: Candidate | None) -> tuple[float, float] | None:
    if candidate is None or candidate.speedup_low is None or candidate.speedup_high is None:
        return None
    return candidate.speedup_low, candidate.speedup_high


def _across(above: Sequence[float], below: Sequence[float]) -> tuple[float, float] | None:
    """An interval of a ratio between the two runs, whose rounds are not paired."""
    if not above or not below:
        return None
    found = ratio_of_medians(above, below)
    return None if found.low is None or found.high is None else (found.low, found.high)


def _groups(run: BenchmarkRun) -> list[dict[Pass, Candidate]]:
    """The DYAD candidates of a run by what was asked for, each with its passes in the order of the run."""
    groups: dict[tuple[Any, ...], dict[Pass, Candidate]] = {}
    for each in run.candidates:
        if each.variant in VARIANTS:
            name = "auto" if each.chosen_by_auto else each.implementation
            groups.setdefault((each.variant, each.n_blocks, each.grain, name), {})[each.pass_] = each
    return list(groups.values())


def _same(each: Candidate, other: Candidate) -> bool:
    """The same layer in the same pass; what ``auto`` took in one precision pairs with what it took in the other."""
    implementation = each.implementation == other.implementation or (each.chosen_by_auto and other.chosen_by_auto)
    structure = (each.variant, each.n_blocks, each.grain, each.pass_)
    return implementation and structure == (other.variant, other.n_blocks, other.grain, other.pass_)


def _check_pair(float32: BenchmarkRun, float16: BenchmarkRun) -> None:
    problems = [
        Problem(f"runs.{index}.dtype", f"must be {wanted}", run.spec.dtype)
        for index, (run, wanted) in enumerate(((float32, "float32"), (float16, "float16")))
        if run.spec.dtype != wanted
    ]
    if dataclasses.replace(float32.spec, dtype="float16") != dataclasses.replace(float16.spec, dtype="float16"):
        problems.append(Problem("runs.1.spec", "must differ from the first in dtype only", float16.spec.digest()[:12]))
    names = [(run.environment.hostname, run.environment.device_name) for run in (float32, float16)]
    if names[0] != names[1]:
        problems.append(Problem("runs.1.environment", "must be of the same machine as the first", names[1][1]))
    if problems:
        raise SpecError(problems)


def _measured_reading(found: list[Decomposition], device_name: str) -> str:
    whole = [each for each in found if not each.missing]
    if not whole:
        return f"On {device_name} no layer has a speed in both precisions, so there is nothing to take apart."
    first = whole[0]
    headline, structure, precision = factors(first)
    half = first.parts[0].structure_float16
    also = "" if half is None else f" (in float16 {half.ratio:.2f}x)"
    return (
        f"On {device_name}, {first.in_features}→{first.out_features}, {first.variant.upper()} n={first.n_blocks}, forward and "
        f"backward: {headline:.2f}x between DYAD in float16 and dense in float32, which is not like for like. In equal "
        f"precision, float32, the DYAD layer is {structure:.2f}x as fast as the dense one{also}; computing it in float16 "
        f"instead of float32 gives the other {precision:.2f}x, and says nothing about DYAD."
    )
