"""Open the database and bring its schema up to date.

SQLite runs in write-ahead-log mode, so readers never wait for the writer; PostgreSQL goes through psycopg. A
database that cannot be opened, or that a newer version of this program wrote, ends in a sentence.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from backend.settings import Settings
from dyad_core.errors import DyadError

__all__ = ["DatabaseUnusable", "open_database"]

MIGRATIONS = Path(__file__).parent / "migrations"
BUSY_TIMEOUT_MS = 5000


class DatabaseUnusable(DyadError):  # noqa: N818 - the event, as the library's family names it
    """The database cannot be used; the message says why and what to do."""


def open_database(settings: Settings) -> Engine:
    """Return an engine on the database of ``settings``, its schema upgraded to the newest version.

    Raises:
        DatabaseUnusable: it cannot be opened, written or understood.
    """
    try:
        url = make_url(settings.resolved_database_url)
    except ArgumentError as error:
        raise DatabaseUnusable(f"DYAD_DATABASE_URL is not a database address: {error}") from error
    shown = url.render_as_string(hide_password=True)
    try:
        settings.home.mkdir(parents=True, exist_ok=True)
        engine = create_engine(url, pool_pre_ping=True)
    except OSError as error:
        raise DatabaseUnusable(
            f"The folder {settings.home} cannot be made: {error.strerror}; DYAD_HOME names another one."
        ) from error
    except (SQLAlchemyError, ImportError) as error:
        raise DatabaseUnusable(f"DYAD_DATABASE_URL ({shown}) cannot be used: {error}") from error
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _prepare_sqlite)
    try:
        _upgrade(engine)
    except CommandError as error:
        engine.dispose()
        raise DatabaseUnusable(
            f"The database {shown} was written by another version of dyad-explorer ({error}); "
            "update dyad-explorer, or name another place by DYAD_HOME or DYAD_DATABASE_URL."
        ) from error
    except SQLAlchemyError as error:
        engine.dispose()
        reason = str(getattr(error, "orig", error)).strip()
        raise DatabaseUnusable(
            f"The database {shown} cannot be opened: {reason}; check DYAD_HOME and DYAD_DATABASE_URL."
        ) from error
    return engine


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    cursor = connection.cursor()
    for pragma in (
        f"busy_timeout={BUSY_TIMEOUT_MS}",
        "journal_mode=WAL",
        "synchronous=NORMAL",  # safe with WAL against a crash of the process; a power cut may lose the last commit
        "foreign_keys=ON",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _upgrade(engine: Engine) -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
