"""Who ran a job: known to be gone, or not known, and then nobody takes its job for a while."""

import subprocess
import sys
import uuid

import pytest
from service_tools import ROOT, ProcessKind, new_job, wait_until

from backend.executors.local import LocalExecutor
from backend.jobs.scheduler import Scheduler
from backend.jobs.server_id import is_gone, this_server
from backend.jobs.states import State
from backend.store.store import Store


@pytest.fixture(scope="module")
def dead_server() -> str:
    code = "from backend.jobs.server_id import this_server; print(this_server())"
    return subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.strip()


class PatientTurn:
    """The turn, whose holder before may live on for a while."""

    lease_s = 10.0

    def __init__(self, grace_s: float) -> None:
        self.grace_s = grace_s

    def take(self) -> bool:
        return True

    def give_back(self) -> None:
        pass


def scheduler_of(store: Store, grace_s: float) -> Scheduler:
    return Scheduler(store, {"process": ProcessKind()}, LocalExecutor(), PatientTurn(grace_s), lambda _job: None)


@pytest.fixture
def running(store: Store) -> str:
    return store.add(new_job()).id


def test_a_server_is_gone_once_its_process_is_and_only_where_that_can_be_told(dead_server: str) -> None:
    assert is_gone(dead_server)
    assert not is_gone(this_server())
    assert not is_gone(
        f"{'0' * 32}.{dead_server.partition('.')[2]}"
    )  # before the machine was started again, or another one
    assert not is_gone(None)
    assert not is_gone("nonsense")
    assert len(dead_server) <= 160


def test_the_job_of_a_server_that_is_gone_is_taken_at_once(store: Store, running: str, dead_server: str) -> None:
    store.claim(running, "there (cpu)", uuid.uuid4().hex, dead_server)
    scheduler = scheduler_of(store, grace_s=600.0)
    scheduler.start()
    try:
        wait_until(lambda: store.get(running).status is State.INTERRUPTED, "the recovery")
    finally:
        scheduler.stop()


@pytest.mark.parametrize("grace_s", [1.5, 600.0])
def test_the_job_of_a_server_elsewhere_is_left_alone_for_a_while(store: Store, running: str, grace_s: float) -> None:
    store.claim(running, "there (cpu)", uuid.uuid4().hex, "another.1-2-pid3-4")
    scheduler = scheduler_of(store, grace_s)
    scheduler.start()
    try:
        queued = store.add(new_job())
        scheduler.wake()
        wait_until(lambda: store.get(queued.id).status is State.SUCCEEDED, "another job beside it")
        if grace_s < 600:
            wait_until(lambda: store.get(running).status is State.INTERRUPTED, "the recovery")
        else:
            assert store.get(running).status is State.RUNNING
    finally:
        scheduler.stop()
