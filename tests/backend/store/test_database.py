"""Opening a database: migrations, settings of SQLite, and a sentence for each that cannot be used."""

from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from service_tools import claim_next, new_job
from sqlalchemy import text

from backend.jobs.kind import Outcome
from backend.jobs.states import State
from backend.jobs.turn import turn_for
from backend.ports import free_port
from backend.settings import Settings
from backend.store.database import DatabaseUnusable, open_database
from backend.store.models import Base
from backend.store.store import Filter, Store


def test_the_migrations_make_the_tables_that_the_code_uses(store: Store) -> None:
    with store.engine.connect() as connection:
        context = MigrationContext.configure(connection)
        differences = [found for found in compare_metadata(context, Base.metadata) if found[0] not in ("remove_index",)]
    assert differences == []


@pytest.mark.database("sqlite")
def test_sqlite_keeps_a_write_ahead_log(store: Store) -> None:
    with store.engine.connect() as connection:
        assert connection.scalar(text("PRAGMA journal_mode")) == "wal"
        assert connection.scalar(text("PRAGMA foreign_keys")) == 1


def test_jobs_are_there_when_the_database_is_opened_again(settings: Settings) -> None:
    first = open_database(settings)
    job = Store(first).add(new_job())
    first.dispose()
    again = open_database(settings)

    assert Store(again).get(job.id) == job
    again.dispose()


def test_a_folder_with_a_percent_sign_is_no_matter(tmp_path: Path) -> None:
    open_database(Settings(home=tmp_path / "50% off")).dispose()
    assert (tmp_path / "50% off" / "dyad.sqlite3").is_file()


def test_a_database_of_a_newer_version_is_refused_with_a_sentence(settings: Settings) -> None:
    engine = open_database(settings)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    engine.dispose()

    with pytest.raises(DatabaseUnusable, match="another version of dyad-explorer.*update dyad-explorer"):
        open_database(settings)


@pytest.mark.database("sqlite")
def test_a_file_that_is_no_database_is_refused_with_a_sentence(settings: Settings) -> None:
    settings.home.mkdir()
    (settings.home / "dyad.sqlite3").write_bytes(b"not a database" * 100)

    with pytest.raises(DatabaseUnusable, match="cannot be opened: file is not a database"):
        open_database(settings)


def test_a_home_that_cannot_be_made_is_refused_with_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DatabaseUnusable, match="DYAD_HOME names another"):
        open_database(Settings(home=tmp_path / "file" / "home"))


@pytest.mark.parametrize("url", ["nonsense", "oracle9://x/y", "sqlite3:///x"])
def test_an_address_that_is_none_is_refused_with_a_sentence(tmp_path: Path, url: str) -> None:
    with pytest.raises(DatabaseUnusable, match="DYAD_DATABASE_URL"):
        open_database(Settings(home=tmp_path, database_url=url))


def test_a_server_that_does_not_answer_is_named_without_its_password(tmp_path: Path) -> None:
    url = f"postgresql://ann:secret@127.0.0.1:{free_port('127.0.0.1')}/dyad"
    with pytest.raises(DatabaseUnusable, match="cannot be opened") as caught:
        open_database(Settings(home=tmp_path, database_url=url))
    assert "secret" not in str(caught.value)


@pytest.mark.database("postgresql")
def test_postgresql_holds_jobs_and_gives_the_turn_to_one_server(settings: Settings, tmp_path: Path) -> None:
    engine = open_database(settings)
    open_database(settings).dispose()  # a second start finds everything in place
    store = Store(engine)
    job = store.add(new_job())
    taken = claim_next(store)
    assert taken is not None
    assert (taken.id, taken.status) == (job.id, State.RUNNING)
    done = store.change(job.id, State.SUCCEEDED, result={"value": [1.5, None]}, progress=None)
    assert store.get(job.id, with_result=True).result == {"value": [1.5, None]}
    assert done.created_at == job.created_at
    spec = {"device": "cpu", "variants": ["it", "ot"]}
    listed = store.add(new_job().__class__(kind="benchmark", spec=spec, spec_digest="", warnings=[]))
    found, total = store.page(Filter(variant="ot", device="cpu"), limit=5, offset=0)
    assert ([item.id for item in found], total) == ([listed.id], 1)

    added = [store.add_finished(new_job(), Outcome({}, None, [], fingerprint="f")) for _ in range(2)]
    assert [is_new for _, is_new in added] == [True, False]
    assert added[0][0].id == added[1][0].id
    claim_next(store)
    store.change(listed.id, State.SUCCEEDED, result={"a": 0.1}, environment_digest="e", servable=True)
    served = store.find_servable("benchmark", "", "e")
    assert served is not None
    assert (served.id, served.result) == (listed.id, {"a": 0.1})
    assert store.find_servable("benchmark", "", "other") is None

    first, second = turn_for(engine, tmp_path), turn_for(engine, tmp_path)
    assert first.take()
    assert first.take()
    assert not second.take()
    first.give_back()
    assert second.take()
    second.give_back()
    engine.dispose()
