"""Upgrading a database that an earlier version wrote, with what is in it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from old_databases import REVISIONS, content, fill, job, write_rows
from service_tools import as_schema_1
from sqlalchemy import Engine, create_engine, make_url

from backend.jobs.kind import Outcome
from backend.jobs.kinds.benchmark import imported
from backend.jobs.states import State
from backend.settings import Settings
from backend.store.database import open_database
from backend.store.filter import Filter
from backend.store.store import NewJob, Store
from backend.store.upgrade import upgrade
from dyad_core.bench import BenchmarkSpec
from dyad_core.bench.identity import result_fingerprint
from dyad_core.bench.measure import measure


@pytest.fixture(scope="module")
def result() -> dict[str, Any]:
    return measure(BenchmarkSpec(16, 16, tokens=4, n_blocks=(4,), max_seconds=0.05)).to_dict()


def test_every_revision_is_tried() -> None:
    assert REVISIONS[:3] == ["0001", "0002", "0003"]


@pytest.mark.parametrize("revision", REVISIONS)
def test_what_an_earlier_version_kept_is_all_there(
    empty_settings: Settings, result: dict[str, Any], revision: str
) -> None:
    url = empty_settings.resolved_database_url
    fill(url, revision, as_schema_1(result))
    engine = create_engine(url)
    before = content(engine)
    engine.dispose()

    engine = open_database(empty_settings)
    after = content(engine)
    for name, rows in before.items():
        kept = [{column: row[column] for column in old} for row, old in zip(after[name], rows, strict=True)]
        assert kept == rows

    store = Store(engine)
    jobs, total = store.page(Filter(), limit=50, offset=0, newest_first=False)
    assert total == 11
    assert {found.status for found in jobs} == set(State)
    for found, old in zip(jobs, before["jobs"], strict=True):
        assert store.get(found.id, with_result=True).result == old["result"]
        assert (found.spec, found.warnings, found.headline) == (old["spec"], old["warnings"], old["headline"])
    engine.dispose()


def of_revision_1(settings: Settings) -> Engine:
    upgrade(make_url(settings.resolved_database_url), "0001")
    return create_engine(settings.resolved_database_url)


def put(engine: Engine, number: int, origin: str, status: str, result: Any, kind: str = "benchmark") -> str:
    row = job(number, status, origin=origin, result=result, kind=kind, spec_digest="s", environment_digest="e")
    write_rows(engine, [row])
    return str(row["id"])


def test_runs_of_before_say_where_they_were_measured_and_imports_are_known_again(
    empty_settings: Settings, result: dict[str, Any]
) -> None:
    engine = of_revision_1(empty_settings)
    old = as_schema_1(result)
    local = put(engine, 1, "local", "succeeded", old)
    first, double = (put(engine, number, "imported", "succeeded", old) for number in (2, 3))
    naive = put(engine, 4, "imported", "succeeded", old | {"created_at": "2026-01-01T00:00:00"})
    odd = put(engine, 5, "imported", "succeeded", old | {"created_at": "yesterday"})
    failed = put(engine, 6, "local", "failed", None)
    other = put(engine, 7, "local", "succeeded", {"value": 1}, kind="projection")
    engine.dispose()

    store = Store(open_database(empty_settings))
    try:
        machine = store.get(local).machine
        assert machine is not None
        assert machine["name"] == result["environment"]["device_name"]
        assert store.get(local).measured_at == datetime.fromisoformat(result["created_at"])
        assert store.get(naive).measured_at == datetime(2026, 1, 1, tzinfo=UTC)
        assert store.get(odd).measured_at is None
        assert store.get(failed).machine is store.get(other).machine is None
        assert store.get(local, with_result=True).result == old
        assert store.find_servable("benchmark", "s", "e") is None
        ((request, outcome),) = imported(json.dumps(old).encode())
        new = NewJob(kind="benchmark", spec=request.spec, spec_digest="", warnings=[])
        known, is_new = store.add_finished(new, outcome)
        assert (known.id, is_new) == (first, False)
        assert store.get(double).id == double
        assert store.page(Filter(), limit=10, offset=0)[1] == 7
    finally:
        store.engine.dispose()


def test_an_empty_database_of_before_is_upgraded(empty_settings: Settings) -> None:
    of_revision_1(empty_settings).dispose()
    store = Store(open_database(empty_settings))
    store.add_finished(NewJob("x", {}, "", []), Outcome({}, None, [], fingerprint="f"))
    again, is_new = store.add_finished(NewJob("x", {}, "", []), Outcome({}, None, [], fingerprint="f"))
    assert not is_new
    assert again.origin == "imported"
    store.engine.dispose()


def test_the_fingerprint_in_databases_never_changes() -> None:
    run = {
        "created_at": "2026-01-01T00:00:00+00:00",
        "spec": {"in_features": 8, "out_features": 8, "tokens": 4, "module": "linear", "dtype": "float32", "device": "cpu"},
        "candidates": [{"variant": "it", "n_blocks": 4, "grain": 1, "implementation": "eager", "pass": "forward", "samples_ms": [0.1]}],
    }  # fmt: skip
    assert result_fingerprint(run) == "4bb5b545068fbbd846e6a3092485e539fa7609d7a3b5f406f7f20feffb898367"
