"""What is wrong with a database: the cause of an error, and a check that a run could be kept right now.

The drivers say it by numbers: SQLite's result codes, PostgreSQL's SQLSTATE.
"""

from __future__ import annotations

import errno
import sqlite3
import tempfile
from enum import StrEnum
from pathlib import Path
from urllib.parse import unquote

from sqlalchemy import URL, Connection, Engine
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout

__all__ = ["Trouble", "check_database", "trouble_beneath", "trouble_of"]


class Trouble(StrEnum):
    """Why a database cannot do what it is asked; the value goes into a sentence."""

    GONE = "does not answer"
    READ_ONLY = "is read-only"
    FULL = "has no room left on its disk"
    BUSY = "is busy"
    DAMAGED = "is damaged"
    UNFORESEEN = "refuses"


_SQLITE = {
    sqlite3.SQLITE_FULL: Trouble.FULL,
    sqlite3.SQLITE_READONLY: Trouble.READ_ONLY,
    sqlite3.SQLITE_PERM: Trouble.READ_ONLY,
    sqlite3.SQLITE_BUSY: Trouble.BUSY,
    sqlite3.SQLITE_LOCKED: Trouble.BUSY,
    sqlite3.SQLITE_PROTOCOL: Trouble.BUSY,
    sqlite3.SQLITE_CANTOPEN: Trouble.GONE,
    sqlite3.SQLITE_IOERR: Trouble.GONE,
    sqlite3.SQLITE_CORRUPT: Trouble.DAMAGED,
    sqlite3.SQLITE_NOTADB: Trouble.DAMAGED,
}
_NO_ROOM = (sqlite3.SQLITE_IOERR_SHMSIZE, sqlite3.SQLITE_IOERR_SHMMAP)  # the index of the log could not grow
_POSTGRES = {
    "53100": Trouble.FULL,
    "25006": Trouble.READ_ONLY,
    "42501": Trouble.READ_ONLY,  # the user may not write
    "53": Trouble.BUSY,  # too many connections, no memory
    "55": Trouble.BUSY,  # a lock that was not had in time
    "57014": Trouble.BUSY,  # a statement that took too long
    "40": Trouble.BUSY,  # two that waited for one another
    "25P": Trouble.BUSY,
    "57P": Trouble.GONE,  # it shuts down, or starts
    "08": Trouble.GONE,
    "28": Trouble.GONE,  # it does not let us in
    "3D": Trouble.GONE,  # there is no such database
    "58": Trouble.GONE,
    "XX001": Trouble.DAMAGED,
    "XX002": Trouble.DAMAGED,
}

LOCK_WAIT_MS = 1000
_PROBE_BYTES = 64 * 1024


def trouble_of(error: BaseException) -> Trouble:
    """Name the cause of an error of SQLAlchemy or of the file system."""
    if isinstance(error, PoolTimeout):
        return Trouble.BUSY
    if isinstance(error, OSError):
        return _trouble_of_files(error)
    cause = error.orig if isinstance(error, DBAPIError) else error
    if isinstance(cause, sqlite3.Error):
        code = getattr(cause, "sqlite_errorcode", None)
        if code is None:
            return Trouble.UNFORESEEN
        return Trouble.FULL if code in _NO_ROOM else _SQLITE.get(code & 0xFF, Trouble.UNFORESEEN)
    if isinstance(error, DBAPIError):
        state = getattr(cause, "sqlstate", None)
        if state is not None:
            found = (_POSTGRES[state[:length]] for length in (5, 3, 2) if state[:length] in _POSTGRES)
            return next(found, Trouble.UNFORESEEN)
        if error.connection_invalidated or type(cause).__name__ in ("OperationalError", "ConnectionTimeout"):
            return Trouble.GONE  # the driver itself: nothing answered
    return Trouble.UNFORESEEN


def check_database(engine: Engine) -> str:
    """Say in a sentence why no run could be kept right now; "" when it could.

    Nothing is changed: what is written is rolled back. Answers within ten seconds, also where a host is gone. Whether the disk
    of PostgreSQL has room is for its own supervision; here only a change that fails tells.
    """
    try:
        with engine.connect() as connection:
            if engine.dialect.name == "sqlite":
                _try_sqlite(connection)
            elif (found := _try_postgresql(connection)) is not None:
                return _sentence(found)
        if engine.dialect.name == "sqlite":
            _try_disk(_folder_of(engine.url))
    except (SQLAlchemyError, OSError) as error:
        return _sentence(trouble_beneath(error, engine.url))
    return ""


def trouble_beneath(error: BaseException, url: URL) -> Trouble:
    """Name the cause; a file of SQLite that cannot be opened does not say why, its folder does."""
    trouble = trouble_of(error)
    if trouble is not Trouble.GONE or url.get_backend_name() != "sqlite":
        return trouble
    try:
        _try_disk(_folder_of(url))
    except OSError as beneath:
        return trouble_of(beneath)
    return trouble


def _sentence(trouble: Trouble) -> str:
    waited = f": a lock was not had within {LOCK_WAIT_MS / 1000:g} s" if trouble is Trouble.BUSY else ""
    return f"The database {trouble}{waited}."


def _try_sqlite(connection: Connection) -> None:
    before = connection.exec_driver_sql("PRAGMA busy_timeout").scalar_one()
    connection.exec_driver_sql(f"PRAGMA busy_timeout={LOCK_WAIT_MS}")
    try:
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = version_num")
    finally:
        connection.rollback()
        connection.exec_driver_sql(f"PRAGMA busy_timeout={before}")


def _try_postgresql(connection: Connection) -> Trouble | None:
    connection.exec_driver_sql(f"SET LOCAL lock_timeout = {LOCK_WAIT_MS}")
    connection.exec_driver_sql("SET LOCAL statement_timeout = 3000")
    if connection.exec_driver_sql("SELECT current_setting('transaction_read_only')").scalar_one() == "on":
        return Trouble.READ_ONLY  # a standby, or told to be
    connection.exec_driver_sql("LOCK TABLE jobs IN ROW EXCLUSIVE MODE")  # what a change needs, its rights included
    connection.rollback()
    return None


def _folder_of(url: URL) -> Path:
    name = url.database or ""
    return Path(unquote(name.removeprefix("file:")) if name.startswith("file:") else name).parent


def _try_disk(folder: Path) -> None:
    """Write a little beside the database: only that tells whether there is room."""
    with tempfile.TemporaryFile(dir=folder, prefix=".room-") as file:
        file.write(b"\0" * _PROBE_BYTES)
        file.flush()


def _trouble_of_files(error: OSError) -> Trouble:
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return Trouble.FULL
    return Trouble.READ_ONLY if error.errno in (errno.EROFS, errno.EACCES, errno.EPERM) else Trouble.GONE
