"""What becomes of jobs whose server, machine or process goes away, or that reach a limit: with the real scheduler."""

import dataclasses
import os
import signal
import sys
from collections.abc import Callable, Iterator
from typing import Any

import psutil
import pytest
from service_tools import SLEEP, ProcessKind, alive, claim_next, new_job, wait_until
from sqlalchemy.exc import OperationalError

from backend.executors.base import SERVER, Needs, PlaceLost
from backend.executors.local import LocalExecutor
from backend.jobs.context import Context
from backend.jobs.kind import JobKind, Outcome, Request
from backend.jobs.scheduler import Scheduler
from backend.jobs.states import TERMINAL, State
from backend.jobs.turn import turn_for
from backend.settings import Settings
from backend.store.lines import Lines
from backend.store.models import Job
from backend.store.store import NewJob, Store
from dyad_core.bench.process import Work

MakeScheduler = Callable[..., Scheduler]
HOG = """
import json, sys, time
request = json.loads(sys.stdin.readline())
held = [bytearray(b"x" * (1 << 20)) for _ in range(request["mebibytes"])]
time.sleep(600)
"""


class Unsteady:
    """Loses its place at its first starts, as work on a machine that goes away."""

    name = "unsteady"

    def read(self, body: dict[str, Any]) -> Request:
        return Request(spec=body, digest="")

    def run(self, spec: dict[str, Any], context: Context) -> Outcome:
        self.starts = getattr(self, "starts", 0) + 1
        context.on_line(f"start {self.starts}")
        if self.starts <= spec["losses"]:
            raise PlaceLost("the node tower went away")
        return Outcome({"starts": self.starts}, None, [])


class Hog:
    """Holds as much memory as it is asked to."""

    name = "hog"

    def read(self, body: dict[str, Any]) -> Request:
        return Request(spec=body, digest="")

    def run(self, spec: dict[str, Any], context: Context) -> Outcome:
        work = Work((sys.executable, "-c", HOG), spec, name="hog", process_name="hungry process")
        return Outcome(context.run(work, on_message=context.on_progress), None, [])


@pytest.fixture
def make_scheduler(store: Store, settings: Settings) -> Iterator[MakeScheduler]:
    made: list[Scheduler] = []

    def make() -> Scheduler:
        kinds: dict[str, JobKind] = {kind.name: kind for kind in (ProcessKind(), Unsteady(), Hog())}
        scheduler = Scheduler(store, kinds, LocalExecutor(), turn_for(store.engine, settings.home), lambda _job: None)
        made.append(scheduler)
        return scheduler

    yield make
    for scheduler in made:
        scheduler.stop()


def job_of(kind: str, spec: dict[str, Any], **values: Any) -> NewJob:
    return NewJob(kind=kind, spec=spec, spec_digest="", warnings=[], **values)


def finished(store: Store, job: Job) -> Job:
    def over() -> Job | None:
        found = store.get(job.id, with_result=True)
        return found if found.status in TERMINAL else None

    found: Job = wait_until(over, f"the end of job {job.id}")
    return found


def log_of(store: Store, job: Job) -> list[tuple[int, str]]:
    return [(line.attempt, line.text) for line in Lines(store.engine).read(job, after=0, limit=100)]


def pid_of(store: Store, job: Job) -> int:
    pid: int = wait_until(lambda: (store.get(job.id).progress or {}).get("pid"), "the start of the process")
    return pid


def test_a_job_whose_machine_is_lost_is_started_again_while_it_has_starts(
    store: Store, make_scheduler: MakeScheduler
) -> None:
    job = store.add(job_of("unsteady", {"losses": 2}, attempts=3))
    make_scheduler().start()

    done = finished(store, job)
    assert (done.status, done.attempt, done.result) == (State.SUCCEEDED, 3, {"starts": 3})
    log = log_of(store, job)
    assert [attempt for attempt, text in log if text.startswith("start ")] == [1, 2, 3]
    lost = [text for _, text in log if "lost" in text]
    assert [text.rpartition("with ")[2] for text in lost] == ["2 starts left.", "one start left."]
    assert "The node tower went away" in lost[0]


def test_a_job_without_a_start_left_fails_with_the_cause(store: Store, make_scheduler: MakeScheduler) -> None:
    job = store.add(job_of("unsteady", {"losses": 2}, attempts=2))
    make_scheduler().start()

    done = finished(store, job)
    assert (done.status, done.attempt) == (State.FAILED, 2)
    assert done.error == {
        "title": "The machine of this run was lost",
        "detail": "The node tower went away.",
        "reason": "lost",
    }


def test_a_job_of_a_dead_server_is_started_again_or_interrupted_by_its_starts(
    store: Store, make_scheduler: MakeScheduler
) -> None:
    once = store.add(new_job())
    again = store.add(dataclasses.replace(new_job("print(2)"), attempts=2))
    assert [claim_next(store), claim_next(store)] != [None, None]
    make_scheduler().start()

    assert finished(store, again).result == {"value": 2}
    assert store.get(again.id).attempt == 2
    interrupted = finished(store, once)
    assert (interrupted.status, interrupted.attempt) == (State.INTERRUPTED, 1)
    assert interrupted.error is not None
    assert interrupted.error["reason"] == "server_died"


def test_a_deliberate_stop_uses_up_no_start(store: Store, make_scheduler: MakeScheduler) -> None:
    job = store.add(dataclasses.replace(new_job(SLEEP), attempts=2))
    scheduler = make_scheduler()
    scheduler.start()
    pid = pid_of(store, job)
    scheduler.stop()

    stopped = store.get(job.id)
    assert (stopped.status, stopped.attempt, stopped.progress) == (State.QUEUED, 0, None)
    assert not alive(pid)


def test_a_killed_process_is_started_again_where_that_was_allowed(store: Store, make_scheduler: MakeScheduler) -> None:
    job = store.add(job_of("hog", {"mebibytes": 1}, attempts=2))
    make_scheduler().start()
    wait_until(lambda: store.get(job.id).status is State.RUNNING, "the start")
    for attempt in (1, 2):
        wait_until(lambda: store.get(job.id).attempt == attempt and hungry(), "the process")  # noqa: B023 - called at once
        os.kill(hungry()[0], signal.SIGKILL)
        wait_until(lambda: store.get(job.id).attempt > attempt or store.get(job.id).status in TERMINAL, "its end")  # noqa: B023

    done = finished(store, job)
    assert (done.status, done.attempt) == (State.FAILED, 2)
    assert done.error is not None
    assert done.error["reason"] == "lost"
    assert "killed by SIGKILL, exit code -9" in done.error["detail"]


def hungry() -> list[int]:
    return [child.pid for child in psutil.Process().children(recursive=True) if HOG in child.cmdline()]


def test_a_time_limit_ends_a_job_and_says_so(store: Store, make_scheduler: MakeScheduler) -> None:
    job = store.add(dataclasses.replace(new_job(SLEEP), time_limit_s=1.5))
    next_one = store.add(new_job())
    make_scheduler().start()

    done = finished(store, job)
    assert done.status is State.FAILED
    assert done.error is not None
    assert done.error["reason"] == "time_limit"
    assert "its limit of 1.5 s" in done.error["detail"]
    assert finished(store, next_one).status is State.SUCCEEDED


def test_a_memory_limit_ends_a_job_and_says_limit_and_figure(store: Store, make_scheduler: MakeScheduler) -> None:
    job = store.add(job_of("hog", {"mebibytes": 300}, memory_limit_bytes=100 << 20, attempts=3))
    make_scheduler().start()

    done = finished(store, job)
    assert (done.status, done.attempt) == (State.FAILED, 1)  # it would need as much again
    assert done.error is not None
    assert done.error["reason"] == "memory_limit"
    assert "where its limit is 0.10 GiB" in done.error["detail"]


def test_a_start_that_was_not_heard_of_is_no_start(
    store: Store, make_scheduler: MakeScheduler, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, broken = store.claim, []

    def claim(*arguments: Any) -> Job | None:
        claimed = real(*arguments)
        if not broken:  # the row is written, and the connection breaks before the answer
            broken.append(claimed)
            raise OperationalError("COMMIT", {}, Exception("server closed the connection unexpectedly"))
        return claimed

    monkeypatch.setattr(store, "claim", claim)
    job = store.add(new_job("print(3)"))
    make_scheduler().start()

    done = finished(store, job)
    assert (done.result, done.attempt) == ({"value": 3}, 1)


def test_other_work_runs_beside_a_measurement_that_leaves_processors(
    store: Store, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("backend.executors.local.usable_cores", lambda _cpus: 2)
    executor = LocalExecutor()
    monkeypatch.setattr(executor, "_cpus", sorted(os.sched_getaffinity(0)) * 2)
    monkeypatch.setattr(executor, "_move_service", lambda _cpus: None)
    measuring = store.add(dataclasses.replace(new_job(SLEEP), needs=Needs("cpu", threads=1)))
    second = store.add(new_job(SLEEP))
    beside = store.add(dataclasses.replace(new_job("print(4)"), needs=Needs(SERVER, alone=False)))
    scheduler = Scheduler(
        store, {"process": ProcessKind()}, executor, turn_for(store.engine, settings.home), lambda _job: None
    )
    scheduler.start()
    try:
        assert finished(store, beside).result == {"value": 4}
        assert store.get(measuring.id).status is State.RUNNING
        assert store.get(second.id).status is State.QUEUED
    finally:
        scheduler.stop()
