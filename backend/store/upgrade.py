"""Bring the schema of a database to the newest version: all of it or nothing, and by one server at a time.

One transaction holds every migration, on SQLite too, so whoever is killed in the middle leaves the schema of before. Servers
that start together on one database wait for the first, then find nothing left to do.
"""

from __future__ import annotations

import logging
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import URL, Connection, text

from backend.store.engine import upgrading_engine
from dyad_core.errors import DyadError

__all__ = ["MIGRATIONS", "upgrade"]

_log = logging.getLogger(__name__)

MIGRATIONS = Path(__file__).parent / "migrations"
_ADVISORY_KEY = 0x64796175  # "dyau" in ASCII; the turn to measure has a key of its own


class BrokenReferences(DyadError):  # noqa: N818 - the event, as the library's family names it
    """After the upgrade rows would refer to rows that are not there; it was undone."""


def upgrade(url: URL, revision: str = "head") -> None:
    """Upgrade the database at ``url`` to ``revision``; one that is there already is only looked at.

    Raises:
        alembic.util.CommandError: a newer version of the program wrote it.
        sqlalchemy.exc.SQLAlchemyError: it cannot be opened or written; nothing was changed.
        BrokenReferences: its content contradicts itself; nothing was changed.
    """
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    wanted = ScriptDirectory.from_config(config).get_revision(revision)
    engine = upgrading_engine(url)
    try:
        with engine.begin() as connection:
            _wait_for_others(connection)
            before = MigrationContext.configure(connection).get_current_revision()
            if wanted is not None and before == wanted.revision:
                return
            config.attributes["connection"] = connection
            command.upgrade(config, revision)
            _check_references(connection)
        if before is not None:
            _log.info("the schema of the database was upgraded from %s to %s", before, wanted and wanted.revision)
    finally:
        engine.dispose()


def _wait_for_others(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":  # SQLite's BEGIN IMMEDIATE has waited
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _ADVISORY_KEY})


def _check_references(connection: Connection) -> None:
    if connection.dialect.name == "sqlite":
        lost = connection.exec_driver_sql("PRAGMA foreign_key_check").all()
        if lost:
            raise BrokenReferences(f"{len(lost)} rows of the table {lost[0][0]} refer to rows that are not there")
