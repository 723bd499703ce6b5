"""An upgrade that is cut off, and servers that start together on one database: the schema is the old or the new one, never half."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from old_databases import REVISIONS, content, fill, schema
from postgres_tools import PostgresServer
from service_tools import ROOT, as_schema_1
from sqlalchemy import create_engine

from backend.settings import Settings
from backend.store.database import DatabaseUnusable, open_database
from dyad_core.bench import BenchmarkSpec
from dyad_core.bench.measure import measure

Order = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def result() -> dict[str, Any]:
    return as_schema_1(measure(BenchmarkSpec(16, 16, tokens=4, n_blocks=(4,), max_seconds=0.05)).to_dict())


@pytest.fixture(scope="module")
def order() -> Iterator[Order]:
    """Has a process of its own upgrade a database; its copies can be killed."""
    path = os.pathsep.join((str(ROOT), str(ROOT / "tests")))
    with subprocess.Popen(
        [sys.executable, "-W", "ignore", str(ROOT / "tests" / "upgrade_worker.py")],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=os.environ | {"PYTHONPATH": path},
    ) as process:  # fmt: skip
        assert process.stdin is not None
        assert process.stdout is not None
        stdin, stdout = process.stdin, process.stdout

        def ask(**values: Any) -> dict[str, Any]:
            stdin.write(json.dumps(values) + "\n")
            stdin.flush()
            said: dict[str, Any] = json.loads(stdout.readline())
            return said

        yield ask
        stdin.close()


@pytest.fixture
def copies(empty_settings: Settings, database: str, request: pytest.FixtureRequest) -> Iterator[Callable[[], str]]:
    """Makes copies of the database of the settings, each with an address of its own."""
    made: list[str] = []
    url = empty_settings.resolved_database_url

    def sqlite_copy() -> str:
        made.append(f"copy{len(made)}.sqlite3")
        source, copied = (sqlite3.connect(empty_settings.home / name) for name in ("dyad.sqlite3", made[-1]))
        with contextlib.closing(source), contextlib.closing(copied):
            source.backup(copied)
        return f"sqlite:///{empty_settings.home / made[-1]}"

    if database == "sqlite":
        yield sqlite_copy
        return
    server: PostgresServer = request.getfixturevalue("postgres")

    def postgres_copy() -> str:
        made.append(server.new_database(url.rpartition("/")[2]))
        return server.url(made[-1]).replace("postgresql:", "postgresql+psycopg:")

    yield postgres_copy
    for name in made:
        server.drop(name)


def look(url: str) -> tuple[dict[str, Any], dict[str, Any]]:
    engine = create_engine(url)
    try:
        return schema(engine), content(engine)
    finally:
        engine.dispose()


def try_interruptions(
    settings: Settings, copies: Callable[[], str], order: Order, result: dict[str, Any], revision: str, *, every: bool
) -> None:
    url = settings.resolved_database_url
    if revision != "nothing":
        fill(url, revision, result)
    before = look(url)
    whole = copies()
    done = order(url=whole, kill_after=None)
    assert done["codes"] == [0]
    after = look(whole)
    assert after != before

    last = done["statements"]  # the commit, which the copy does not come to any more
    for point in range(1, last + 1) if every else (last // 2, last):
        cut = copies()
        assert order(url=cut, kill_after=point)["codes"] == [-signal.SIGKILL]
        assert look(cut) == before, f"killed after statement {point} of {last}"
        if point in (1, last):
            assert order(url=cut, kill_after=None)["codes"] == [0]
            assert look(cut)[0] == after[0]


def test_an_upgrade_that_is_killed_leaves_the_schema_of_before(
    empty_settings: Settings, copies: Callable[[], str], order: Order, result: dict[str, Any]
) -> None:
    try_interruptions(empty_settings, copies, order, result, REVISIONS[-2], every=False)


@pytest.mark.soak
@pytest.mark.parametrize("revision", ["nothing", *REVISIONS[:-1]])
def test_it_does_wherever_it_is_killed(
    empty_settings: Settings, copies: Callable[[], str], order: Order, result: dict[str, Any], revision: str
) -> None:
    try_interruptions(empty_settings, copies, order, result, revision, every=True)


@pytest.mark.parametrize("revision", ["nothing", "0001"])
def test_servers_that_start_together_upgrade_once(
    empty_settings: Settings, order: Order, result: dict[str, Any], revision: str
) -> None:
    url = empty_settings.resolved_database_url
    if revision != "nothing":
        fill(url, revision, result)
    before = look(url)[1]
    told = order(url=url, home=str(empty_settings.home), together=4)
    assert told["codes"] == [0, 0, 0, 0]
    found, rows = look(url)
    assert found["version"] == REVISIONS[-1]
    assert [row["id"] for row in rows["jobs"]] == [row["id"] for row in before.get("jobs", [])]


def test_the_database_of_a_newer_version_is_left_alone(settings: Settings) -> None:
    engine = open_database(settings)
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    engine.dispose()
    before = look(settings.resolved_database_url)

    with pytest.raises(DatabaseUnusable, match="another version of dyad-explorer.*update dyad-explorer"):
        open_database(settings)
    assert look(settings.resolved_database_url) == before
