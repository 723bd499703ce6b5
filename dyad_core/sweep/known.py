"""Points that were measured before: which of them this sweep may take over, and a sentence for those it may not."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable, Iterable

from dyad_core.bench.identity import IDENTIFYING
from dyad_core.bench.results import BenchmarkRun, Environment
from dyad_core.bench.spec import BenchmarkSpec
from dyad_core.sweep.spec import SweepSpec

__all__ = ["Known", "point_digest"]

NAMED = 3

OF_THE_REQUEST = ("dtype", "dtype_emulated", "float32_matmul_precision")
"""Fields of an environment that the request of a point says already."""


def point_digest(spec: BenchmarkSpec) -> str:
    """Identity of a point's request. Its time budget is no part: a sweep gives each point what is left."""
    return dataclasses.replace(spec, max_seconds=60.0).digest()


def differences(known: Environment, here: Environment) -> list[str]:
    """How one environment differs from this one, field by field: "torch version 2.12.0 instead of 2.13.0"."""
    return [
        f"{name.replace('_', ' ')} {getattr(known, name)} instead of {getattr(here, name)}"
        for name in IDENTIFYING
        if name not in OF_THE_REQUEST and getattr(known, name) != getattr(here, name)
    ]


class Known:
    """The runs that may be taken over, by the request of their point.

    Args:
        spec: of the sweep.
        runs: any runs; those of other requests are not looked at. Of two of one request the later one counts.
        here: foresees the environment of a run made now; asked only when a run could be taken over.
    """

    def __init__(
        self, spec: SweepSpec, runs: Iterable[BenchmarkRun], here: Callable[[BenchmarkSpec], Environment | None]
    ) -> None:
        """Sort out; ``warnings`` then says what was refused."""
        self.runs: dict[str, BenchmarkRun] = {}
        fitting = _fitting(spec, list(runs)) if spec.reuse else []
        self.warnings: list[str] = []
        self.environment = here(fitting[0].spec) if fitting else None
        refused: Counter[str] = Counter()
        for run in sorted(fitting, key=lambda run: run.created_at):
            if why := self.refusal(run):
                refused[why] += 1
            else:
                self.runs[point_digest(run.spec)] = run
        if not self.runs:
            self.environment = None  # foreseen, and nothing depends on it: the first point that is measured decides
        for why, count in refused.items():
            points = f"{count} known point was" if count == 1 else f"{count} known points were"
            self.warnings.append(f"{points} measured in another environment and not taken over: {why}")

    def refusal(self, run: BenchmarkRun) -> str:
        """Why a run does not belong to the environment of this sweep; empty when it does. The first run decides it."""
        if self.environment is None:
            self.environment = run.environment
        found = differences(run.environment, self.environment)
        more = f" and {len(found) - NAMED} more" if len(found) > NAMED else ""
        return ", ".join(found[:NAMED]) + more

    def of(self, spec: BenchmarkSpec) -> BenchmarkRun | None:
        """The run of a point, if it is known."""
        return self.runs.get(point_digest(spec)) if self.runs else None


def _fitting(spec: SweepSpec, runs: list[BenchmarkRun]) -> list[BenchmarkRun]:
    """The runs whose request is that of a point of this sweep."""
    columns = {(column.in_features, column.out_features): column for column in spec.grid.columns}
    tokens = set(spec.grid.tokens)
    found = []
    for run in runs:
        column = columns.get((run.spec.in_features, run.spec.out_features))
        if column is not None and run.spec.tokens in tokens:
            wanted = spec.request(column, run.spec.tokens)
            if point_digest(run.spec) == point_digest(wanted):
                found.append(run)
    return found
