"""Every legal change and no other, and a random life of jobs that the store must agree with."""

import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from service_tools import claim_next, new_job

from backend.jobs.states import TERMINAL, IllegalChange, State, check, sources
from backend.settings import Settings
from backend.store.database import open_database
from backend.store.store import Store

LEGAL = {
    ("queued", "running"),
    ("queued", "cancelled"),
    ("queued", "failed"),
    ("running", "succeeded"),
    ("running", "failed"),
    ("running", "cancelled"),
    ("running", "interrupted"),
    ("running", "queued"),
}


@pytest.mark.parametrize("current", State)
@pytest.mark.parametrize("wanted", State)
def test_exactly_these_changes_are_legal(current: State, wanted: State) -> None:
    assert (current in sources(wanted)) is ((current, wanted) in LEGAL)
    if (current, wanted) in LEGAL:
        check(current, wanted)
    else:
        with pytest.raises(IllegalChange, match=f"A {current} job cannot become {wanted}"):
            check(current, wanted)


def test_four_states_are_final() -> None:
    assert {"succeeded", "failed", "cancelled", "interrupted"} == TERMINAL


class JobLife(RuleBasedStateMachine):
    """Jobs come, start and end in any order; the store holds what a dictionary holds."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.engine = open_database(Settings(home=Path(self.folder.name)))
        self.store = Store(self.engine)
        self.expected: dict[str, State] = {}

    def teardown(self) -> None:
        self.engine.dispose()
        self.folder.cleanup()

    @rule()
    def submit(self) -> None:
        job = self.store.add(new_job())
        self.expected[job.id] = job.status

    @rule()
    def claim(self) -> None:
        queued = [job_id for job_id, state in self.expected.items() if state is State.QUEUED]
        job = claim_next(self.store)
        assert (job.id if job else None) == (queued[0] if queued else None)
        if job:
            self.expected[job.id] = State.RUNNING

    @rule(wanted=st.sampled_from(State), draw=st.data())
    def change(self, wanted: State, draw: st.DataObject) -> None:
        if not self.expected:
            return
        job_id = draw.draw(st.sampled_from(list(self.expected)))
        if (self.expected[job_id], wanted) in LEGAL:
            job = self.store.change(job_id, wanted)
            assert (job.finished_at is not None) is (wanted in TERMINAL)
            self.expected[job_id] = wanted
        else:
            with pytest.raises(IllegalChange):
                self.store.change(job_id, wanted)

    @rule(draw=st.data())
    def delete(self, draw: st.DataObject) -> None:
        if not self.expected:
            return
        job_id = draw.draw(st.sampled_from(list(self.expected)))
        running = self.expected[job_id] is State.RUNNING
        assert self.store.delete(job_id) is not running
        if not running:
            del self.expected[job_id]

    @invariant()
    def the_store_agrees(self) -> None:
        assert {job_id: self.store.get(job_id).status for job_id in self.expected} == self.expected
        assert sum(self.store.counts().values()) == len(self.expected)


TestJobLife = JobLife.TestCase
TestJobLife.settings = settings(
    max_examples=15, stateful_step_count=25, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
