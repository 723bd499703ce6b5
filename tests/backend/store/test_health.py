"""A database that is gone, read-only, full, busy or damaged is told apart, and used again once that is mended."""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from full_disk import small_disk
from postgres_tools import PostgresServer, running_postgres
from service_tools import new_job
from sqlalchemy import event, text
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from backend.settings import Settings
from backend.store.database import DatabaseUnusable, open_database
from backend.store.health import Trouble, check_database, trouble_of
from backend.store.store import Store


def trouble_with(work: Callable[[], object]) -> Trouble:
    with pytest.raises(SQLAlchemyError) as caught:
        work()
    return trouble_of(caught.value)


def test_a_healthy_database_says_nothing_and_is_left_as_it_was(store: Store, settings: Settings) -> None:
    job = store.add(new_job())
    before = sorted(path.name for path in settings.home.iterdir())
    assert check_database(store.engine) == ""
    assert sorted(path.name for path in settings.home.iterdir()) == before
    assert store.get(job.id) == job


def test_a_folder_with_odd_signs_is_no_matter(tmp_path: Path) -> None:
    engine = open_database(Settings(home=tmp_path / "50% off? #1"))
    assert check_database(engine) == ""
    engine.dispose()


def test_a_mistake_of_our_own_is_no_trouble_of_the_database(store: Store) -> None:
    def twice() -> None:
        with store.engine.begin() as connection:
            for _ in range(2):
                connection.execute(text("INSERT INTO bundled VALUES ('a', '2026-01-01T00:00:00')"))

    assert trouble_with(twice) is Trouble.UNFORESEEN
    assert trouble_of(IntegrityError("", {}, ValueError())) is Trouble.UNFORESEEN


@pytest.mark.database("sqlite")
def test_a_file_that_is_removed_is_missed_and_one_that_is_put_there_is_used(store: Store, settings: Settings) -> None:
    job = store.add(new_job())
    path, kept = settings.home / "dyad.sqlite3", settings.home / "kept.sqlite3"
    with sqlite3.connect(path) as source, sqlite3.connect(kept) as copy:
        source.backup(copy)
    source.close()
    copy.close()
    for name in ("dyad.sqlite3", "dyad.sqlite3-wal", "dyad.sqlite3-shm"):
        (settings.home / name).unlink(missing_ok=True)

    assert check_database(store.engine) == "The database does not answer."
    assert trouble_with(lambda: store.add(new_job())) is Trouble.GONE
    assert not path.exists()  # nobody made an empty one in its place

    kept.rename(path)
    assert check_database(store.engine) == ""
    assert store.get(job.id) == job


@pytest.mark.database("sqlite")
def test_a_file_that_became_something_else_is_damaged(store: Store, settings: Settings) -> None:
    store.engine.dispose()
    (settings.home / "dyad.sqlite3").write_bytes(b"not a database" * 100)
    assert check_database(store.engine) == "The database is damaged."


@pytest.mark.database("sqlite")
def test_a_file_that_another_program_holds_is_busy_and_readable(store: Store, settings: Settings) -> None:
    job = store.add(new_job())
    other = sqlite3.connect(settings.home / "dyad.sqlite3")
    other.execute("BEGIN IMMEDIATE")

    assert check_database(store.engine) == "The database is busy: a lock was not had within 1 s."
    assert store.get(job.id) == job
    other.rollback()
    other.close()
    assert check_database(store.engine) == ""


@pytest.mark.database("sqlite")
def test_connections_that_may_not_write_are_read_only(store: Store) -> None:
    event.listen(store.engine, "connect", lambda connection, _: connection.execute("PRAGMA query_only=ON"))
    store.engine.dispose()
    assert check_database(store.engine) == "The database is read-only."
    assert trouble_with(lambda: store.add(new_job())) is Trouble.READ_ONLY


@pytest.mark.database("sqlite")
def test_a_file_that_may_not_grow_is_full_and_keeps_what_it_has(store: Store) -> None:
    job = store.add(new_job())
    event.listen(store.engine, "connect", lambda connection, _: connection.execute("PRAGMA max_page_count=1"))
    store.engine.dispose()
    assert trouble_with(lambda: store.add(new_job("x" * 100_000))) is Trouble.FULL
    assert store.get(job.id) == job


def test_a_full_disk_is_said_and_used_again_once_there_is_room(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 2) as disk:
        store = Store(open_database(Settings(home=disk.folder)))
        job = store.add(new_job())
        disk.fill()
        assert check_database(store.engine) == "The database has no room left on its disk."

        def fill_up() -> None:
            while True:  # what the log has room for is still kept
                store.add(new_job("x" * 10_000))

        assert trouble_with(fill_up) is Trouble.FULL
        assert store.get(job.id) == job
        with pytest.raises(DatabaseUnusable, match="its disk is full; free some space"):
            open_database(Settings(home=disk.folder, database_url=f"sqlite:///{disk.folder}/other.sqlite3"))
        disk.free()
        assert check_database(store.engine) == ""
        assert store.get(store.add(new_job()).id).spec == {"code": "print(1)"}
        store.engine.dispose()


def test_a_disk_that_is_read_only_is_refused_at_the_start(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 2) as disk:
        open_database(Settings(home=disk.folder)).dispose()
        disk.mount("ro")
        with pytest.raises(DatabaseUnusable, match="it is read-only, and every run has to be written"):
            open_database(Settings(home=disk.folder))


@pytest.fixture
def own_postgres() -> Iterator[PostgresServer]:
    with running_postgres() as server:
        yield server


@pytest.mark.database("postgresql")
def test_a_database_that_was_set_read_only_says_so(store: Store, settings: Settings, postgres: PostgresServer) -> None:
    job = store.add(new_job())
    name = (settings.database_url or "").rpartition("/")[2]
    postgres.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    store.engine.dispose()

    assert check_database(store.engine) == "The database is read-only."
    assert trouble_with(lambda: store.add(new_job())) is Trouble.READ_ONLY
    assert store.get(job.id) == job


@pytest.mark.database("postgresql")
def test_a_table_that_another_program_holds_is_busy(store: Store, settings: Settings) -> None:
    with psycopg.connect(settings.database_url or "") as other:
        other.execute("LOCK TABLE jobs IN ACCESS EXCLUSIVE MODE")
        assert check_database(store.engine) == "The database is busy: a lock was not had within 1 s."
    assert check_database(store.engine) == ""


@pytest.mark.database("postgresql")
def test_a_full_disk_of_postgresql_is_said_and_used_again_once_there_is_room(
    settings: Settings, postgres: PostgresServer, tmp_path: Path
) -> None:
    with tempfile.TemporaryDirectory(prefix="dyad-disk-") as folder:
        Path(folder).chmod(0o755)
        with small_disk(Path(folder) / "disk", 16) as disk:
            shutil.chown(disk.folder, "postgres", "postgres")
            postgres.execute(f"CREATE TABLESPACE small LOCATION '{disk.folder}'")
            name = postgres.new_database()
            postgres.execute(f"ALTER DATABASE {name} SET TABLESPACE small")
            store = Store(open_database(Settings(home=tmp_path, database_url=postgres.url(name))))
            job = store.add(new_job())
            disk.fill()

            def fill_up() -> None:
                while True:
                    store.add(new_job("x" * 100_000))

            assert trouble_with(fill_up) is Trouble.FULL
            assert store.get(job.id) == job
            disk.free()
            assert store.get(store.add(new_job()).id).spec == {"code": "print(1)"}
            store.engine.dispose()
            postgres.drop(name)
            postgres.execute("DROP TABLESPACE small")


@pytest.mark.database("postgresql")
def test_a_server_that_stops_is_missed_and_found_again_by_the_same_engine(
    own_postgres: PostgresServer, tmp_path: Path
) -> None:
    settings = Settings(home=tmp_path, database_url=own_postgres.url(own_postgres.new_database()))
    store = Store(open_database(settings))
    job = store.add(new_job())
    own_postgres.kill()
    assert check_database(store.engine) == "The database does not answer."
    assert trouble_with(lambda: store.add(new_job())) is Trouble.GONE
    own_postgres.start()
    assert check_database(store.engine) == ""
    assert store.get(job.id) == job
    store.engine.dispose()


@pytest.mark.database("postgresql")
def test_the_connections_are_told_when_to_give_up(store: Store) -> None:
    with store.engine.connect() as connection:
        shown = {
            name: connection.scalar(text(f"SHOW {name}"))
            for name in ("statement_timeout", "lock_timeout", "tcp_keepalives_idle", "application_name")
        }
    assert shown == {
        "statement_timeout": "30s",
        "lock_timeout": "10s",
        "tcp_keepalives_idle": "5",
        "application_name": "dyad-explorer",
    }


@pytest.mark.database("postgresql")
def test_what_the_address_says_about_connections_wins(settings: Settings) -> None:
    url = f"{settings.database_url}?options=-c%20statement_timeout%3D7s&application_name=mine"
    engine = open_database(settings.model_copy(update={"database_url": url}))
    with engine.connect() as connection:
        assert connection.scalar(text("SHOW statement_timeout")) == "7s"
        assert connection.scalar(text("SHOW application_name")) == "mine"
    engine.dispose()


@pytest.mark.database("sqlite")
def test_a_commit_of_sqlite_reaches_the_disk(store: Store) -> None:
    with store.engine.connect() as connection:
        assert connection.scalar(text("PRAGMA synchronous")) == 2  # FULL
        assert connection.scalar(text("PRAGMA busy_timeout")) == 5000
