"""Measure a sweep: choose the point that tells most, measure it in a process of its own, and choose again.

What a point does, out of memory included, is that point's result. The sweep ends when nothing near 1.0x is left, when its
budget is spent, or when it is told to.
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Protocol

from dyad_core.bench.environment import foresee_environment
from dyad_core.bench.isolation import run_benchmark
from dyad_core.bench.progress import OnProgress as OnBenchmark
from dyad_core.bench.progress import Progress
from dyad_core.bench.results import BenchmarkRun, Environment, Outcome
from dyad_core.bench.spec import BenchmarkSpec
from dyad_core.errors import BenchmarkCancelled, BenchmarkError, BenchmarkFailed, BenchmarkTimeout, SpecError
from dyad_core.sweep.conclusion import conclude
from dyad_core.sweep.grid import Column, Node
from dyad_core.sweep.known import Known
from dyad_core.sweep.planner import Planner
from dyad_core.sweep.points import point_of, point_without_run
from dyad_core.sweep.progress import OnProgress, Stage, SweepProgress, rows_of
from dyad_core.sweep.results import Stopped, SweepPoint, SweepResult
from dyad_core.sweep.spec import SweepSpec

__all__ = ["OnPoint", "RunPoint", "run_sweep"]

OnPoint = Callable[[SweepPoint], None]
"""Called with each point as soon as it is there, so that a caller can keep it."""

MEMORY_FIELDS = frozenset({"tokens", "in_features", "out_features"})
"""Preflight names one of these, and only these, where a request does not fit into memory."""

REPORT_INTERVAL_S = 0.5


class RunPoint(Protocol):
    """How one point is measured: :func:`dyad_core.bench.run_benchmark`, or what a test puts in its place."""

    def __call__(
        self,
        spec: BenchmarkSpec,
        /,
        *,
        on_progress: OnBenchmark | None,
        cancel: threading.Event | None,
        timeout_s: float | None,
    ) -> BenchmarkRun:
        """Measure; raises as :func:`dyad_core.bench.run_benchmark` does."""


def run_sweep(
    spec: SweepSpec,
    *,
    run: RunPoint = run_benchmark,
    on_progress: OnProgress | None = None,
    cancel: threading.Event | None = None,
    known: Iterable[BenchmarkRun] = (),
    on_point: OnPoint | None = None,
    clock: Callable[[], float] = time.monotonic,
    here: Callable[[BenchmarkSpec], Environment | None] = foresee_environment,
) -> SweepResult:
    """Measure ``spec`` within its budget and return what was found; blocks until it is done.

    Args:
        spec: what to measure.
        run: how one point is measured.
        on_progress: called in this thread at every point, and about twice a second while one is measured.
        cancel: set it from another thread: the point under way ends within two seconds, and the result holds the others.
        known: runs that were measured before; those of this sweep's points and this environment are taken over.
        on_point: called with each point that was measured or taken over.
        clock: seconds that pass; the budget is counted with it.
        here: foresees the environment that a run made now will have.

    Raises:
        SpecError: the request does not suit this machine, whatever the size.
    """
    return _Sweep(spec, run, on_progress, cancel or threading.Event(), on_point, clock, Known(spec, known, here)).run()


class _Sweep:
    """One sweep under way."""

    def __init__(
        self,
        spec: SweepSpec,
        run: RunPoint,
        on_progress: OnProgress | None,
        cancel: threading.Event,
        on_point: OnPoint | None,
        clock: Callable[[], float],
        known: Known,
    ) -> None:
        self.spec, self.run_point, self.on_progress, self.cancel = spec, run, on_progress, cancel
        self.on_point, self.clock, self.known = on_point, clock, known
        self.planner = Planner(spec)
        self.points: list[SweepPoint] = []
        self.warnings = list(known.warnings)
        self.created_at = datetime.now(UTC).isoformat(timespec="seconds")
        self.start = clock()
        self.fraction = 0.0
        self.reported_s = float("-inf")

    def run(self) -> SweepResult:
        """Point after point."""
        self.report("starting", "starting the sweep")
        stopped = self.stop_reason()
        while stopped is None:
            node = self.planner.next(self.left_s(), self.is_known)
            if node is None:
                stopped = "budget" if self.planner.waiting else "done"
                break
            try:
                self.take(node)
            except BenchmarkCancelled:
                stopped = "cancelled"
            except BenchmarkTimeout:
                column, tokens = self.place(node)
                size = f"{column.in_features}→{column.out_features} with {tokens} tokens"
                self.warnings.append(f"{size} was under way when the time budget ended and has no result")
                stopped = "budget"
            else:
                stopped = self.stop_reason()
        whole = stopped != "cancelled"
        self.report("finished" if whole else "measuring", f"{len(self.points)} points measured", whole=whole)
        return conclude(
            self.spec,
            self.points,
            stopped=stopped,
            created_at=self.created_at,
            duration_s=self.clock() - self.start,
            warnings=self.warnings,
        )

    def left_s(self) -> float:
        """Seconds of the budget that are left."""
        return self.spec.max_seconds - (self.clock() - self.start)

    def stop_reason(self) -> Stopped | None:
        """What ends the sweep now, if anything."""
        if self.cancel.is_set():
            return "cancelled"
        if len(self.points) >= self.spec.max_points and self.planner.wishes():
            return "max_points"
        return None

    def is_known(self, node: Node) -> bool:
        """Whether a place needs no measurement."""
        return bool(self.known.runs) and self.known.of(self.spec.request(*self.place(node))) is not None

    def place(self, node: Node) -> tuple[Column, int]:
        """Size and tokens of a place."""
        return self.spec.grid.columns[node[0]], self.spec.grid.tokens[node[1]]

    def take(self, node: Node) -> None:
        """Take a place over or measure it, and tell everybody."""
        column, tokens = self.place(node)
        found = self.known.of(self.spec.request(column, tokens))
        point = self.measured(node) if found is None else point_of(self.spec, found, reused=True)
        self.points.append(point)
        self.planner.learn(node, {figure.key: figure.side for figure in point.figures})
        if self.on_point is not None:
            self.on_point(point)
        self.report("measuring", f"{self.name(node)} is measured")

    def measured(self, node: Node) -> SweepPoint:
        """Measure a place; its troubles are its result."""
        column, tokens = self.place(node)
        budget_s = self.planner.budget_s(node, self.left_s())
        request = self.spec.request(column, tokens, budget_s)
        start = self.clock()
        try:
            found = self.run_point(
                request, on_progress=self.inner(node), cancel=self.cancel, timeout_s=max(1.0, self.left_s())
            )
        except (BenchmarkCancelled, BenchmarkTimeout):
            raise
        except SpecError as error:
            if not {problem.field for problem in error.problems} <= MEMORY_FIELDS:
                raise
            return self.without_run(node, "out_of_memory", "; ".join(problem.rule for problem in error.problems))
        except BenchmarkError as error:
            killed = isinstance(error, BenchmarkFailed) and error.exit_code == -signal.SIGKILL
            return self.without_run(node, "out_of_memory" if killed else "failed", str(error).partition("\n")[0])
        seconds = self.clock() - start
        self.planner.took(node, budget_s, seconds)
        if why := self.known.refusal(found):
            return self.without_run(
                node, "failed", f"it was measured in another environment than the points before: {why}"
            )
        return point_of(self.spec, found, seconds=seconds)

    def without_run(self, node: Node, outcome: Outcome, detail: str) -> SweepPoint:
        """A point that has no run."""
        return point_without_run(self.spec, *self.place(node), outcome, detail)

    # --- news ----------------------------------------------------------------------------------

    def name(self, node: Node) -> str:
        """A place for people."""
        column, tokens = self.place(node)
        return f"{column.in_features}→{column.out_features}, {tokens} {'token' if tokens == 1 else 'tokens'}"

    def inner(self, node: Node) -> OnBenchmark:
        """Passes on what the measuring process says, not too often."""

        def report(progress: Progress) -> None:
            if self.clock() - self.reported_s >= REPORT_INTERVAL_S:
                self.report("measuring", f"{self.name(node)}: {progress.message}")

        return report

    def report(self, stage: Stage, message: str, *, whole: bool = False) -> None:
        """Say how far it is."""
        self.reported_s = self.clock()
        if self.on_progress is None:
            return
        done, spent_s = len(self.points), self.clock() - self.start
        total = done if whole else self.planner.expected()
        share = max(done / max(1, total), min(1.0, spent_s / self.spec.max_seconds))
        self.fraction = 1.0 if whole else max(self.fraction, min(0.99, share))
        eta_s = None
        if done and not whole:
            eta_s = max(0.0, min(self.left_s(), spent_s / done * (total - done)))
        progress = SweepProgress(
            stage, done, total, self.fraction, message, spent_s, 0.0 if whole else eta_s, rows_of(self.points)
        )
        self.on_progress(progress)
