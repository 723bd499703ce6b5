"""API tokens: made once, kept as a hash, listed, revoked.

A token is ``dyad_`` and 256 random bits. What is kept is its SHA-256, and a fast hash is right here: slow ones (bcrypt,
argon2) exist to make the guessing of *chosen passwords* expensive, and nobody guesses 2**256 random values, however fast
each try is. A slow one would only let every request cost a tenth of a second. A copy of the database therefore opens nothing.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import Engine, String, delete, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from backend.security.scopes import Scope
from backend.store.models import Base, UtcDateTime
from dyad_core.errors import Problem, SpecError

__all__ = ["SHARED_NAME", "Token", "TokenStore", "digest"]

PREFIX = "dyad_"
SECRET_BYTES = 32
SHARED_NAME = "DYAD_API_TOKEN"
LONGEST_LIFE_DAYS = 3650
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,79}", re.ASCII)


class TokenRow(Base):
    """One token. A revoked one stays, so that its holder is told, and so that the service does not fall open."""

    __tablename__ = "tokens"

    name: Mapped[str] = mapped_column(String(80), primary_key=True)
    scope: Mapped[str] = mapped_column(String(8))
    hash: Mapped[str] = mapped_column(String(64), unique=True)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    last_used_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    revoked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


@dataclass(frozen=True)
class Token:
    """A token without its secret, which nobody has but its holder.

    Attributes:
        name: of whoever holds it; jobs carry it as their client.
        scope: what it may do.
        hash: SHA-256 of the secret, in hexadecimal digits.
        created_at, expires_at, last_used_at, revoked_at: moments in UTC; None for never.
    """

    name: str
    scope: Scope
    hash: str
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    revoked_at: datetime | None

    def state(self, now: datetime) -> str:
        """``usable``, ``expired`` or ``revoked``."""
        if self.revoked_at is not None:
            return "revoked"
        return "expired" if self.expires_at is not None and self.expires_at <= now else "usable"


def digest(secret: str) -> str:
    """What is kept of a secret."""
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).hexdigest()


class TokenStore:
    """The table of tokens."""

    def __init__(self, engine: Engine) -> None:
        """Use the database behind ``engine``, whose schema is up to date."""
        self._engine = engine

    def all(self) -> tuple[Token, ...]:
        """Every token there ever was and was not forgotten, oldest first."""
        with Session(self._engine) as session:
            rows = session.scalars(select(TokenRow).order_by(TokenRow.created_at, TokenRow.name)).all()
            return tuple(_token(row) for row in rows)

    def create(self, name: str, scope: Scope, days: int | None) -> tuple[Token, str]:
        """Make a token and return it with its secret, which is told this once; one that is over may be made anew.

        Raises:
            SpecError: fields ``name`` and ``days``.
        """
        problems = []
        if not _NAME.fullmatch(name) or name == SHARED_NAME:
            rule = "must be 1 to 80 letters, digits and . _ @ - , beginning with a letter or digit"
            problems.append(Problem("name", rule, name, "for example ann or nightly-runs"))
        if days is not None and not 1 <= days <= LONGEST_LIFE_DAYS:
            rule = f"must lie between 1 and {LONGEST_LIFE_DAYS}"
            problems.append(Problem("days", rule, days, "leave it away for a token that does not expire"))
        if problems:
            raise SpecError(problems)
        secret = PREFIX + secrets.token_urlsafe(SECRET_BYTES)
        now = datetime.now(UTC)
        with Session(self._engine) as session, session.begin():
            row = session.get(TokenRow, name)
            if row is not None and _token(row).state(now) == "usable":
                suggestion = f"choose another name, or end that one first: dyad tokens revoke {name}"
                raise SpecError([Problem("name", "must not be that of a usable token", name, suggestion)])
            row = session.merge(
                TokenRow(
                    name=name,
                    scope=scope.value,
                    hash=digest(secret),
                    created_at=now,
                    expires_at=None if days is None else now + timedelta(days=days),
                    last_used_at=None,
                    revoked_at=None,
                )
            )
            return _token(row), secret

    def revoke(self, name: str) -> Token:
        """End a token; ending it twice changes nothing.

        Raises:
            SpecError: no token has this name.
        """
        with Session(self._engine) as session, session.begin():
            row = session.get(TokenRow, name)
            if row is None:
                raise SpecError([Problem("name", "must be that of a token", name, "dyad tokens list shows them")])
            row.revoked_at = row.revoked_at or datetime.now(UTC)
            return _token(row)

    def forget_all(self) -> int:
        """Remove every token, which turns authentication off unless ``DYAD_API_TOKEN`` is set; how many there were."""
        with Session(self._engine) as session, session.begin():
            return len(session.scalars(delete(TokenRow).returning(TokenRow.name)).all())

    def note_use(self, name: str) -> None:
        """Remember that a token was used now."""
        with Session(self._engine) as session, session.begin():
            session.execute(update(TokenRow).where(TokenRow.name == name).values(last_used_at=datetime.now(UTC)))


def _token(row: TokenRow) -> Token:
    return Token(
        name=row.name,
        scope=Scope(row.scope),
        hash=row.hash,
        created_at=row.created_at,
        expires_at=row.expires_at,
        last_used_at=row.last_used_at,
        revoked_at=row.revoked_at,
    )
