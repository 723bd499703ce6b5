"""Adding, claiming, listing and deleting jobs on a real SQLite file."""

import dataclasses
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from service_tools import claim_next, new_job

from backend.jobs.kind import Outcome
from backend.jobs.states import IllegalChange, State
from backend.store.lines import LONGEST_LINE, Lines
from backend.store.models import Job
from backend.store.queue import Queue
from backend.store.store import Filter, KeyUsed, NewJob, Store, UnknownJob


def benchmark_job(**spec: object) -> NewJob:
    return NewJob(kind="benchmark", spec={"device": "cpu", "variants": ["it"]} | spec, spec_digest="", warnings=[])


def place_of(store: Store, job: Job) -> int | None:
    return Queue(store.engine).positions().get(job.id)


def test_a_new_job_waits_with_its_request_and_the_time_in_utc(store: Store) -> None:
    before = datetime.now(UTC)
    job = store.add(new_job("print(2)"))
    read = store.get(job.id)

    assert read == job
    assert read.status is State.QUEUED
    assert read.spec == {"code": "print(2)"}
    assert read.created_at.tzinfo is not None
    assert before - timedelta(seconds=1) < read.created_at < datetime.now(UTC) + timedelta(seconds=1)
    assert (read.progress, read.result, read.error, read.started_at, read.finished_at) == (None,) * 5


def test_jobs_are_claimed_in_the_order_they_came(store: Store) -> None:
    jobs = [store.add(new_job()) for _ in range(3)]

    assert [place_of(store, job) for job in jobs] == [1, 2, 3]
    first = claim_next(store)
    assert first is not None
    assert (first.id, first.status, first.started_at is not None) == (jobs[0].id, State.RUNNING, True)
    assert [job.id for job in store.running()] == [first.id]
    assert [place_of(store, job) for job in jobs] == [None, 1, 2]


def test_of_many_threads_that_claim_each_job_goes_to_exactly_one(store: Store) -> None:
    ids = {store.add(new_job()).id for _ in range(20)}
    start = threading.Barrier(4)

    def claim_all() -> list[str]:
        start.wait()
        claimed = []
        while (job := claim_next(store)) is not None:
            claimed.append(job.id)
        return claimed

    with ThreadPoolExecutor(4) as pool:
        claimed = [job_id for future in [pool.submit(claim_all) for _ in range(4)] for job_id in future.result()]

    assert sorted(claimed) == sorted(ids)


def test_a_cancelled_job_is_not_claimed(store: Store) -> None:
    first, second = store.add(new_job()), store.add(new_job())
    store.change(first.id, State.CANCELLED)

    claimed = claim_next(store)
    assert claimed is not None
    assert claimed.id == second.id


def test_the_end_of_a_job_is_written_once(store: Store) -> None:
    job = store.add(new_job())
    claim_next(store)
    done = store.change(job.id, State.SUCCEEDED, result={"value": 1}, headline="one")

    assert store.get(job.id, with_result=True).result == {"value": 1}
    with pytest.raises(IllegalChange):
        store.change(job.id, State.FAILED, error={"title": "no", "detail": "no"})
    assert store.get(job.id) == done
    assert not store.write_progress(job, {"stage": "late"})


def test_progress_is_kept_while_the_job_runs(store: Store) -> None:
    job = store.add(new_job())
    assert not store.write_progress(job, {"stage": "early"})
    claimed = claim_next(store)
    assert claimed is not None
    assert store.write_progress(claimed, {"stage": "timing"})
    assert store.get(job.id).progress == {"stage": "timing"}
    assert store.get(job.id).version > claimed.version


def test_what_writes_about_a_start_that_is_over_is_turned_away(store: Store) -> None:
    job = store.add(new_job())
    first = claim_next(store)
    assert first is not None
    again = store.change(job.id, State.QUEUED, claim=first.claim)
    assert (again.started_at, again.place, again.claim, again.attempt) == (None, None, None, 1)
    second = claim_next(store)
    assert second is not None
    assert (second.attempt, second.claim != first.claim) == (2, True)

    assert not store.write_progress(first, {"stage": "late"})
    with pytest.raises(IllegalChange):
        store.change(job.id, State.SUCCEEDED, claim=first.claim, result={"value": "late"})
    assert store.get(job.id).status is State.RUNNING
    store.change(job.id, State.SUCCEEDED, claim=second.claim, result={"value": 2})
    assert store.get(job.id, with_result=True).result == {"value": 2}


def test_a_key_belongs_to_one_job_of_one_client(store: Store) -> None:
    keyed = dataclasses.replace(new_job(), client="ann", idempotency_key="k")
    job = store.add(keyed)
    with pytest.raises(KeyUsed):
        store.add(keyed)
    assert store.find_key("ann", "k") == job
    assert store.find_key("ben", "k") is None
    store.add(dataclasses.replace(keyed, client="ben"))
    assert store.counts()[State.QUEUED] == 2
    store.delete(job.id)
    assert store.add(keyed).id != job.id


def test_the_log_of_a_job_is_read_on_from_a_line_and_deleted_with_it(store: Store) -> None:
    lines = Lines(store.engine)
    job, other = store.add(new_job()), store.add(new_job())
    claimed = claim_next(store)
    assert claimed is not None
    lines.add(claimed, "a\x00b \ud800" + "x" * LONGEST_LINE)
    lines.add(other, "of another")
    store.change(job.id, State.CANCELLED, line="It was cancelled.")

    first, second, third = lines.read(job, after=0, limit=10)
    assert (first.text, first.attempt) == ("Started on here (cpu).", 1)
    assert second.text.startswith("ab \\ud800x")
    assert second.text.endswith("…")
    assert lines.read(job, after=second.number, limit=10) == [third]
    assert lines.read(job, after=0, limit=1) == [first]
    store.delete(job.id)
    lines.add(claimed, "too late")
    assert lines.read(job, after=0, limit=10) == []
    assert len(lines.read(other, after=0, limit=10)) == 1


@pytest.mark.parametrize("job_id", ["f" * 32, "", "x", "F" * 32, "0" * 31 + "\x00", "' OR 1=1 --", "٣" * 32])
def test_an_unknown_id_is_an_error_of_its_own(store: Store, job_id: str) -> None:
    with pytest.raises(UnknownJob):
        store.get(job_id)


def test_pages_are_filtered_ordered_and_counted(store: Store) -> None:
    it = store.add(benchmark_job())
    both = store.add(benchmark_job(variants=["it", "dt"], device="cuda:0"))
    store.add(new_job())
    kept, _ = store.add_finished(benchmark_job(variants=["bd"]), Outcome({"a": 1}, "kept", []))

    def ids(limit: int = 10, offset: int = 0, newest_first: bool = True, **wanted: object) -> list[str]:
        jobs, _ = store.page(Filter(**wanted), limit=limit, offset=offset, newest_first=newest_first)  # type: ignore[arg-type]
        return [job.id for job in jobs]

    assert ids(kind="benchmark") == [kept.id, both.id, it.id]
    assert ids(kind="benchmark", newest_first=False) == [it.id, both.id, kept.id]
    assert ids(kind="benchmark", variant="it") == [both.id, it.id]
    assert ids(variant="dt") == [both.id]
    assert ids(device="cuda:0") == [both.id]
    assert ids(origin="imported", status=State.SUCCEEDED) == [kept.id]
    assert ids(kind="benchmark", limit=1, offset=1) == [both.id]
    assert store.page(Filter(kind="benchmark"), limit=1, offset=0)[1] == 3
    assert store.page(Filter(), limit=1, offset=99) == ([], 4)


def test_a_running_job_cannot_be_deleted_and_its_number_is_never_used_again(store: Store) -> None:
    job = store.add(new_job())
    claim_next(store)
    assert not store.delete(job.id)
    store.change(job.id, State.CANCELLED)
    assert store.delete(job.id)
    with pytest.raises(UnknownJob):
        store.delete(job.id)
    assert store.add(new_job()).number > job.number


def test_a_result_with_a_fingerprint_is_kept_once_whoever_comes_at_the_same_moment(store: Store) -> None:
    start = threading.Barrier(4)

    def keep() -> tuple[str, bool]:
        start.wait()
        job, is_new = store.add_finished(benchmark_job(), Outcome({"a": 1}, None, [], fingerprint="same"))
        return job.id, is_new

    with ThreadPoolExecutor(4) as pool:
        kept = [future.result() for future in [pool.submit(keep) for _ in range(4)]]

    assert len({job_id for job_id, _ in kept}) == 1
    assert sorted(is_new for _, is_new in kept) == [False, False, False, True]
    without = [store.add_finished(benchmark_job(), Outcome({"a": 1}, None, []))[0].id for _ in range(2)]
    assert len(set(without)) == 2


def test_only_a_local_succeeded_run_that_may_be_served_is_found_and_the_newest_of_them(store: Store) -> None:
    def finished(ending: State = State.SUCCEEDED, **values: object) -> str:
        job = store.add(benchmark_job())
        claim_next(store)
        values = {"result": {"n": job.number}, "environment_digest": "e", "servable": True} | values
        return store.change(job.id, ending, **values).id

    def found() -> str | None:
        job = store.find_servable("benchmark", "", "e")
        assert job is None or job.result is not None
        return job and job.id

    finished(servable=False)
    finished(State.FAILED)
    finished(environment_digest="other")
    store.add_finished(benchmark_job(), Outcome({"a": 1}, None, [], environment_digest="e", servable=True))
    assert found() is None
    finished()
    newest = finished()
    store.add(benchmark_job())
    assert found() == newest
    store.delete(newest)
    assert found() not in (None, newest)
    assert store.find_servable("projection", "", "e") is None
