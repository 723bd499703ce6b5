"""A real A/A run: dense against dense, on this machine, by the engine that measures everything else.

What :mod:`dyad_core.bench.calibration` shows on simulated machines is asked of the real one: how often are two layers
of equal speed called different? At 95 % confidence about one in twenty may be.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from dyad_core.bench.candidates import CONTROL
from dyad_core.bench.disturbance import is_disturbed
from dyad_core.bench.isolation import run_benchmark
from dyad_core.bench.looks import CONFIDENCE
from dyad_core.bench.reading import PASS_NAMES
from dyad_core.bench.results import BenchmarkRun, Candidate
from dyad_core.bench.spec import BenchmarkSpec

__all__ = ["Control", "controls", "control_lines", "control_specs"]

SIZES = ((256, 1024), (1024, 256), (512, 2048), (768, 3072))
TOKENS = (16, 128, 512)
UNLIKELY = 0.01

Run = Callable[[BenchmarkSpec], BenchmarkRun]


@dataclass(frozen=True)
class Control:
    """One comparison of a dense layer with its equal."""

    run: BenchmarkRun
    candidate: Candidate

    @property
    def is_called_different(self) -> bool:
        """Whether the engine was wrong."""
        return self.candidate.outcome != "not_distinguishable"

    @property
    def line(self) -> str:
        """What came of it, for a terminal."""
        spec, found = self.run.spec, self.candidate
        figures = "no figure"
        if found.speedup is not None:
            figures = f"{found.speedup:.3f}x [{found.speedup_low:.3f}–{found.speedup_high:.3f}]"
        called = f"  called {found.outcome}" if self.is_called_different else ""
        disturbed = "  DISTURBED" if is_disturbed(self.run, found.pass_) else ""
        rounds = f"{len(found.samples_ms)} rounds"
        sizes = f"{spec.in_features}→{spec.out_features}, {spec.tokens} tokens, {PASS_NAMES[found.pass_]}"
        return f"dense against dense, {sizes}: {figures}, {rounds}{called}{disturbed}"


def control_specs(device: str = "cpu", *, quick: bool = False) -> list[BenchmarkSpec]:
    """The requests: forward and training step at each size and number of tokens; ``quick`` takes the smallest."""
    specs = [
        BenchmarkSpec(
            *sizes,
            tokens=tokens,
            n_blocks=(4,),
            passes=("forward", "train_step"),
            device=device,
            seed=number,
            max_seconds=8.0,
            peers=(CONTROL,),
        )
        for number, (sizes, tokens) in enumerate((sizes, tokens) for sizes in SIZES for tokens in TOKENS)
    ]
    return specs[:2] if quick else specs


def controls(run: BenchmarkRun) -> list[Control]:
    """The comparisons with an equal that a run holds."""
    return [Control(run, each) for each in run.candidates if each.variant == CONTROL and each.has_speed]


def control_lines(specs: list[BenchmarkSpec], *, run: Run = run_benchmark) -> Iterator[tuple[str, bool]]:
    """Lines for a terminal, and whether each is fine; the last says whether so many wrong ones are to be expected."""
    found: list[Control] = []
    for spec in specs:
        for control in controls(run(spec)):
            found.append(control)
            yield control.line, True
    wrong = sum(control.is_called_different for control in found)
    chance = at_least(wrong, len(found), 1 - CONFIDENCE)
    verdict = "as many as chance allows" if chance >= UNLIKELY else "MORE THAN CHANCE ALLOWS"
    yield (
        f"{wrong} of {len(found)} equals were called different: {verdict} (probability {chance:.2g})",
        chance >= UNLIKELY,
    )


def at_least(count: int, of: int, probability: float) -> float:
    """Probability of ``count`` or more successes in ``of`` independent trials."""
    return sum(math.comb(of, k) * probability**k * (1 - probability) ** (of - k) for k in range(count, of + 1))
