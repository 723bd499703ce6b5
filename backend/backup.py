"""Save everything a service keeps into one file while it runs, and put it back into an empty folder.

The file is a tar archive: a page of facts, the SQLite database (copied by SQLite's own online backup, so it is whole whatever is
written meanwhile), the uploads, and the points of unfinished sweeps. A PostgreSQL database is saved by its own ``pg_dump``; then
the archive holds the rest.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sqlite3
import tarfile
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import make_url

from backend.settings import Settings
from dyad_core._version import __version__
from dyad_core.errors import DyadError

__all__ = ["BackupFailed", "Facts", "make_backup", "restore_backup"]

FACTS, DATABASE = "dyad-backup.json", "dyad.sqlite3"
FOLDERS = ("uploads", "sweeps")
FORMAT = 1
_HIDDEN = "."  # an upload that has not arrived whole


class BackupFailed(DyadError):  # noqa: N818 - the event, as the library's family names it
    """It could not be saved or put back; the message says why, and nothing was left half done."""


@dataclass(frozen=True)
class Facts:
    """What is in a backup: of which version and moment it is, and how much."""

    format: int
    version: str
    made_at: str
    database: str
    runs: int | None
    uploads: int
    sweeps: int


def make_backup(settings: Settings, target: Path) -> Facts:
    """Write everything that is kept into the new file ``target``; a service may run meanwhile.

    Raises:
        BackupFailed: there is such a file, nothing to save, no room, or the database is damaged.
    """
    if target.exists():
        raise BackupFailed(f"{target} exists; name a new file.")
    database = _sqlite_file(settings)
    if database is not None and not database.is_file():
        raise BackupFailed(f"There is no database at {database}; DYAD_HOME names the folder of the service.")
    with (
        _sentences(f"The backup {target} cannot be written"),
        tempfile.TemporaryDirectory(dir=target.absolute().parent, prefix=".dyad-backup-") as folder,
    ):
        copied, runs = None, None
        if database is not None:
            copied = Path(folder) / DATABASE
            _copy(database, copied)
            runs = _check(copied)
        partial = Path(folder) / "archive"
        uploads, sweeps = (_kept(settings.home / name) for name in FOLDERS)
        kind = "sqlite" if database is not None else "postgresql"
        facts = Facts(FORMAT, __version__, _now(), kind, runs, len(uploads), len(sweeps))
        page = Path(folder) / FACTS
        page.write_text(json.dumps(asdict(facts), indent=2), encoding="utf-8")
        with tarfile.open(partial, "w:gz" if target.suffix in (".gz", ".tgz") else "w") as archive:
            archive.add(page, FACTS)
            if copied is not None:
                archive.add(copied, DATABASE)
            for path in [*uploads, *sweeps]:
                with contextlib.suppress(FileNotFoundError):  # deleted in between
                    archive.add(path, str(path.relative_to(settings.home)))
        with partial.open("rb") as file:
            os.fsync(file.fileno())
        partial.chmod(0o600)
        partial.rename(target)
    return facts


def restore_backup(settings: Settings, source: Path) -> Facts:
    """Put a backup into the folder of ``settings``, which keeps nothing yet.

    Raises:
        BackupFailed: it is no backup, damaged, of a newer format, for another kind of database, or something is there already.
    """
    database = _sqlite_file(settings)
    taken = [
        path for path in ([database] if database else []) + [settings.home / name for name in FOLDERS] if path.exists()
    ]
    if taken:
        raise BackupFailed(f"{taken[0]} exists, and nothing is overwritten; move it away, or name another DYAD_HOME.")
    with _sentences(f"The backup {source} cannot be put back"), contextlib.ExitStack() as stack:
        settings.home.mkdir(parents=True, exist_ok=True)
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=settings.home, prefix=".restoring-")))
        archive = stack.enter_context(tarfile.open(source))
        facts = _facts_of(archive, source)
        if (facts.database == "sqlite") != (database is not None):
            raise BackupFailed(
                f"{source} was made with {facts.database} as the database, which is not the one that DYAD_DATABASE_URL names."
            )
        for member in archive:
            if member.name.partition("/")[0] not in (FACTS, DATABASE, *FOLDERS):
                raise BackupFailed(f"{source} holds {member.name!r}, which no backup does; nothing was put back.")
            archive.extract(member, folder, filter="data")
        if database is not None:
            _check(folder / DATABASE)
            database.parent.mkdir(parents=True, exist_ok=True)
        for name in FOLDERS:
            if (folder / name).exists():
                (folder / name).rename(settings.home / name)
        if database is not None:  # last: a service finds its files as soon as it finds its jobs
            shutil.move(folder / DATABASE, database)
    return facts


def _sqlite_file(settings: Settings) -> Path | None:
    url = make_url(settings.resolved_database_url)
    return Path(url.database or "").absolute() if url.get_backend_name() == "sqlite" else None


def _kept(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if not path.name.startswith(_HIDDEN))


def _copy(database: Path, target: Path) -> None:
    source, copied = sqlite3.connect(database), sqlite3.connect(target)
    with contextlib.closing(source), contextlib.closing(copied):
        source.backup(copied)
        copied.execute("PRAGMA journal_mode=DELETE")  # one file, no log beside it


def _check(database: Path) -> int:
    """Return how many jobs a database has."""
    with contextlib.closing(sqlite3.connect(database)) as connection:
        said = connection.execute("PRAGMA integrity_check").fetchone()[0]
        if said != "ok":
            raise BackupFailed(f"The database is damaged: {said}.")
        count: int = connection.execute("SELECT count(*) FROM jobs").fetchone()[0]
    return count


def _facts_of(archive: tarfile.TarFile, source: Path) -> Facts:
    first = archive.next()
    page = archive.extractfile(first) if first is not None and first.name == FACTS and first.size < 2**16 else None
    if page is None:
        raise BackupFailed(f"{source} is no backup of dyad-explorer; `dyad backup` makes them.")
    facts = json.loads(page.read())
    if facts["format"] != FORMAT:
        raise BackupFailed(
            f"{source} was made by dyad-explorer {facts['version']}; update dyad-explorer to put it back."
        )
    return Facts(**facts)


@contextlib.contextmanager
def _sentences(start: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise BackupFailed(f"{start}: {error.strerror or error}.") from error
    except (sqlite3.Error, tarfile.TarError, EOFError, ValueError, KeyError, TypeError) as error:
        raise BackupFailed(f"{start}: {error}.") from error


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
