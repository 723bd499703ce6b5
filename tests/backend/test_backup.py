"""Backup and restore for real: of a server that runs, on both databases, and what is no backup is refused."""

from __future__ import annotations

import io
import json
import sqlite3
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result
from fastapi.testclient import TestClient
from full_disk import small_disk
from old_databases import content
from postgres_tools import PostgresServer
from service_tools import LONG, SMALL, ended, new_job, npy, send, serving, wait_until, workers_of
from typer import Typer
from typer.testing import CliRunner

from backend.app import create_app
from backend.backup import BackupFailed, make_backup, restore_backup
from backend.backup_cli import backup, restore
from backend.settings import Settings
from backend.store.database import open_database
from backend.store.store import Store

RUNS = "/api/v1/benchmarks"


def said_by(command: Callable[..., None], settings: Settings, *arguments: str) -> Result:
    app = Typer()
    app.command()(command)
    environment = {"DYAD_HOME": str(settings.home), "DYAD_DATABASE_URL": settings.database_url or ""}
    return CliRunner().invoke(app, arguments, env=environment)


@pytest.mark.database("sqlite")
def test_what_a_running_server_keeps_is_there_again_in_another_folder(settings: Settings, tmp_path: Path) -> None:
    file = tmp_path / "saved.tar.gz"
    with serving(settings) as (client, process):
        done = ended(client, client.post(RUNS, json=SMALL).json()["id"])
        upload = send(client, npy(np.ones((4, 4), dtype=np.float32))).json()
        running = client.post(RUNS, json=LONG).json()["id"]
        wait_until(lambda: workers_of(process.pid), "the start of the measurement")
        said = said_by(backup, settings, str(file))
        assert said.exit_code == 0, said.output
        assert f"Saved: 2 jobs, 1 uploads, the points of 0 sweeps, in {file}." in said.output
    assert file.stat().st_mode & 0o777 == 0o600

    other = Settings(home=tmp_path / "other", reference_runs=False)
    facts = json.loads(said_by(restore, other, str(file), "--json").output)
    assert (facts["runs"], facts["uploads"], facts["database"]) == (2, 1, "sqlite")
    assert sorted(path.name for path in other.home.iterdir()) == ["dyad.sqlite3", "uploads"]
    with TestClient(create_app(other)) as client:
        assert client.get(f"{RUNS}/{done['id']}").json() == done
        assert client.get(f"/api/v1/uploads/{upload['id']}").json() == upload
        assert ended(client, running)["status"] == "interrupted"


@pytest.mark.database("postgresql")
def test_a_dump_of_postgresql_and_the_files_are_there_again_elsewhere(
    settings: Settings, postgres: PostgresServer, tmp_path: Path
) -> None:
    engine = open_database(settings)
    jobs = [Store(engine).add(new_job(f"print('{text}')")) for text in ("a", "測定 ✓")]
    with TestClient(create_app(settings)) as client:
        upload = send(client, npy(np.ones((4, 4), dtype=np.float32))).json()
        client.app.state.service.desk.scheduler.stop()  # type: ignore[attr-defined]
    before = content(engine)
    engine.dispose()
    dump, file = tmp_path / "dyad.dump", tmp_path / "files.tar"
    run(str(postgres.programs / "pg_dump"), "--format=custom", f"--file={dump}", settings.database_url or "")
    said = said_by(backup, settings, str(file))
    assert "The database is PostgreSQL, which is not in this file: save it with pg_dump" in said.output

    name = postgres.new_database()
    other = Settings(home=tmp_path / "other", database_url=postgres.url(name), reference_runs=False)
    run(
        str(postgres.programs / "pg_restore"),
        "--exit-on-error",
        "--no-owner",
        f"--dbname={other.database_url}",
        str(dump),
    )
    assert "put it back with pg_restore" in said_by(restore, other, str(file)).output
    engine = open_database(other)
    assert content(engine) == before
    assert {job.id for job in jobs} <= {row["id"] for row in before["jobs"]}
    engine.dispose()
    with TestClient(create_app(other)) as client:
        assert client.get(f"/api/v1/uploads/{upload['id']}").json() == upload
    postgres.drop(name)


def run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    """A backup of a small home with points of a sweep and half an upload."""
    settings = Settings(home=tmp_path / "first")
    open_database(settings).dispose()
    for path in ("sweeps/a.jsonl", "uploads/.half/upload", "uploads/" + "a" * 32 + "/upload", "measuring.lock"):
        (settings.home / path).parent.mkdir(parents=True, exist_ok=True)
        (settings.home / path).write_text("kept\n", encoding="utf-8")
    make_backup(settings, tmp_path / "saved.tar")
    return tmp_path / "saved.tar"


def test_files_of_the_moment_are_left_out(saved: Path) -> None:
    with tarfile.open(saved) as archive:
        names = archive.getnames()
    upload = "uploads/" + "a" * 32
    assert names == ["dyad-backup.json", "dyad.sqlite3", upload, f"{upload}/upload", "sweeps/a.jsonl"]


def test_nothing_is_overwritten(saved: Path, tmp_path: Path) -> None:
    first = Settings(home=tmp_path / "first")
    with pytest.raises(BackupFailed, match="exists; name a new file"):
        make_backup(first, saved)
    with pytest.raises(BackupFailed, match=r"dyad.sqlite3 exists, and nothing is overwritten; move it away"):
        restore_backup(first, saved)
    (tmp_path / "second" / "uploads").mkdir(parents=True)
    said = said_by(restore, Settings(home=tmp_path / "second"), str(saved))
    assert said.exit_code == 1
    assert "uploads exists" in said.output


def test_a_folder_without_a_database_and_a_missing_file_are_said(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "none")
    with pytest.raises(BackupFailed, match="There is no database at"):
        make_backup(settings, tmp_path / "new.tar")
    with pytest.raises(BackupFailed, match="cannot be put back: No such file"):
        restore_backup(settings, tmp_path / "missing.tar")
    open_database(settings).dispose()
    with pytest.raises(BackupFailed, match="cannot be written: No such file"):
        make_backup(settings, tmp_path / "no" / "such" / "folder.tar")


def test_a_damaged_database_is_not_saved_as_if_it_were_whole(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "home")
    open_database(settings).dispose()
    path = settings.home / "dyad.sqlite3"
    page = path.read_bytes()
    path.write_bytes(page[:4096] + b"\xff" * 4096 + page[8192:])
    with pytest.raises(BackupFailed, match="damaged|malformed"):
        make_backup(settings, tmp_path / "new.tar")
    assert [entry.name for entry in tmp_path.iterdir()] == ["home"]


@pytest.mark.parametrize(
    ("name", "facts", "words"),
    [
        ("../evil", {}, "holds '../evil', which no backup does; nothing was put back"),
        ("/etc/evil", {}, "holds '/etc/evil'"),
        ("uploads/../../evil", {}, "cannot be put back"),
        ("uploads/link", {}, "cannot be put back"),
        (None, {"format": 2, "version": "9.0"}, "was made by dyad-explorer 9.0; update dyad-explorer"),
        (None, {"database": "postgresql"}, "with postgresql as the database, which is not the one"),
        (None, {"more": 1}, "cannot be put back"),
        (None, None, "is no backup of dyad-explorer"),
    ],
)
def test_what_is_no_backup_of_ours_is_refused_and_leaves_nothing(
    saved: Path, tmp_path: Path, name: str | None, facts: dict[str, object] | None, words: str
) -> None:
    odd = tmp_path / "odd.tar"
    with tarfile.open(saved) as source, tarfile.open(odd, "w") as target:
        for member in source:
            data = source.extractfile(member)
            if member.name == "dyad-backup.json" and data is not None:
                if facts is None:
                    continue
                changed = json.dumps(json.loads(data.read()) | facts).encode()
                member.size, data = len(changed), io.BytesIO(changed)  # type: ignore[assignment]
            target.addfile(member, data)
        if name is not None:
            extra = tarfile.TarInfo(name)
            if name.endswith("link"):
                extra.type, extra.linkname = tarfile.SYMTYPE, "/etc"
            target.addfile(extra)

    settings = Settings(home=tmp_path / "second")
    with pytest.raises(BackupFailed, match=words):
        restore_backup(settings, odd)
    assert list(settings.home.iterdir()) == []
    assert not (tmp_path / "evil").exists()


@pytest.mark.parametrize("content", [b"", b"not a tar", b"\x1f\x8b\x08\x00"])
def test_a_file_of_another_kind_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "odd.tar").write_bytes(content)
    with pytest.raises(BackupFailed, match="cannot be put back|is no backup"):
        restore_backup(Settings(home=tmp_path / "home"), tmp_path / "odd.tar")


def test_a_backup_that_was_cut_off_is_refused(saved: Path, tmp_path: Path) -> None:
    (tmp_path / "cut.tar").write_bytes(saved.read_bytes()[: 3 * 2**13])
    with pytest.raises(BackupFailed, match="cannot be put back"):
        restore_backup(Settings(home=tmp_path / "home"), tmp_path / "cut.tar")
    assert list((tmp_path / "home").iterdir()) == []


def test_a_full_disk_leaves_no_half_backup(saved: Path, tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 1) as disk:
        disk.fill()
        with pytest.raises(BackupFailed, match="full|No space left"):
            make_backup(Settings(home=tmp_path / "first"), disk.folder / "new.tar")
        assert [path.name for path in disk.folder.iterdir()] == ["filler"]


def test_a_backup_is_whole_whatever_is_written_meanwhile(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "home")
    store = Store(open_database(settings))
    store.add(new_job())
    writer = sqlite3.connect(settings.home / "dyad.sqlite3")
    writer.execute("BEGIN IMMEDIATE")
    writer.execute("DELETE FROM jobs")
    assert make_backup(settings, tmp_path / "new.tar").runs == 1
    writer.rollback()
    writer.close()
    store.engine.dispose()
