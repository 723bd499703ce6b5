"""Measure a sweep: choose the point that tells most, measure it in a process of its own, and choose again.

What a point does, out of memory included, is that point's result. The sweep ends when nothing near 1.0x is left, when its
budget is spent, or when it is told to. Several machines of one kind measure points side by side; the map is the one that a
single machine would have made, sooner.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime

from dyad_core.bench.environment import foresee_environment
from dyad_core.bench.isolation import run_benchmark
from dyad_core.bench.results import BenchmarkRun, Environment
from dyad_core.bench.spec import BenchmarkSpec
from dyad_core.errors import (
    BenchmarkCancelled,
    BenchmarkTimeout,
    DyadError,
    SpecError,
)
from dyad_core.sweep.conclusion import conclude
from dyad_core.sweep.crew import Crew, Finished, RunPoint, Stop, Told
from dyad_core.sweep.grid import Column, Node
from dyad_core.sweep.known import Known
from dyad_core.sweep.planner import Planner
from dyad_core.sweep.points import point_of, point_of_trouble, point_without_run
from dyad_core.sweep.progress import OnProgress, Stage, SweepProgress, rows_of
from dyad_core.sweep.results import Stopped, SweepPoint, SweepResult
from dyad_core.sweep.spec import SweepSpec

__all__ = ["OnPoint", "RunPoint", "run_sweep"]

OnPoint = Callable[[SweepPoint], None]
"""Called with each point as soon as it is there, so that a caller can keep it."""

REPORT_INTERVAL_S = 0.5


def run_sweep(
    spec: SweepSpec,
    *,
    run: RunPoint | Sequence[RunPoint] = run_benchmark,
    on_progress: OnProgress | None = None,
    cancel: threading.Event | None = None,
    known: Iterable[BenchmarkRun] = (),
    on_point: OnPoint | None = None,
    clock: Callable[[], float] = time.monotonic,
    here: Callable[[BenchmarkSpec], Environment | None] = foresee_environment,
    across_machines: bool = False,
) -> SweepResult:
    """Measure ``spec`` within its budget and return what was found; blocks until it is done.

    Args:
        spec: what to measure.
        run: how one point is measured; of several, one for each machine, and they measure side by side.
        on_progress: called in this thread at every point, and about twice a second while one is measured.
        cancel: set it from another thread: the points under way end within two seconds, and the result holds the others.
        known: runs that were measured before; those of this sweep's points and this environment are taken over.
        on_point: called in this thread with each point that was measured or taken over.
        clock: seconds that pass; the budget is counted with it.
        here: foresees the environment that a run made now will have.
        across_machines: whether points of several machines of one kind, which differ in host name and memory alone, may stand
            in one map; so they may wherever several measure.

    Raises:
        SpecError: the request does not suit this machine, whatever the size.
        DyadError: the last machine can measure no more.
    """
    runs = [run] if callable(run) else list(run)
    sorted_out = Known(spec, known, here, across_machines=across_machines or len(runs) > 1)
    stop = Stop(cancel)
    crew = Crew(runs, stop, clock)
    try:
        return _Sweep(spec, crew, on_progress, stop, on_point, clock, sorted_out).run()
    finally:
        crew.end()


class _Sweep:
    """One sweep under way."""

    def __init__(
        self,
        spec: SweepSpec,
        crew: Crew,
        on_progress: OnProgress | None,
        cancel: threading.Event,
        on_point: OnPoint | None,
        clock: Callable[[], float],
        known: Known,
    ) -> None:
        self.spec, self.crew, self.on_progress, self.cancel = spec, crew, on_progress, cancel
        self.on_point, self.clock, self.known = on_point, clock, known
        self.planner = Planner(spec, crew.size)
        self.points: list[SweepPoint] = []
        self.warnings: list[str] = []
        self.created_at = datetime.now(UTC).isoformat(timespec="seconds")
        self.start = clock()
        self.fraction = 0.0
        self.reported_s = float("-inf")

    def run(self) -> SweepResult:
        """Point after point, as many at once as there are machines."""
        self.report("starting", "starting the sweep")
        stopped = self.stop_reason()
        while stopped is None and self.hand_out():
            stopped = self.hear() or self.stop_reason()
        while self.crew.under_way:
            self.hear()
        stopped = stopped or self.stop_reason() or ("budget" if self.planner.waiting else "done")
        whole = stopped != "cancelled"
        self.report("finished" if whole else "measuring", f"{len(self.points)} points measured", whole=whole)
        return conclude(
            self.spec,
            self.points,
            stopped=stopped,
            created_at=self.created_at,
            duration_s=self.clock() - self.start,
            warnings=[*self.known.warnings, *self.warnings],
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

    def hand_out(self) -> bool:
        """Take over what is known and give every idle machine a place; False when none is under way then."""
        under_way = self.crew.under_way
        while self.crew.has_idle and len(self.points) + len(under_way) < self.spec.max_points:
            left_s = self.left_s()
            node = self.planner.next(left_s, self.is_known, under_way)
            if node is None or self.cancel.is_set():
                break
            found = self.known.of(self.spec.request(*self.place(node)))
            if found is not None:
                self.take(node, point_of(self.spec, found, reused=True))
            else:
                request = self.spec.request(*self.place(node), self.planner.budget_s(node, left_s))
                self.crew.start(node, request, max(1.0, left_s))
        return bool(under_way)

    def take(self, node: Node, point: SweepPoint) -> None:
        """A point is there: tell everybody."""
        self.points.append(point)
        self.planner.learn(node, {figure.key: figure.side for figure in point.figures})
        if self.on_point is not None:
            self.on_point(point)
        self.report("measuring", f"{self.name(node)} is measured")

    def hear(self) -> Stopped | None:
        """Wait for the next machine that has something to say; returns what ends the sweep, if that does."""
        news = self.crew.next_news()
        if isinstance(news, Told):
            if self.clock() - self.reported_s >= REPORT_INTERVAL_S:
                self.report("measuring", f"{self.name(news.node)}: {news.progress.message}")
            return None
        if isinstance(news.error, BenchmarkCancelled):
            return "cancelled"
        if isinstance(news.error, BenchmarkTimeout):
            column, tokens = self.place(news.node)
            size = f"{column.in_features}→{column.out_features} with {tokens} tokens"
            self.warnings.append(f"{size} was under way when the time budget ended and has no result")
            return "budget"
        point = self.measured(news)
        if point is not None:
            self.take(news.node, point)
        return None

    def measured(self, news: Finished) -> SweepPoint | None:
        """What a machine found at a place; its troubles are its result. None where another machine has to measure it."""
        if news.run is None:
            return self.in_trouble(news)
        self.planner.took(news.node, news.budget_s, news.seconds)
        if why := self.known.refusal(news.run):
            host = news.run.environment.hostname or f"machine {news.machine + 1}"
            if self.go_on_without(news, f"{host} is of another kind than the machine before it: {why}"):
                return None
            detail = f"it was measured in another environment than the points before: {why}"
            return point_without_run(self.spec, *self.place(news.node), "failed", detail)
        return point_of(self.spec, news.run, seconds=news.seconds)

    def in_trouble(self, news: Finished) -> SweepPoint | None:
        """The point of a place that has no run."""
        error = news.error
        point = point_of_trouble(self.spec, *self.place(news.node), error)
        if point is not None:
            return point
        lost = isinstance(error, DyadError) and not isinstance(error, SpecError)
        if lost and self.go_on_without(news, str(error).partition("\n")[0]):
            return None
        raise error or RuntimeError(f"{self.name(news.node)} has neither a run nor an error")

    def go_on_without(self, news: Finished, why: str) -> bool:
        """Leave a machine out, if there are others; its place is measured by one of them."""
        if self.crew.size < 2:
            return False
        self.crew.dismiss(news.machine)
        self.warnings.append(f"the sweep went on without one of its machines: {why.rstrip('.')}")
        return True

    # --- news ----------------------------------------------------------------------------------

    def name(self, node: Node) -> str:
        """A place for people."""
        column, tokens = self.place(node)
        return f"{column.in_features}→{column.out_features}, {tokens} {'token' if tokens == 1 else 'tokens'}"

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
