"""``dyad tokens``: make, list and revoke the tokens of the service whose database the ``DYAD_*`` settings name.

It works on the database itself, so it needs no token and no running service: whoever can write the database may.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from sqlalchemy.exc import SQLAlchemyError

from backend.security.configuration import check_origins
from backend.security.registry import KEPT_S
from backend.security.scopes import Scope
from backend.security.tokens import Token, TokenStore
from backend.service_client import WRONG_INPUT, end, settings_of_here
from backend.store.database import open_database
from dyad_core.errors import DyadError, SpecError

__all__ = ["tokens"]

tokens = typer.Typer(help="Make, list and revoke tokens of the service.", no_args_is_help=True)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]
Name = Annotated[str, typer.Argument(help="Who holds it, for example ann or nightly-runs.")]
WITHIN_S = round(2 * KEPT_S)


@contextmanager
def _store(*, making: bool = False) -> Iterator[TokenStore]:
    settings = settings_of_here()
    try:
        check_origins(settings, tokens=making)
        engine = open_database(settings)
        try:
            yield TokenStore(engine)
        finally:
            engine.dispose()
    except SpecError as error:
        end("\n".join(f"{problem}." for problem in error.problems), WRONG_INPUT)
    except DyadError as error:
        end(str(error))
    except SQLAlchemyError as error:
        end(f"The database does not take this: {getattr(error, 'orig', None) or error}.")


@tokens.command("create")
def create(
    name: Name,
    scope: Annotated[
        Scope, typer.Option(help="read looks and computes; run also queues, cancels, deletes.")
    ] = Scope.RUN,
    days: Annotated[int | None, typer.Option(help="Days until it expires; without it, it does not.")] = None,
    as_json: AsJson = False,
) -> None:
    """Make a token and print it; it is shown this once and kept as a hash alone.

    From the first token on the service asks everybody for one. It notices within 10 seconds.
    """
    with _store(making=True) as store:
        token, secret = store.create(name, scope, days)
    if as_json:
        typer.echo(json.dumps(_facts(token) | {"token": secret}, indent=2))
        return
    typer.echo(secret)
    typer.echo(
        f"This is the token of {name}; it is not shown again. Send it as `Authorization: Bearer …`, or set DYAD_API_TOKEN "
        f"for the dashboard and the commands. The service asks everybody for a token within {WITHIN_S} seconds.",
        err=True,
    )


@tokens.command("list")
def list_tokens(as_json: AsJson = False) -> None:
    """Show every token, without its secret."""
    with _store() as store:
        found = store.all()
    if as_json:
        typer.echo(json.dumps([_facts(token) for token in found], indent=2))
        return
    table = Table("name", "scope", "state", "made", "expires", "last used")
    for token in found:
        facts = _facts(token)
        moments = (_day(facts[field]) for field in ("created_at", "expires_at", "last_used_at"))
        table.add_row(facts["name"], facts["scope"], facts["state"], *moments)
    Console().print(table if found else "There is no token; unless DYAD_API_TOKEN is set, the service asks for none.")


@tokens.command("revoke")
def revoke(name: Name, as_json: AsJson = False) -> None:
    """End a token; the service lets nobody in with it any more within 10 seconds."""
    with _store() as store:
        token = store.revoke(name)
    words = f"The token of {name} was revoked; it stops working within {WITHIN_S} seconds."
    typer.echo(json.dumps(_facts(token), indent=2) if as_json else words)


@tokens.command("clear")
def clear(
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: AsJson = False,
) -> None:
    """Forget all tokens, which lets everybody in again unless DYAD_API_TOKEN is set."""
    if not yes:
        typer.confirm("Forget every token? The service then asks nobody for one.", abort=True, err=True)
    with _store() as store:
        count = store.forget_all()
    typer.echo(json.dumps({"forgotten": count}) if as_json else f"Forgotten: {count}.")


def _facts(token: Token) -> dict[str, Any]:
    moments = ("created_at", "expires_at", "last_used_at", "revoked_at")
    texts = {name: None if (moment := getattr(token, name)) is None else moment.isoformat() for name in moments}
    return {"name": token.name, "scope": token.scope.value, "state": token.state(datetime.now(UTC)), **texts}


def _day(moment: str | None) -> str:
    return "never" if moment is None else moment[:16].replace("T", " ")
