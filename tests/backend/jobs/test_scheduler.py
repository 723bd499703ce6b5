"""The queue with real processes: order, progress, cancel, failure, shutdown, recovery and two servers."""

import itertools
import os
import signal
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from service_tools import SLEEP, ProcessKind, alive, claim_next, new_job, wait_until

from backend.executors.local import LocalExecutor
from backend.jobs.context import Context
from backend.jobs.kind import JobKind, Outcome, Request
from backend.jobs.scheduler import Scheduler
from backend.jobs.states import TERMINAL, IllegalChange, State
from backend.jobs.turn import turn_for
from backend.settings import Settings
from backend.store.models import Job
from backend.store.store import Store, UnknownJob

MakeScheduler = Callable[..., Scheduler]


class Broken:
    """A kind with a mistake in it."""

    name = "broken"

    def read(self, body: dict[str, Any]) -> Request:
        return Request(spec=body, digest="")

    def run(self, spec: dict[str, Any], context: Context) -> Outcome:
        raise KeyError("forgotten")


@pytest.fixture
def make_scheduler(store: Store, settings: Settings) -> Iterator[MakeScheduler]:
    made: list[Scheduler] = []

    def make(heard: list[Job] | None = None) -> Scheduler:
        kinds: dict[str, JobKind] = {"process": ProcessKind(), "broken": Broken()}
        tell = (lambda job: None) if heard is None else heard.append
        scheduler = Scheduler(store, kinds, LocalExecutor(), turn_for(store.engine, settings.home), tell)
        made.append(scheduler)
        return scheduler

    yield make
    for scheduler in made:
        scheduler.stop()


def finished(store: Store, job_id: str) -> Job:
    def over() -> Job | None:
        job = store.get(job_id, with_result=True)
        return job if job.status in TERMINAL else None

    job: Job = wait_until(over, f"the end of job {job_id}")
    return job


def process_of(store: Store, job_id: str) -> int:
    """Wait until the job's process has started and return its id."""
    pid: int = wait_until(lambda: (store.get(job_id).progress or {}).get("pid"), "the start of the process")
    return pid


def test_jobs_run_one_after_the_other_in_their_order(store: Store, make_scheduler: MakeScheduler) -> None:
    heard: list[Job] = []
    jobs = [store.add(new_job(f"print({number})")) for number in range(3)]
    make_scheduler(heard).start()

    done = [finished(store, job.id) for job in jobs]
    assert [job.status for job in done] == [State.SUCCEEDED] * 3
    assert [job.result for job in done] == [{"value": number} for number in range(3)]
    assert done[0].headline == "value 0"
    for before, after in zip(done, done[1:], strict=False):
        assert before.finished_at is not None
        assert after.started_at is not None
        assert before.finished_at <= after.started_at

    expected = [(job.id, status) for job in jobs for status in (State.RUNNING, State.SUCCEEDED)]
    wait_until(lambda: (heard[-1].id, heard[-1].status) == expected[-1], "the last news")
    assert [key for key, _ in itertools.groupby((job.id, job.status) for job in heard)] == expected


def test_a_job_that_comes_while_the_queue_sleeps_is_run(store: Store, make_scheduler: MakeScheduler) -> None:
    scheduler = make_scheduler()
    scheduler.start()
    wait_until(lambda: scheduler.state == "measuring", "the start of the scheduler")
    job = store.add(new_job())
    scheduler.wake()

    assert finished(store, job.id).status is State.SUCCEEDED


def test_progress_is_written_and_its_preliminary_figures_are_dropped_at_the_end(
    store: Store, make_scheduler: MakeScheduler
) -> None:
    job = store.add(new_job())
    make_scheduler().start()

    progress = finished(store, job.id).progress
    assert progress is not None
    assert progress["stage"] == "running"
    assert progress["candidates"] == []


def test_cancelling_a_running_job_kills_its_process_and_the_queue_goes_on(
    store: Store, make_scheduler: MakeScheduler
) -> None:
    first, second = store.add(new_job(SLEEP)), store.add(new_job())
    scheduler = make_scheduler()
    scheduler.start()
    pid = process_of(store, first.id)

    assert scheduler.cancel(first.id).status in (State.RUNNING, State.CANCELLED)
    assert finished(store, first.id).status is State.CANCELLED
    assert not alive(pid)
    assert finished(store, second.id).status is State.SUCCEEDED
    with pytest.raises(IllegalChange, match="A cancelled job cannot become cancelled"):
        scheduler.cancel(first.id)


def test_a_queued_job_is_cancelled_at_once_and_never_starts(store: Store, make_scheduler: MakeScheduler) -> None:
    first, second = store.add(new_job(SLEEP)), store.add(new_job())
    scheduler = make_scheduler()
    scheduler.start()
    process_of(store, first.id)

    assert scheduler.cancel(second.id).status is State.CANCELLED
    scheduler.cancel(first.id)
    finished(store, first.id)
    assert store.get(second.id).started_at is None


def test_cancelling_an_unknown_job_is_an_error(make_scheduler: MakeScheduler) -> None:
    with pytest.raises(UnknownJob):
        make_scheduler().cancel("f" * 32)


def test_a_failed_process_is_said_with_its_cause_and_the_queue_goes_on(
    store: Store, make_scheduler: MakeScheduler
) -> None:
    failing, next_one = store.add(new_job("raise SystemExit(3)")), store.add(new_job())
    make_scheduler().start()

    failed = finished(store, failing.id)
    assert failed.status is State.FAILED
    assert failed.error == {
        "title": "The run failed",
        "detail": "The process ended with exit code 3.",
        "reason": "failed",
    }
    assert finished(store, next_one.id).status is State.SUCCEEDED


def test_a_killed_process_is_said_with_its_cause_and_the_queue_goes_on(
    store: Store, make_scheduler: MakeScheduler
) -> None:
    killed, next_one = store.add(new_job(SLEEP)), store.add(new_job())
    make_scheduler().start()
    os.kill(process_of(store, killed.id), signal.SIGKILL)

    failed = finished(store, killed.id)
    assert failed.status is State.FAILED
    assert failed.error is not None
    assert "exit code -9" in failed.error["detail"]
    assert finished(store, next_one.id).status is State.SUCCEEDED


@pytest.mark.parametrize(
    ("kind", "detail"),
    [("broken", "KeyError: 'forgotten'. The server's log has the details."), ("of tomorrow", "does not know jobs of")],
)
def test_a_mistake_ends_the_job_and_not_the_queue(
    store: Store, make_scheduler: MakeScheduler, kind: str, detail: str, caplog: pytest.LogCaptureFixture
) -> None:
    broken, next_one = store.add(new_job(kind=kind)), store.add(new_job())
    make_scheduler().start()

    failed = finished(store, broken.id)
    assert failed.status is State.FAILED
    assert failed.error is not None
    assert detail in failed.error["detail"]
    assert finished(store, next_one.id).status is State.SUCCEEDED


def test_stopping_kills_the_running_job_marks_it_and_leaves_queued_ones_for_the_next_start(
    store: Store, make_scheduler: MakeScheduler
) -> None:
    running, queued = store.add(new_job(SLEEP)), store.add(new_job())
    first = make_scheduler()
    first.start()
    pid = process_of(store, running.id)
    first.stop()

    assert first.state == "stopped"
    assert not alive(pid)
    interrupted = store.get(running.id)
    assert interrupted.status is State.INTERRUPTED
    assert interrupted.error is not None
    assert "Start the run again" in interrupted.error["detail"]
    assert store.get(queued.id).status is State.QUEUED

    make_scheduler().start()
    assert finished(store, queued.id).status is State.SUCCEEDED


def test_what_a_dead_server_left_running_is_interrupted_before_anything_runs(
    store: Store, make_scheduler: MakeScheduler
) -> None:
    left, queued = store.add(new_job(SLEEP)), store.add(new_job())
    claim_next(store)
    make_scheduler().start()

    finished(store, queued.id)
    job = store.get(left.id)
    assert job.status is State.INTERRUPTED
    assert job.error is not None
    assert "start the run again" in job.error["detail"]


def test_a_second_server_waits_for_its_turn_and_takes_over(store: Store, make_scheduler: MakeScheduler) -> None:
    running = store.add(new_job(SLEEP))
    first, second = make_scheduler(), make_scheduler()
    first.start()
    process_of(store, running.id)
    second.start()
    queued = store.add(new_job())
    second.wake()
    wait_until(lambda: second.state == "standby", "standing by")
    assert store.get(running.id).status is State.RUNNING
    assert store.get(queued.id).status is State.QUEUED

    first.stop()
    assert finished(store, queued.id).status is State.SUCCEEDED
    assert second.state == "measuring"


def test_a_job_that_somebody_else_ended_loses_its_process(store: Store, make_scheduler: MakeScheduler) -> None:
    job, next_one = store.add(new_job(SLEEP)), store.add(new_job())
    make_scheduler().start()
    pid = process_of(store, job.id)
    store.change(job.id, State.CANCELLED)  # as a second server on the same database does

    assert finished(store, next_one.id).status is State.SUCCEEDED
    assert not alive(pid)
    assert store.get(job.id).status is State.CANCELLED
