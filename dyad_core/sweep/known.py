"""Points that were measured before: which of them this sweep may take over, and a sentence for those it may not."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable, Iterable

from dyad_core.bench.identity import IDENTIFYING, OF_ONE_MACHINE
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


def differences(known: Environment, here: Environment, *, across_machines: bool = False) -> list[str]:
    """How one environment differs from this one, field by field: "torch version 2.12.0 instead of 2.13.0".

    With ``across_machines`` two machines of one kind do not differ: host name and size of memory are not looked at.
    """
    ignored = {*OF_THE_REQUEST, *(OF_ONE_MACHINE if across_machines else ())}
    return [
        f"{name.replace('_', ' ')} {getattr(known, name)} instead of {getattr(here, name)}"
        for name in IDENTIFYING
        if name not in ignored and getattr(known, name) != getattr(here, name)
    ]


class Known:
    """The runs that may be taken over, by the request of their point.

    Args:
        spec: of the sweep.
        runs: any runs; those of other requests are not looked at. Of two of one request the later one counts.
        here: foresees the environment of a run made now; asked only when a run could be taken over. Where it does not
            know, the first point that is measured decides, and nothing is taken over before.
        across_machines: whether runs of several machines of one kind may stand side by side.
    """

    def __init__(
        self,
        spec: SweepSpec,
        runs: Iterable[BenchmarkRun],
        here: Callable[[BenchmarkSpec], Environment | None],
        *,
        across_machines: bool = False,
    ) -> None:
        """Sort out; ``warnings`` then says what was refused."""
        self.runs: dict[str, BenchmarkRun] = {}
        self.warnings: list[str] = []
        self._across_machines = across_machines
        self._waiting = _fitting(spec, list(runs)) if spec.reuse else []
        self.environment = here(self._waiting[0].spec) if self._waiting else None
        self._sort_out()
        if not self.runs:
            self.environment = None  # foreseen, and nothing depends on it: the first point that is measured decides

    def refusal(self, run: BenchmarkRun) -> str:
        """Why a run does not belong to the environment of this sweep; empty when it does. The first run decides it."""
        if self.environment is None:
            self.environment = run.environment
            self._sort_out()
        found = differences(run.environment, self.environment, across_machines=self._across_machines)
        more = f" and {len(found) - NAMED} more" if len(found) > NAMED else ""
        return ", ".join(found[:NAMED]) + more

    def _sort_out(self) -> None:
        """Look at the runs that wait, once it is known what they are held against."""
        if self.environment is None:
            return
        waiting, self._waiting = self._waiting, []
        refused: Counter[str] = Counter()
        for run in sorted(waiting, key=lambda run: run.created_at):
            if why := self.refusal(run):
                refused[why] += 1
            else:
                self.runs[point_digest(run.spec)] = run
        for why, count in refused.items():
            points = f"{count} known point was" if count == 1 else f"{count} known points were"
            self.warnings.append(f"{points} measured in another environment and not taken over: {why}")

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
