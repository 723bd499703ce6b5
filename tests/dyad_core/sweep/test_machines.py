"""Sweeps on several machines: the same map as one machine makes, no point twice, one kind, and machines that drop out."""

from __future__ import annotations

import dataclasses
import threading
import time
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sweep_tools import HERE, Simulated, slope

from dyad_core.bench import BenchmarkRun, BenchmarkSpec
from dyad_core.errors import BenchmarkCancelled, BenchmarkFailed, DyadError
from dyad_core.sweep import SweepPoint, SweepProgress, SweepResult, SweepSpec, run_sweep

SPEC = SweepSpec(
    widths=(128, 192, 256, 384, 512, 768, 1024, 1536, 2048),
    tokens=(16, 32, 64, 128, 256, 512, 1024),
    n_blocks=(4,),
    max_seconds=10_000,
)
HOSTS = ("ant", "bee", "cat", "doe")


class Interleaved:
    """Machines that end their points in a drawn order: each waits until as many are under way as can be, and it is drawn."""

    def __init__(self, machine: Simulated, count: int, draw: list[int]) -> None:
        self.machine, self.count, self.draw = machine, count, draw
        self.changed = threading.Condition()
        self.under_way: list[tuple[int, int]] = []
        self.order: list[tuple[int, int]] = []

    def runs(self) -> list[Machine]:
        return [Machine(self, HOSTS[index]) for index in range(self.count)]

    def wait_for_turn(self, place: tuple[int, int]) -> None:
        with self.changed:
            self.under_way.append(place)
            self.changed.notify_all()
            # Others may still come: they get a moment, which changes the order and nothing else.
            self.changed.wait_for(lambda: len(self.under_way) == self.count, timeout=0.002)
            while place not in self.order:
                if not self.order:
                    pick = self.draw.pop() if self.draw else 0
                    self.order.append(sorted(self.under_way)[pick % len(self.under_way)])
                    self.changed.notify_all()
                else:
                    self.changed.wait(0.05)
            self.order.remove(place)
            self.under_way.remove(place)
            self.changed.notify_all()


class Machine:
    """One of them."""

    def __init__(self, crew: Interleaved, host: str) -> None:
        self.crew, self.host = crew, host

    def __call__(self, spec: BenchmarkSpec, **_options: object) -> BenchmarkRun:
        self.crew.wait_for_turn((spec.in_features, spec.tokens))
        self.crew.machine.asked.append(spec)
        run = self.crew.machine.run(spec)
        where = dataclasses.replace(run.environment, hostname=self.host, memory_total_bytes=len(self.host))
        return dataclasses.replace(run, environment=where)


class Alone:
    """A machine that simply measures, with a host name, and fails as it is told."""

    def __init__(self, host: str, *, error: Exception | None = None, **changes: object) -> None:
        self.environment = dataclasses.replace(HERE, hostname=host, **changes)  # type: ignore[arg-type]
        self.machine, self.error = Simulated(slope(600), environment=self.environment), error
        self.started = threading.Event()

    def __call__(self, spec: BenchmarkSpec, **_options: object) -> BenchmarkRun:
        self.started.set()
        if self.error is not None:
            raise self.error
        time.sleep(0.001)
        return self.machine.run(spec)


def places(result: SweepResult) -> list[tuple[int, int]]:
    return sorted((point.in_features, point.tokens) for point in result.points)


def alone(spec: SweepSpec, machine: Simulated) -> SweepResult:
    return run_sweep(spec, run=machine, clock=lambda: 0.0, here=lambda _spec: None)


@settings(max_examples=40, deadline=None)
@given(
    border=st.integers(100, 3000),
    by_tokens=st.floats(-0.6, 0.6),
    noise=st.floats(0.005, 0.2),
    wiggle=st.integers(0, 2**32),
    count=st.integers(2, 4),
    draw=st.lists(st.integers(0, 3), max_size=70),
)
def test_any_interleaving_ends_with_the_points_of_one_machine(
    border: int, by_tokens: float, noise: float, wiggle: int, count: int, draw: list[int]
) -> None:
    smooth = slope(border, by_tokens=by_tokens)

    def truth(width: int, tokens: int, n: int, pass_: str) -> float:
        """Not in order: every place is off by something of its own."""
        return smooth(width, tokens, n, pass_) * (0.8 + 0.4 * (hash((wiggle, width, tokens)) % 1000) / 1000)

    whole = alone(SPEC, Simulated(truth, noise=noise))
    crew = Interleaved(Simulated(truth, noise=noise), count, draw)
    result = run_sweep(SPEC, run=crew.runs(), clock=lambda: 0.0, here=lambda _spec: None)

    assert places(result) == places(whole)
    assert len(crew.machine.asked) == len(set(places(result)))  # none twice
    assert (result.stopped, whole.stopped) == ("done", "done")
    assert [rule.text for rule in result.rules] == [rule.text for rule in whole.rules]


def test_machines_measure_side_by_side_and_the_result_names_them() -> None:
    crew = Interleaved(Simulated(slope(600)), 2, [])
    most = 0

    def on_point(_point: SweepPoint) -> None:
        nonlocal most
        most = max(most, len(crew.under_way))

    result = run_sweep(SPEC, run=crew.runs(), clock=lambda: 0.0, on_point=on_point)
    assert most >= 1  # one is measured while another is taken in
    counts = Counter(point.run.environment.hostname for point in result.points if point.run)
    assert set(counts) == {"ant", "bee"}
    assert f"measured by 2 machines of one kind: ant ({counts['ant']}) and bee ({counts['bee']})" in result.reading


def test_everything_is_told_in_the_thread_that_waits() -> None:
    threads = set()
    seen: list[SweepProgress] = []

    def on_progress(progress: SweepProgress) -> None:
        threads.add(threading.current_thread())
        seen.append(progress)

    run_sweep(SPEC, run=[Alone("ant"), Alone("bee")], on_progress=on_progress, on_point=lambda _point: None)
    assert threads == {threading.current_thread()}
    fractions = [each.fraction for each in seen]
    assert fractions == sorted(fractions)


def test_a_machine_of_another_kind_is_left_out_and_its_points_are_measured_by_the_others() -> None:
    ant = Alone("ant")
    late = Late("bee", ant, cpu_name="another processor", device_name="another processor")
    result = run_sweep(SPEC, run=[ant, late], here=lambda _spec: None)
    assert result.stopped == "done"
    assert places(result) == places(alone(SPEC, Simulated(slope(600))))
    assert {point.outcome for point in result.points} == {"measured"}
    assert {point.run.environment.hostname for point in result.points if point.run} == {"ant"}
    assert any(
        "bee is of another kind" in warning and "another processor instead of" in warning for warning in result.warnings
    )


class Late(Alone):
    """Begins when another machine has measured, so that it is not the one that decides."""

    def __init__(self, host: str, other: Alone, **changes: object) -> None:
        super().__init__(host, **changes)
        self.other = other

    def __call__(self, spec: BenchmarkSpec, **options: object) -> BenchmarkRun:
        assert self.other.started.wait(10)
        time.sleep(0.05)
        return super().__call__(spec, **options)


def test_a_machine_that_is_lost_is_left_out_and_the_last_one_ends_the_sweep() -> None:
    gone = DyadError("bee is gone from the cluster.")
    result = run_sweep(SPEC, run=[Alone("ant"), Alone("bee", error=gone)])
    assert places(result) == places(alone(SPEC, Simulated(slope(600))))
    assert "the sweep went on without one of its machines: bee is gone from the cluster" in result.warnings
    with pytest.raises(DyadError, match="gone from the cluster"):
        run_sweep(SPEC, run=[Alone("ant", error=gone), Alone("bee", error=gone)])
    with pytest.raises(DyadError, match="gone from the cluster"):
        run_sweep(SPEC, run=Alone("ant", error=gone))


def test_trouble_at_a_point_is_no_loss_of_the_machine() -> None:
    broken = BenchmarkFailed("it ended with exit code 70", exit_code=70)
    result = run_sweep(
        dataclasses.replace(SPEC, max_points=3), run=[Alone("a", error=broken), Alone("b", error=broken)]
    )
    assert [point.outcome for point in result.points] == ["failed"] * 3


def test_max_points_is_never_passed() -> None:
    result = run_sweep(dataclasses.replace(SPEC, max_points=11), run=[Alone(host) for host in HOSTS])
    assert (result.stopped, len(result.points)) == ("max_points", 11)


def test_cancelling_ends_every_machine_and_keeps_what_is_there() -> None:
    cancel = threading.Event()
    ended: list[str] = []

    class Slow(Alone):
        def __call__(self, spec: BenchmarkSpec, **options: object) -> BenchmarkRun:
            stop = options["cancel"]
            assert isinstance(stop, threading.Event)
            self.started.set()
            assert stop.wait(30)
            ended.append(self.environment.hostname)
            raise BenchmarkCancelled("the benchmark was cancelled and its process killed")

    slow = [Slow("ant"), Slow("bee")]

    def cancel_when_both_run() -> None:
        for each in slow:
            assert each.started.wait(30)
        cancel.set()

    threading.Thread(target=cancel_when_both_run).start()
    result = run_sweep(SPEC, run=slow, cancel=cancel)
    assert (result.stopped, result.points) == ("cancelled", ())
    assert sorted(ended) == ["ant", "bee"]


def test_what_a_listener_raises_ends_every_machine() -> None:
    def on_point(_point: SweepPoint) -> None:
        raise KeyError("full")

    before = threading.active_count()
    with pytest.raises(KeyError):
        run_sweep(SPEC, run=[Alone(host) for host in HOSTS], on_point=on_point)
    assert threading.active_count() == before


def test_points_of_another_machine_of_the_kind_are_taken_over_across_machines_alone() -> None:
    known = [point.run for point in run_sweep(SPEC, run=Alone("ant")).points if point.run]
    bee = Alone("bee")
    refused = run_sweep(SPEC, run=bee, known=known, here=lambda _spec: bee.environment)
    assert not any(point.reused for point in refused.points)
    assert "hostname ant instead of bee" in refused.warnings[0]
    result = run_sweep(SPEC, run=bee, known=known, here=lambda _spec: None, across_machines=True)
    assert [point.reused for point in result.points].count(False) == 1  # the one that showed what kind it is
    assert places(result) == places(refused)


def test_kept_points_of_another_kind_do_not_decide_what_this_sweep_is() -> None:
    known = [point.run for point in run_sweep(SPEC, run=Alone("ant", device_name="GPU")).points if point.run]
    result = run_sweep(SPEC, run=Alone("bee"), known=known, here=lambda _spec: None, across_machines=True)
    assert {(point.outcome, point.reused) for point in result.points} == {("measured", False)}
    assert "not taken over: device name GPU instead of" in result.warnings[0]


def test_the_time_of_all_machines_is_shared_out() -> None:
    one, four = Simulated(slope(600)), Interleaved(Simulated(slope(600)), 4, [])
    spec = dataclasses.replace(SPEC, max_seconds=60, max_points=6)
    alone(spec, one)
    run_sweep(spec, run=four.runs(), clock=lambda: 0.0)
    assert four.machine.asked[0].max_seconds > one.asked[0].max_seconds
