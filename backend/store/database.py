"""Open the database and bring its schema up to date; one that cannot be used ends in a sentence that says what to do."""

from __future__ import annotations

from alembic.util import CommandError
from sqlalchemy import URL, Engine, make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from backend.settings import Settings
from backend.store.engine import make_engine
from backend.store.health import Trouble, trouble_beneath
from backend.store.upgrade import BrokenReferences, upgrade
from dyad_core.errors import DyadError

__all__ = ["DatabaseUnusable", "open_database"]

_ADVICE = {
    Trouble.FULL: "its disk is full; free some space, then start again.",
    Trouble.READ_ONLY: "it is read-only, and every run has to be written; check the permissions of its file and folder "
    "(PostgreSQL: of its user, and that it is no standby).",
    Trouble.BUSY: "another program holds it; end that, then start again.",
    Trouble.DAMAGED: "it is damaged or no database; put a backup in its place, or name another by DYAD_HOME.",
}


class DatabaseUnusable(DyadError):  # noqa: N818 - the event, as the library's family names it
    """The database cannot be used; the message says why and what to do."""


def open_database(settings: Settings) -> Engine:
    """Return an engine on the database of ``settings``, its schema upgraded to the newest version.

    Raises:
        DatabaseUnusable: it cannot be opened, written or understood; it is as it was.
    """
    url = _url_of(settings)
    shown = url.render_as_string(hide_password=True)
    try:
        settings.home.mkdir(parents=True, exist_ok=True)
        upgrade(url)
        return make_engine(url)
    except OSError as error:
        raise DatabaseUnusable(
            f"The folder {settings.home} cannot be made: {error.strerror}; DYAD_HOME names another one."
        ) from error
    except CommandError as error:
        raise DatabaseUnusable(
            f"The database {shown} was written by another version of dyad-explorer ({error}); "
            "update dyad-explorer, or name another place by DYAD_HOME or DYAD_DATABASE_URL."
        ) from error
    except BrokenReferences as error:
        raise DatabaseUnusable(
            f"The database {shown} was not upgraded, because {error}; put a backup in its place."
        ) from error
    except SQLAlchemyError as error:
        reason = str(getattr(error, "orig", None) or error).strip()
        advice = _ADVICE.get(trouble_beneath(error, url), "check DYAD_HOME and DYAD_DATABASE_URL.")
        raise DatabaseUnusable(f"The database {shown} cannot be opened: {reason}; {advice}") from error
    except ImportError as error:
        raise DatabaseUnusable(f"DYAD_DATABASE_URL ({shown}) cannot be used: {error}") from error


def _url_of(settings: Settings) -> URL:
    try:
        url = make_url(settings.resolved_database_url)
    except ArgumentError as error:
        raise DatabaseUnusable(f"DYAD_DATABASE_URL is not a database address: {error}") from error
    shown = url.render_as_string(hide_password=True)
    try:
        name = url.get_backend_name()
        url.get_dialect()
    except SQLAlchemyError as error:
        raise DatabaseUnusable(f"DYAD_DATABASE_URL ({shown}) cannot be used: {error}") from error
    if name not in ("sqlite", "postgresql"):
        raise DatabaseUnusable(f"DYAD_DATABASE_URL ({shown}) cannot be used: it has to be SQLite or PostgreSQL.")
    if name == "sqlite" and url.database in (None, "", ":memory:"):
        raise DatabaseUnusable(
            f"DYAD_DATABASE_URL ({shown}) cannot be used: SQLite needs a file, as in sqlite:////a/b.db."
        )
    return url
