"""The machines of a sweep: each measures in a thread of its own, and what they say comes out in one thread."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from dyad_core.bench.progress import OnProgress, Progress
from dyad_core.bench.results import BenchmarkRun
from dyad_core.bench.spec import BenchmarkSpec
from dyad_core.sweep.grid import Node

__all__ = ["Crew", "Finished", "RunPoint", "Stop", "Told"]

LOOK_INTERVAL_S = 0.25


class RunPoint(Protocol):
    """How one machine measures a point: :func:`dyad_core.bench.run_benchmark`, or what a test puts in its place."""

    def __call__(
        self,
        spec: BenchmarkSpec,
        /,
        *,
        on_progress: OnProgress | None,
        cancel: threading.Event | None,
        timeout_s: float | None,
    ) -> BenchmarkRun:
        """Measure; raises as :func:`dyad_core.bench.run_benchmark` does.

        Any other :class:`~dyad_core.errors.DyadError` means that this machine can measure no more.
        """


class Stop(threading.Event):
    """Set by itself, or by the event of a caller."""

    def __init__(self, outer: threading.Event | None) -> None:
        """Listen to ``outer`` as well."""
        super().__init__()
        self._outer = outer

    def is_set(self) -> bool:
        """Whether either is set."""
        return super().is_set() or (self._outer is not None and self._outer.is_set())

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for either."""
        end = None if timeout is None else time.monotonic() + timeout
        while not self.is_set():
            left_s = LOOK_INTERVAL_S if end is None else min(LOOK_INTERVAL_S, end - time.monotonic())
            if left_s <= 0:
                return False
            super().wait(left_s)
        return True


@dataclass(frozen=True)
class Told:
    """A machine said how far it is with a place."""

    node: Node
    progress: Progress


@dataclass(frozen=True)
class Finished:
    """A machine is through with a place.

    Attributes:
        node: the place.
        machine: its number.
        budget_s: what it was given for the timing.
        seconds: what it took.
        run: what it measured.
        error: what it raised instead.
    """

    node: Node
    machine: int
    budget_s: float
    seconds: float
    run: BenchmarkRun | None = None
    error: BaseException | None = None


class Crew:
    """Machines, and the places that they are measuring.

    Args:
        runs: one per machine.
        stop: ends what they measure.
        clock: seconds that pass.
    """

    def __init__(self, runs: Sequence[RunPoint], stop: Stop, clock: Callable[[], float]) -> None:
        """Everyone is idle."""
        self._runs, self._stop, self._clock = runs, stop, clock
        self._idle = list(range(len(runs)))
        self._news: queue.SimpleQueue[Told | Finished] = queue.SimpleQueue()
        self._threads: dict[int, threading.Thread] = {}
        self.under_way: dict[Node, int] = {}

    @property
    def has_idle(self) -> bool:
        """Whether a machine has nothing to do."""
        return bool(self._idle)

    @property
    def size(self) -> int:
        """How many machines there are."""
        return len(self._idle) + len(self.under_way)

    def start(self, node: Node, request: BenchmarkSpec, timeout_s: float) -> None:
        """Let an idle machine measure a place."""
        machine = self._idle.pop(0)
        self.under_way[node] = machine
        arguments = (machine, node, request, timeout_s)
        thread = threading.Thread(target=self._measure, args=arguments, name=f"dyad-point-{machine}", daemon=True)
        self._threads[machine] = thread
        thread.start()

    def next_news(self) -> Told | Finished:
        """What the next machine says; waits for it. A place must be under way."""
        news = self._news.get()
        if isinstance(news, Finished):
            del self.under_way[news.node]
            self._threads.pop(news.machine).join()
            self._idle.append(news.machine)
            self._idle.sort()
        return news

    def dismiss(self, machine: int) -> None:
        """An idle machine measures no more."""
        self._idle.remove(machine)

    def end(self) -> None:
        """End everything under way and wait for it."""
        self._stop.set()
        for thread in self._threads.values():
            thread.join()

    def _measure(self, machine: int, node: Node, request: BenchmarkSpec, timeout_s: float) -> None:
        start, run, error = self._clock(), None, None
        try:
            run = self._runs[machine](
                request,
                on_progress=lambda progress: self._news.put(Told(node, progress)),
                cancel=self._stop,
                timeout_s=timeout_s,
            )
        except BaseException as raised:  # noqa: BLE001 - raised where the sweep is waited for
            error = raised
        seconds = self._clock() - start
        self._news.put(Finished(node, machine, request.max_seconds, seconds, run, error))
