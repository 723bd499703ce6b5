"""A random life of jobs through the real desk, scheduler and database, held against a model of a page.

Jobs are submitted, told to succeed, to fail or to lose their machine, cancelled and deleted, and the server is killed or stopped and
started again, in any order. After every step the model and the database agree, and the rules of the queue hold.
"""

import dataclasses
import os
import queue
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from life_tools import ROOMS, Dead, Orders, Server, Start
from service_tools import claim_next, new_job, wait_until
from sqlalchemy import text

from backend.jobs.admission import KeyReused
from backend.jobs.desk import StillRunning
from backend.jobs.states import TERMINAL, IllegalChange, State
from backend.settings import Settings
from backend.store.database import open_database
from backend.store.store import Store, UnknownJob
from backend.submission import Submission

CLIENTS = ("ann", "ben", "cleo")
LIVE = (State.QUEUED, State.RUNNING)
LEGAL = {
    (State.QUEUED, State.RUNNING),
    (State.QUEUED, State.CANCELLED),
    (State.RUNNING, State.QUEUED),
    *((State.RUNNING, ending) for ending in TERMINAL),
}


@dataclass
class Known:
    """What the model knows of a job."""

    nonce: int
    client: str
    priority: int
    attempts: int
    key: str | None
    what: int
    state: State = State.QUEUED
    attempt: int = 0
    version: int = 0


class Life(RuleBasedStateMachine):
    """The rules are what can happen; the invariants are what must hold."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.settings = Settings(home=Path(self.folder.name))
        self.engine = open_database(self.settings)
        with self.engine.begin() as connection:
            connection.execute(text("PRAGMA synchronous=OFF"))
        self.orders = Orders()
        self.known: dict[str, Known] = {}
        self.states: dict[str, State] = {}
        self.seen_starts = self.seen_changes = self.count = self.deleted = 0
        self.server = Server(self.engine, self.settings, self.orders)

    def teardown(self) -> None:
        self.server.desk.scheduler.stop()
        self.engine.dispose()
        self.folder.cleanup()

    # --- what happens --------------------------------------------------------------------------

    @rule(
        client=st.sampled_from(CLIENTS),
        priority=st.sampled_from((0, 0, 0, 1, -1)),
        attempts=st.integers(1, 3),
        key=st.sampled_from((None, None, "k", "l")),
        what=st.integers(0, 1),
    )
    def submit(self, client: str, priority: int, attempts: int, key: str | None, what: int) -> None:
        nonce = self.count = self.count + 1
        self.orders.mail[nonce] = queue.Queue()
        submission = Submission(client=client, priority=priority, attempts=attempts, key=key)
        before = next((i for i, job in self.known.items() if key and (job.client, job.key) == (client, key)), None)
        # Its digest is of what is asked; the number only tells jobs apart.
        body = {"what": what, "nonce": nonce}
        if before is not None and self.known[before].what != what:
            with pytest.raises(KeyReused):
                self.server.desk.submit("obedient", body, submission)
            return
        answer = self.server.desk.submit("obedient", body, submission)
        assert answer.replayed is (before is not None)
        if before is not None:
            assert answer.record["id"] == before
            return
        self.known[answer.record["id"]] = Known(nonce, client, priority, attempts, key, what)
        self.states[answer.record["id"]] = State.QUEUED

    @rule(data=st.data(), order=st.sampled_from(("succeed", "succeed", "fail", "lose", "progress")))
    def order(self, data: st.DataObject, order: str) -> None:
        job_id, job = self._draw(data, State.RUNNING)
        self.orders.tell(job.nonce, order)
        if order == "progress":
            wait_until(lambda: self.server.store.get(job_id).progress, "the progress")
            return
        starts = len(self.orders.starts)
        again = order == "lose" and job.attempt < job.attempts
        job.state = State.QUEUED if again else {"succeed": State.SUCCEEDED}.get(order, State.FAILED)
        wait_until(lambda: (job_id, job.state) in self.orders.changes[self.seen_changes :], "the end of the work")
        assert len(self.orders.starts) >= starts

    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        job_id, job = self._draw(data)
        if job.state in TERMINAL:
            with pytest.raises(IllegalChange):
                self.server.desk.cancel(job_id)
            return
        self.server.desk.cancel(job_id)
        job.state = State.CANCELLED
        wait_until(lambda: self.server.store.get(job_id).status in TERMINAL, "the end of the cancelled job")

    @rule(data=st.data())
    def delete(self, data: st.DataObject) -> None:
        job_id, job = self._draw(data)
        if job.state is State.RUNNING:
            with pytest.raises(StillRunning):
                self.server.desk.delete(job_id)
            return
        self.server.desk.delete(job_id)
        del self.known[job_id]
        self.deleted += 1
        with pytest.raises(UnknownJob):
            self.server.desk.look(job_id)

    @rule()
    def kill_the_server(self) -> None:
        self.server.die()
        for job in self.known.values():
            if job.state is State.RUNNING:
                job.state = State.QUEUED if job.attempt < job.attempts else State.INTERRUPTED
        self.server = Server(self.engine, self.settings, self.orders)

    @rule()
    def stop_the_server(self) -> None:
        self.server.desk.scheduler.stop()
        for job in self.known.values():
            if job.state is State.RUNNING:
                job.state = State.QUEUED if job.attempts > 1 else State.INTERRUPTED
                job.attempt -= 1 if job.attempts > 1 else 0
        self.server = Server(self.engine, self.settings, self.orders)

    def _draw(self, data: st.DataObject, state: State | None = None) -> tuple[str, Known]:
        found = [(job_id, job) for job_id, job in self.known.items() if state in (None, job.state)]
        assume(found)
        return data.draw(st.sampled_from(sorted(found, key=lambda each: each[1].nonce)))

    # --- what must hold ------------------------------------------------------------------------

    @invariant()
    def after_every_step(self) -> None:
        self.the_queue_goes_on_in_its_order()
        self.every_change_is_legal()
        self.nothing_runs_twice_or_for_nobody()
        self.the_books_balance()

    def the_queue_goes_on_in_its_order(self) -> None:
        """Rooms are full while anybody waits, and who was started had the right to be."""
        live = sum(1 for job in self.known.values() if job.state in LIVE)
        wait_until(lambda: len(self.server.store.running()) == min(ROOMS, live), "full rooms")
        self.server.a_round_later()
        for index in range(self.seen_starts, len(self.orders.starts)):
            start = self.orders.starts[index]
            self._had_the_right(start, self.orders.starts[index - 1] if index else None)
            if start.id in self.known:
                self.known[start.id].state = State.RUNNING
                self.known[start.id].attempt += 1
        self.seen_starts = len(self.orders.starts)

    def _had_the_right(self, start: Start, before: Start | None) -> None:
        number, client, priority = start.waiting[start.id]
        others = {job_id: each for job_id, each in start.waiting.items() if job_id != start.id}
        assert all(other[2] <= priority for other in others.values()), "a job of higher priority waited"
        equal = [each for each in others.values() if each[2] == priority]
        assert all(each[0] > number for each in equal if each[1] == client), "an older job of the same client waited"
        if before is None or before.waiting[before.id][1:] != (client, priority):
            return
        if before.id == start.id:
            return  # the same job once more, at the place it had
        patient = {
            other[1] for job_id, other in others.items() if other[1] != client and other == before.waiting.get(job_id)
        }
        assert not {each[1] for each in equal} & patient, f"{client} was served twice while {patient} waited"

    def every_change_is_legal(self) -> None:
        changes = self.orders.changes[self.seen_changes :]
        self.seen_changes += len(changes)
        for job_id, wanted in changes:
            assert (self.states[job_id], wanted) in LEGAL, f"{self.states[job_id]} became {wanted}"
            self.states[job_id] = wanted

    def the_books_balance(self) -> None:
        """The database holds what the model holds, and nothing else."""
        desk = self.server.desk
        for job_id, job in self.known.items():
            record = desk.look(job_id)
            assert (record["status"], record["attempt"]) == (job.state, job.attempt)
            assert record["version"] >= job.version
            assert (record["result"] is not None) is (job.state is State.SUCCEEDED)
            assert (record["error"] is not None) is (job.state in (State.FAILED, State.INTERRUPTED))
            job.version = record["version"]
        counts = self.server.store.counts()
        assert sum(counts.values()) == len(self.known)
        positions = desk.queue.positions()
        assert sorted(positions.values()) == list(range(1, counts[State.QUEUED] + 1))

    def nothing_runs_twice_or_for_nobody(self) -> None:
        running = {job.nonce for job in self.known.values() if job.state is State.RUNNING}
        wait_until(lambda: self.orders.inside == running, "the work of exactly the running jobs")
        assert self.orders.wrong == []


def test_a_client_that_deletes_its_jobs_waits_for_its_turn(store: Store) -> None:
    def add(client: str) -> str:
        return store.add(dataclasses.replace(new_job(), client=client)).id

    def served_next() -> str:
        job = claim_next(store)
        assert job is not None
        store.change(job.id, State.SUCCEEDED)
        return job.id

    earlier = add("ben")
    assert served_next() == earlier
    deleted = add("ann")
    assert served_next() == deleted
    store.delete(deleted)
    patient, _greedy = add("ben"), add("ann")
    assert served_next() == patient


@pytest.fixture(autouse=True)
def _the_dead_are_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    """Threads of a killed server end by an exception of ours; any other one is a mistake as always."""
    told = threading.excepthook
    monkeypatch.setattr(threading, "excepthook", lambda each: None if each.exc_type is Dead else told(each))


def patient(examples: int, steps: int) -> Any:
    return settings(
        max_examples=examples, stateful_step_count=steps, deadline=None, suppress_health_check=list(HealthCheck)
    )


def test_a_short_life_of_jobs() -> None:
    run_state_machine_as_test(Life, settings=patient(10, 20))


@pytest.mark.soak
@pytest.mark.timeout(7200)
def test_a_long_life_of_jobs() -> None:
    run_state_machine_as_test(Life, settings=patient(int(os.environ.get("SOAK_LIVES", "300")), 60))
