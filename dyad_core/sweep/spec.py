"""What to sweep: a frozen, fully checked request that is also the REST body.

It is one benchmark request (:class:`dyad_core.bench.BenchmarkSpec`) over a lattice of sizes and tokens; the conditions
are checked by that class, what is checked here is the lattice and the budget.
"""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import asdict, dataclass, fields
from functools import cached_property
from typing import Any, ClassVar

from dyad_core.bench.spec import (
    MAX_SECONDS,
    Allocator,
    BenchmarkSpec,
    Cache,
    Dtype,
    MatmulPrecision,
    Module,
    OptimizerName,
    Pass,
)
from dyad_core.errors import Problem, SpecError
from dyad_core.geometry import Variant, positive_integer
from dyad_core.sweep.cost import grid_seconds, round_seconds
from dyad_core.sweep.grid import Column, Grid, Skipped, make_grid
from dyad_core.sweep.lattice import CONFIRM_POINTS, read_lattice, unconfirmed

__all__ = ["MAX_POINTS", "SweepSpec"]

MAX_POINTS = 10_000
"""The most places of a lattice, confirmed or not, and the most points that are measured."""

CONDITIONS = (
    "module", "n_blocks", "variants", "implementations", "passes", "dtype", "device", "threads", "seed",
    "optimizer", "float32_matmul_precision", "compile", "cuda_graph", "cache", "allocator", "target_interval",
)  # fmt: skip
"""Fields that every point's request takes over as they are."""

BUDGET = ("max_seconds", "max_points", "reuse", "confirmed")
"""Fields that say how much to measure and not what: no part of the identity."""


@dataclass(frozen=True)
class SweepSpec:
    """A map of where DYAD pays: sizes × tokens, and the conditions of every point.

    Args:
        widths: ``in_features`` of the layers; out_features is ``ratio`` times as many.
        tokens: rows of the input, batch × sequence.
        ratio: out_features / in_features for ``widths``; a size where that is no whole number is skipped.
        sizes: pairs (in_features, out_features) instead of ``widths``, each in_features once.
        module: ``"linear"``, or ``"feed_forward"`` for in → out → in.
        n_blocks: block counts; where one does not divide a size, it is skipped there with the reason.
        variants: as in a benchmark.
        grain: run length of the interleave; 1 is the paper.
        implementations: names from the registry, or ``"auto"``; each gets a map of its own.
        passes: as in a benchmark; each gets a map of its own.
        dtype: one dtype for the dense twin and every candidate.
        device: ``"cpu"``, ``"cuda"`` or ``"cuda:1"``.
        threads: CPU threads; None takes the number of physical cores this process may use.
        seed: of weights, inputs and the order of the rounds.
        optimizer: what ends a ``train_step``.
        float32_matmul_precision, compile, cuda_graph, cache, allocator: as in a benchmark.
        target_interval: sampling of a point stops when its intervals are this narrow (half width, as a share).
        max_seconds: budget of the whole sweep in seconds, points that are taken over not counted.
        max_points: the most points of the map.
        reuse: take over points that were measured before under the same conditions in the same environment.
        confirmed: the lattice may have more than 256 places.

    Raises:
        SpecError: with one problem per wrong field.
    """

    # Read by pydantic when the service uses this class; no import of pydantic is needed for that.
    __pydantic_config__: ClassVar[dict[str, Any]] = {"extra": "forbid"}

    widths: tuple[int, ...] = ()
    tokens: tuple[int, ...] = (16, 64, 256, 1024, 4096)
    ratio: float = 4.0
    sizes: tuple[tuple[int, int], ...] = ()
    module: Module = "linear"
    n_blocks: tuple[int, ...] = (4, 8)
    variants: tuple[Variant, ...] = ("it",)
    grain: int = 1
    implementations: tuple[str, ...] = ("auto",)
    passes: tuple[Pass, ...] = ("forward",)
    dtype: Dtype = "float32"
    device: str = "cpu"
    threads: int | None = None
    seed: int = 0
    optimizer: OptimizerName = "adamw"
    float32_matmul_precision: MatmulPrecision = "highest"
    compile: bool = False
    cuda_graph: bool = False
    cache: Cache = "warm"
    allocator: Allocator = "default"
    target_interval: float = 0.05
    max_seconds: float = 600.0
    max_points: int = 200
    reuse: bool = True
    confirmed: bool = False

    def __post_init__(self) -> None:
        """Turn lists into tuples, check every rule, report all problems at once."""
        problems = [*self._take_lattice(), *self._budget_problems(), *self._condition_problems()]
        if not problems:
            problems = self._grid_problems()
        if problems:
            raise SpecError(problems)

    def _take_lattice(self) -> list[Problem]:
        """Check the lists and the ratio, and sort the lists."""
        lines = {name: getattr(self, name) for name in ("widths", "tokens", "sizes")}
        taken, problems = read_lattice(lines, self.ratio)
        for name, values in taken.items():
            object.__setattr__(self, name, values)
        return problems

    def _budget_problems(self) -> list[Problem]:
        problems = [
            Problem(name, "must be true or false", getattr(self, name))
            for name in ("reuse", "confirmed")
            if not isinstance(getattr(self, name), bool)
        ]
        seconds = self.max_seconds
        if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 < seconds <= MAX_SECONDS:
            rule = f"must be a number of seconds above 0 and at most {MAX_SECONDS:.0f}"
            problems.append(Problem("max_seconds", rule, seconds, "600 is ten minutes"))
        if (problem := positive_integer("max_points", self.max_points)) is not None:
            problems.append(problem)
        elif self.max_points > MAX_POINTS:
            problems.append(Problem("max_points", f"must be at most {MAX_POINTS}", self.max_points))
        return problems

    def _condition_problems(self) -> list[Problem]:
        """Let a benchmark of a size that suits every n check what it knows, and take its tuples over."""
        problem = positive_integer("grain", self.grain)
        problems = [] if problem is None else [problem]
        grain = 1 if problems else self.grain
        blocks = self.n_blocks if isinstance(self.n_blocks, list | tuple) else ()
        fitting = all(positive_integer("n_blocks", n) is None for n in blocks)
        size = math.lcm(*(int(n) for n in blocks)) * grain if fitting else 1
        values = {name: getattr(self, name) for name in CONDITIONS}
        try:
            checked = BenchmarkSpec(size, size, tokens=1, grains=(grain,), max_seconds=1.0, **values)
        except SpecError as error:
            return problems + list(error.problems)
        for name in CONDITIONS:
            object.__setattr__(self, name, getattr(checked, name))
        return problems

    def _grid_problems(self) -> list[Problem]:
        grid = self.grid
        if not grid.columns:
            reasons = dict.fromkeys(skipped.reason for skipped in grid.skipped)
            received = [skipped.in_features for skipped in grid.skipped]
            field, listed = "sizes" if self.sizes else "widths", "; ".join([*reasons][:3])
            return [Problem(field, f"must hold a size that a block count divides: {listed}", sorted(set(received)))]
        if grid.points > MAX_POINTS:
            return [Problem("tokens", f"sizes × tokens must be at most {MAX_POINTS:,} points", grid.points)]
        if grid.points > CONFIRM_POINTS and not self.confirmed:
            seconds = grid_seconds(grid, self.passes, self.per_n, device=self.device, layers=self.layers)
            return [unconfirmed(grid, seconds, self.max_seconds, self.max_points)]
        return []

    @cached_property
    def grid(self) -> Grid:
        """The lattice, with what was left out and why."""
        if self.sizes:
            return make_grid(self.sizes, self.tokens, self.n_blocks, self.variants, self.grain)
        whole = {width: round(width * self.ratio) for width in self.widths}
        fitting = [(width, out) for width, out in whole.items() if out > 0 and out == width * self.ratio]
        grid = make_grid(fitting, self.tokens, self.n_blocks, self.variants, self.grain)
        torn = tuple(
            Skipped(width, None, None, f"{self.ratio:g} times in_features={width} is no whole number")
            for width in self.widths
            if width not in dict(fitting)
        )
        return Grid(grid.columns, grid.tokens, (*torn, *grid.skipped))

    @property
    def per_n(self) -> int:
        """Candidates at each n."""
        return len(self.variants) * len(self.implementations)

    @property
    def layers(self) -> int:
        """Matrix products of the module."""
        return 2 if self.module == "feed_forward" else 1

    def round_s(self, column: Column, tokens: int) -> float:
        """Seconds of one round at a size, by an estimate."""
        return round_seconds(column, tokens, self.passes, self.per_n, device=self.device, layers=self.layers)

    def request(self, column: Column, tokens: int, max_seconds: float = 60.0) -> BenchmarkSpec:
        """The benchmark of one point: all n and variants in one run, so that they are timed in interleaved rounds."""
        values = {name: getattr(self, name) for name in CONDITIONS} | {"n_blocks": column.n_blocks}
        return BenchmarkSpec(
            column.in_features,
            column.out_features,
            tokens=tokens,
            grains=(self.grain,),
            max_seconds=max_seconds,
            **values,
        )

    def to_dict(self) -> dict[str, Any]:
        """Return every field as JSON-ready values."""
        return json.loads(json.dumps(asdict(self)))  # type: ignore[no-any-return]

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> SweepSpec:
        """Build from a mapping; an unknown field is a problem like any other.

        Raises:
            SpecError: for unknown fields and every broken rule.
        """
        known = {field.name for field in fields(cls)}
        listed = f"known fields: {', '.join(sorted(known))}"
        problems = [
            Problem(str(name), "is not a field of a sweep", values[name], listed)
            for name in values
            if name not in known
        ]
        try:
            spec = cls(**{name: value for name, value in values.items() if name in known})
        except SpecError as error:
            raise SpecError([*problems, *error.problems]) from error
        if problems:
            raise SpecError(problems)
        return spec

    def digest(self) -> str:
        """Identity of the map that is asked for; how much time it may take is no part of it."""
        return _digest({name: value for name, value in asdict(self).items() if name not in BUDGET})

    def conditions_digest(self) -> str:
        """Identity of the conditions without the sizes: sweeps that share it may share points."""
        return _digest({"grain": self.grain, **{name: getattr(self, name) for name in CONDITIONS}})


def _digest(values: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()
