"""How the service connects to its database: what is kept after a power cut, how long anything is waited for, how many connections.

SQLite runs in write-ahead-log mode, so readers never wait for the writer, and every commit reaches the disk before it counts
(``synchronous=FULL``): a result that was said to be kept survives a power cut. That costs 0.3 ms a commit instead of 0.03 ms on an
SSD, a few times a second at most. PostgreSQL goes through psycopg; a host that is gone is noticed within seconds on both ends, so
that the turn to measure, which is a lock of a connection, does not stay with a dead server.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sqlalchemy import URL, Engine, create_engine, event
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.pool import NullPool

__all__ = ["make_engine", "upgrading_engine"]

BUSY_TIMEOUT_MS = 5000
UPGRADE_TIMEOUT_S = 600
"""How long a second server waits for the first to finish the upgrade of a large database."""

_WAL_KEPT_BYTES = 64 * 2**20
_POOL_TIMEOUT_S = 10.0
_POOLS = {"sqlite": (10, 30), "postgresql": (5, 25)}
"""Connections kept and further ones at peaks: the threads of the web server, its queue and its turn, never more."""

_CONNECT: dict[str, Any] = {
    "application_name": "dyad-explorer",
    "connect_timeout": 3,
    "keepalives": 1,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 5000,
}
"""Of libpq, in seconds (the last one in milliseconds); a value in the address of the database wins."""

_SESSION = {
    "statement_timeout": "30s",
    "lock_timeout": "10s",
    "idle_in_transaction_session_timeout": "60s",
    # The other end of the connection: without them a server that lost its power keeps its turn for two hours.
    "tcp_keepalives_idle": "5",
    "tcp_keepalives_interval": "2",
    "tcp_keepalives_count": "3",
    "tcp_user_timeout": "10000",
}


def make_engine(url: URL) -> Engine:
    """Return the engine that the service works with; nothing is connected yet, and no file is made."""
    name = url.get_backend_name()
    kept, further = _POOLS.get(name, _POOLS["postgresql"])
    engine = create_engine(
        _existing(url) if name == "sqlite" else url,
        pool_pre_ping=True,
        pool_size=kept,
        max_overflow=further,
        pool_timeout=_POOL_TIMEOUT_S,
        connect_args=_postgres_arguments(url, _SESSION) if name == "postgresql" else {},
    )
    if name == "sqlite":
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "connect", _remember_file)
        event.listen(engine, "checkout", _same_file)
    return engine


def upgrading_engine(url: URL) -> Engine:
    """Return an engine for one upgrade of the schema: a transaction holds everything, and only one server has it.

    SQLite's driver opens no transaction before a CREATE or ALTER, so an upgrade that is cut off would leave half of it; here
    every transaction begins by hand, as the writer. Foreign keys are not enforced meanwhile: a table that is changed by copying
    it would take the rows that refer to it along.
    """
    name = url.get_backend_name()
    session = _SESSION | {"statement_timeout": "0", "lock_timeout": f"{UPGRADE_TIMEOUT_S}s"}
    engine = create_engine(
        url, poolclass=NullPool, connect_args=_postgres_arguments(url, session) if name == "postgresql" else {}
    )
    if name == "sqlite":

        def prepare(connection: Any, _record: Any) -> None:
            connection.isolation_level = None  # the driver begins nothing by itself
            waits = f"busy_timeout={UPGRADE_TIMEOUT_S * 1000}"
            _set(connection, waits, "journal_mode=WAL", "synchronous=FULL", "foreign_keys=OFF")

        event.listen(engine, "connect", prepare)
        event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN IMMEDIATE"))
    return engine


def _existing(url: URL) -> URL:
    """The same file, which is not made anew where it is gone: an empty one would look like a loss of every run."""
    if not url.database or url.query or url.database.startswith("file:"):
        return url
    escaped = url.database.replace("%", "%25").replace("?", "%3f").replace("#", "%23")
    return url.set(database=f"file:{escaped}", query={"mode": "rw", "uri": "true"})


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    _set(
        connection,
        f"busy_timeout={BUSY_TIMEOUT_MS}",
        "journal_mode=WAL",
        f"journal_size_limit={_WAL_KEPT_BYTES}",  # after a peak the log shrinks again
        "synchronous=FULL",
        "foreign_keys=ON",
    )


def _set(connection: Any, *pragmas: str) -> None:
    cursor = connection.cursor()
    for pragma in pragmas:
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _file_of(connection: Any) -> tuple[str, tuple[int, int] | None]:
    path = connection.execute("PRAGMA database_list").fetchone()[2]
    return path, _identity(path)


def _identity(path: str) -> tuple[int, int] | None:
    try:
        found = Path(path).stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _remember_file(connection: Any, record: Any) -> None:
    record.info["file"] = _file_of(connection)


def _same_file(_connection: Any, record: Any, _proxy: Any) -> None:
    """Let go of a connection to a file that was removed or replaced: what it wrote would be lost without a word."""
    path, identity = record.info["file"]
    if _identity(path) != identity:
        raise DisconnectionError("the file of the database was removed or replaced")


def _postgres_arguments(url: URL, session: dict[str, str]) -> dict[str, Any]:
    given = url.query.get("options", ())
    theirs = [given] if isinstance(given, str) else list(given)
    options = " ".join([*(f"-c {name}={value}" for name, value in session.items()), *theirs])  # the later one wins
    return {name: value for name, value in _CONNECT.items() if name not in url.query} | {"options": options}
