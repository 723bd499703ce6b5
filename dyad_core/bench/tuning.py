"""Which implementation ``auto`` takes: measure a grid of shapes and write the table that it reads.

Every point is an ordinary run: each implementation checked against the oracle, then timed in interleaved rounds. One
that is not clearly faster than ``eager`` is not taken, so that noise never decides. A grid that was interrupted goes
on where it stopped. Run ``dyad tune``, or ``python -m dyad_core.bench --tune`` where torch and numpy are all there is.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal, get_args

import torch

from dyad_core.bench.disturbance import is_disturbed
from dyad_core.bench.isolation import run_benchmark
from dyad_core.bench.preflight import preflight
from dyad_core.bench.results import BenchmarkRun, Candidate
from dyad_core.bench.spec import BenchmarkSpec, Dtype, Pass
from dyad_core.bench.statistics import paired_speedup
from dyad_core.bench.tuning_table import State, changes, write_table
from dyad_core.errors import BenchmarkError, ImplementationError, Problem, SpecError
from dyad_core.geometry import VARIANTS
from dyad_core.ops import auto, registry
from dyad_core.ops.auto import FALLBACK, Choice, Table, standard

__all__ = ["DTYPES", "choices_of", "competitors", "default_path", "grid", "own_tuners", "run_tuning", "tune"]

NEVER = ("reference", "masked_dense", "original_feature_major")
"""They are here to be compared with: an oracle, a dense product, and one that wants its operands transposed."""

SLOW_TO_START = ("compiled",)
"""Each new shape costs seconds of compiling at its first call, so ``auto`` takes it only where it was asked to."""

CLEARLY = 1.02
"""The lower bound of the gain that an implementation needs to be taken instead of the standard one."""

WIDTHS, TOKENS, BLOCKS = (256, 512, 768, 1024, 2048, 4096), (1, 4, 16, 64, 512, 2048), (4, 8, 16)
DECODE_TOKENS = 16
QUICK_WIDTHS, QUICK_TOKENS = (256, 1024), (1, 16, 512)

# tokens · in · out beyond which a point takes minutes on a processor with a few cores; nearer sizes answer for it.
MOST_WORK = {"cpu": 2**33, "cuda": 2**42}
QUICK_WORK = {"cpu": 2**31, "cuda": 2**36}

RULE = f"the fastest whose gain over the standard one (see ops/auto.py) has a lower 95 % bound of at least {CLEARLY:g}"

DTYPES: dict[str, tuple[Dtype, ...]] = {"cpu": ("float32",), "cuda": ("bfloat16", "float16", "float32")}
"""What a table is made for unless others are asked for: many processors emulate the 16-bit types."""

Run = Callable[[BenchmarkSpec], BenchmarkRun]


def competitors(device: str, dtype: torch.dtype, wanted: Sequence[str] = ()) -> tuple[str, ...]:
    """The implementations that are compared on a device, ``eager`` first: those asked for, else all that may be taken.

    Raises:
        SpecError: an implementation that was asked for is not registered, or may not be taken.
    """
    for name in wanted:
        if name in NEVER:
            rule = "must be one that auto may take"
            raise SpecError([Problem("implementations", rule, name, f"never taken: {', '.join(NEVER)}")])
        registry.get(name)
    names = wanted or [name for name in registry.names() if name not in (*NEVER, *SLOW_TO_START)]
    here = [name for name in names if registry.get(name).unavailable(torch.device(device), dtype) is None]
    return tuple(dict.fromkeys([FALLBACK, *here]))


def grid(
    device: str, dtypes: Sequence[Dtype], implementations: Sequence[str], *, quick: bool = False
) -> list[BenchmarkSpec]:
    """The requests to measure, cheapest first: both layers of a feed-forward at each width and number of tokens.

    Few tokens are measured with weights from memory, which is what they meet in a model.
    """
    kind = torch.device(device).type
    widths, tokens = (QUICK_WIDTHS, QUICK_TOKENS) if quick else (WIDTHS, TOKENS)
    most = (QUICK_WORK if quick else MOST_WORK)[kind]
    specs = [
        BenchmarkSpec(
            *sizes,
            tokens=rows,
            n_blocks=BLOCKS,
            variants=VARIANTS,
            implementations=tuple(implementations),
            passes=("decode" if rows <= DECODE_TOKENS else "forward", "train_step"),
            dtype=dtype,
            device=device,
            max_seconds=3.0 if quick else 20.0,
            optimizer="none",  # its step does not depend on the implementation
        )
        for dtype in dtypes
        for width in widths
        for sizes in ((width, 4 * width), (4 * width, width))
        for rows in tokens
        if rows * width * 4 * width <= most
    ]
    return sorted(specs, key=lambda spec: spec.tokens * spec.in_features * spec.out_features)


def choices_of(run: BenchmarkRun) -> list[Choice]:
    """What to take at each geometry and pass of one run; nothing where ``eager`` has no speed."""
    found = []
    for pass_ in run.spec.passes:
        rivals: dict[tuple[str, int], dict[str, Candidate]] = {}
        for candidate in run.candidates:
            if candidate.pass_ == pass_ and candidate.n_blocks is not None and candidate.has_speed:
                rivals.setdefault((candidate.variant, candidate.n_blocks), {})[candidate.implementation] = candidate
        disturbed = is_disturbed(run, pass_)
        found += [
            dataclasses.replace(_best(measured, run, pass_, variant, n), pass_=_pass_class(pass_), disturbed=disturbed)
            for (variant, n), measured in rivals.items()
            if FALLBACK in measured
        ]
    return found


def _best(measured: dict[str, Candidate], run: BenchmarkRun, pass_: Pass, variant: str, n_blocks: int) -> Choice:
    spec, bound = run.spec, run.critical_value(pass_)
    kind, dtype = torch.device(spec.device).type, getattr(torch, spec.dtype)
    usual = standard(kind, dtype, spec.tokens, trains=pass_ == "train_step")
    usual = usual if usual in measured else FALLBACK
    best = Choice(
        dtype=spec.dtype,
        variant=variant,
        n_blocks=n_blocks,
        in_features=spec.in_features,
        out_features=spec.out_features,
        tokens=spec.tokens,
        pass_="forward",
        implementation=usual,
        median_ms={name: _digits(each.median_ms or 0.0) for name, each in measured.items()},
    )
    for name, rival in measured.items():
        if name == usual:
            continue
        gain = paired_speedup(measured[usual].samples_ms, rival.samples_ms, critical_value=bound)
        if gain.low >= CLEARLY and gain.estimate > best.gain:
            figures = {"gain": gain.estimate, "gain_low": gain.low, "gain_high": gain.high}
            rounded = {key: _digits(value) for key, value in figures.items()}
            best = dataclasses.replace(best, implementation=name, **rounded)  # type: ignore[arg-type] # all floats
    return best


def _pass_class(pass_: str) -> Literal["forward", "train"]:
    return "train" if pass_ == "train_step" else "forward"


def _digits(number: float) -> float:
    return float(f"{number:.4g}")


def tune(
    specs: Sequence[BenchmarkSpec], out: Path, *, say: Callable[[str], None], run: Run = run_benchmark
) -> list[str]:
    """Measure every request that is not measured yet, write the table to ``out``, and return what changed, in lines.

    A disturbed run is repeated once at the end. Beside ``out`` a file ending in ``.part`` keeps what is measured.

    Raises:
        SpecError: this machine cannot measure a request, or the file cannot be written.
    """
    state = State(out.with_name(f"{out.name}.part"), specs[0].implementations)
    missing = [spec for spec in specs if spec.digest() not in state.done]
    if len(missing) < len(specs):
        say(f"{len(specs) - len(missing)} of {len(specs)} points are measured already")
    disturbed = measure_all(missing, state, say, run)
    if disturbed:
        say(f"{len(disturbed)} points were disturbed and are measured once more")
        measure_all(disturbed, state, say, run)
    kind = torch.device(specs[0].device).type
    found = Table(kind, state.measured(RULE), tuple(state.choices()))
    before = auto.table(kind)
    write_table(out, found)
    state.path.unlink(missing_ok=True)
    return changes(before, found)


def measure_all(
    specs: Sequence[BenchmarkSpec], state: State, say: Callable[[str], None], run: Run
) -> list[BenchmarkSpec]:
    """Measure requests into ``state`` and return those that were disturbed."""
    disturbed = []
    for number, spec in enumerate(specs, start=1):
        sizes = f"[{number}/{len(specs)}] {spec.in_features}→{spec.out_features}, {spec.tokens} tokens, {spec.dtype}"
        try:
            found = run(spec)
        except BenchmarkError as error:
            say(f"{sizes}: {str(error).splitlines()[0]}")
            continue
        state.add(found, choices_of(found))
        if is_disturbed(found):
            disturbed.append(spec)
        say(f"{sizes}: {found.duration_s:.0f} s{' (disturbed)' if is_disturbed(found) else ''}")
    return disturbed


def own_tuners(device: str, say: Callable[[str], None]) -> None:
    """Let each implementation that has settings of its own measure them first, in this process."""
    for name in registry.names():
        implementation = registry.get(name)
        if implementation.tune is None or implementation.unavailable(torch.device(device), torch.float32) is not None:
            continue
        try:
            say(f"{name}: {implementation.tune(torch.device(device))}")
        except ImplementationError as error:
            say(f"{name} keeps its settings: {error}")


def default_path(device: str) -> Path:
    """Where a table goes unless another place is named: ``DYAD_HOME`` (``.dyad``), a file per kind of device."""
    return Path(os.environ.get("DYAD_HOME") or ".dyad") / "choices" / f"{torch.device(device).type}.json"


def run_tuning(
    device: str,
    *,
    quick: bool,
    out: Path | None,
    implementations: Sequence[str],
    dtypes: Sequence[str],
    say: Callable[[str], None],
) -> int:
    """What both command lines do: tune, say what changed, and return the exit code (2 wrong input, 130 interrupted)."""
    try:
        preflight(BenchmarkSpec(64, 64, n_blocks=(4,), device=device))
        path = out or default_path(device)
        wanted = [check_dtype(name) for name in dtypes] or DTYPES[torch.device(device).type]
        rivals = competitors(device, getattr(torch, wanted[0]), implementations)
        specs = grid(device, wanted, rivals, quick=quick)
        say(f"comparing {', '.join(rivals)} at {len(specs)} shapes on {device}; leave the machine alone meanwhile")
        own_tuners(device, say)
        lines = tune(specs, path, say=say)
    except SpecError as error:
        say(str(error))
        return 2
    except KeyboardInterrupt:
        say("interrupted; run the same command again to go on")
        return 130
    for line in lines or ["nothing changed"]:
        say(line)
    say(f"the table is {path}; to use it: export {auto.VARIABLE}={path.absolute()}")
    return 0


def check_dtype(name: str) -> Dtype:
    """A dtype by its name.

    Raises:
        SpecError: it is none.
    """
    for dtype in get_args(Dtype):
        if dtype == name:
            return dtype  # type: ignore[no-any-return]
    raise SpecError([Problem("dtypes", f"must be among {', '.join(get_args(Dtype))}", name)])
