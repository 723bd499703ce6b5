"""Who sends a request: the token in its header, held against those that the service knows.

Tokens are read from the database at most every five seconds and kept in between, so that polling costs no query and
a revoked token stops working within ten seconds. Every comparison takes the same time whatever it finds.
"""

from __future__ import annotations

import asyncio
import hmac
import logging
import time
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError
from starlette.concurrency import run_in_threadpool

from backend.security.scopes import Scope
from backend.security.tokens import SHARED_NAME, Token, TokenStore, digest
from dyad_core.errors import DyadError

__all__ = ["KEPT_S", "Identity", "Registry", "Unauthorized"]

_log = logging.getLogger(__name__)

KEPT_S = 5.0
NOTED_EVERY_S = 60.0
GIVE = "send the header Authorization: Bearer and a token; `dyad tokens create` makes one where the service runs"


class Unauthorized(DyadError):  # noqa: N818 - the event, as the library's family names it
    """Nobody known sends this request; ``wrong`` tells a token that is no good from one that is missing."""

    def __init__(self, sentence: str, *, wrong: bool = True) -> None:
        """Say why, never with the token itself."""
        super().__init__(sentence)
        self.wrong = wrong


@dataclass(frozen=True)
class Identity:
    """Who sends a request and what they may do."""

    name: str
    scope: Scope


class Registry:
    """The tokens of one service.

    Args:
        shared: the token of ``DYAD_API_TOKEN``, None where it is not set.
    """

    def __init__(self, shared: str | None) -> None:
        """Know the shared token; those of the database come with :meth:`open`."""
        self._shared = None if shared is None else digest(shared)
        self._store: TokenStore | None = None
        self._tokens: tuple[Token, ...] = ()
        self._read_at = 0.0
        self._noted: dict[str, float] = {}
        self._reading = asyncio.Lock()

    async def open(self, engine: Engine) -> None:
        """Take the tokens of this database; called as the application starts."""
        self._store, self._reading = TokenStore(engine), asyncio.Lock()
        self._tokens, self._read_at = await run_in_threadpool(self._store.all), time.monotonic()

    @property
    def is_on(self) -> bool:
        """Whether requests need a token.

        A token that expired or was revoked keeps it on: the end of a token must never open a service to everybody.
        """
        return self._shared is not None or bool(self._tokens)

    async def identify(self, headers: list[str]) -> Identity | None:
        """Who sends these ``Authorization`` headers; None while no token is needed.

        Raises:
            Unauthorized: they name nobody, or a token that is over.
            SQLAlchemyError: the tokens cannot be read.
        """
        await self._refresh()
        if not self.is_on:
            return None
        given = digest(_bearer(headers))
        found: Token | None = None
        for token in self._tokens:  # all of them, always: how long it takes tells nothing
            if hmac.compare_digest(token.hash, given):
                found = token
        if self._shared is not None and hmac.compare_digest(self._shared, given):
            return Identity(SHARED_NAME, Scope.RUN)
        if found is None:
            raise Unauthorized("This token is not known here. It may be mistyped, or meant for another service.")
        match found.state(datetime.now(UTC)):
            case "expired":
                raise Unauthorized(f"This token expired at {found.expires_at:%Y-%m-%d %H:%M} UTC; ask for a new one.")
            case "revoked":
                raise Unauthorized("This token was revoked; ask for a new one.")
        await self._note(found)
        return Identity(found.name, found.scope)

    async def _refresh(self) -> None:
        if self._store is None or time.monotonic() - self._read_at < KEPT_S:
            return
        async with self._reading:
            if time.monotonic() - self._read_at < KEPT_S:  # another request read them in between
                return
            try:
                self._tokens = await run_in_threadpool(self._store.all)
            except SQLAlchemyError:
                if self._tokens:  # one of them may have been revoked since: nobody is let in on old knowledge
                    raise
            self._read_at = time.monotonic()

    async def _note(self, token: Token) -> None:
        now = time.monotonic()
        if self._store is None or now - self._noted.get(token.name, -NOTED_EVERY_S) < NOTED_EVERY_S:
            return
        self._noted[token.name] = now
        try:
            await run_in_threadpool(self._store.note_use, token.name)
        except SQLAlchemyError:
            _log.warning("the last use of the token %s could not be noted", token.name, exc_info=True)


def _bearer(headers: list[str]) -> str:
    if not headers:
        raise Unauthorized(f"This service wants a token: {GIVE}.", wrong=False)
    scheme, _, secret = headers[0].partition(" ")
    if len(headers) > 1 or scheme.lower() != "bearer" or not secret.strip():
        raise Unauthorized(f"The header Authorization must be one, of the form Bearer and a token: {GIVE}.")
    return secret.strip()
