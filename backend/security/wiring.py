"""The layers of security in their order; :func:`install` puts them before the application.

From outside to inside: the headers of every answer (:mod:`.headers`), the names the service answers under and the web
pages that may use it (:mod:`.origins`), sizes (:mod:`.sizes`), tokens (:mod:`.authentication`), rates (:mod:`.rates`).
``docs/threat_model.md`` says against whom, and which test holds each claim.
"""

from __future__ import annotations

import logging
import sys

from fastapi import FastAPI
from sqlalchemy import Engine
from starlette.middleware.cors import CORSMiddleware

from backend.security.authentication import Authentication
from backend.security.configuration import SettingsUnsafe, check_origins, exposure, shared_token
from backend.security.described import describe
from backend.security.headers import Headed, page_policies
from backend.security.origins import Hosts, Origins
from backend.security.rates import Rates
from backend.security.registry import Registry
from backend.security.sizes import Sizes
from backend.security.tokens import TokenStore
from backend.settings import Settings

__all__ = ["SettingsUnsafe", "check", "install", "start", "warn"]

_log = logging.getLogger(__name__)

_METHODS = ("GET", "POST", "DELETE")
_TAKEN = ("Authorization", "Content-Type", "Idempotency-Key", "Last-Event-ID", "X-Dyad-Client", "X-Request-ID")
_SHOWN = ("Content-Disposition", "Idempotent-Replayed", "Location", "Retry-After", "X-Request-ID")


def install(app: FastAPI, settings: Settings) -> None:
    """Put every layer before ``app``; call it after all other middleware was added.

    Raises:
        SettingsUnsafe: the settings contradict each other.
    """
    token = shared_token(settings)
    check_origins(settings, tokens=token is not None)
    app.state.registry = registry = Registry(token)
    app.add_middleware(Rates, settings=settings)
    app.add_middleware(Authentication, registry=registry)
    app.add_middleware(Sizes, settings=settings)
    app.add_middleware(Origins, settings=settings)
    if settings.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.cors_origins,
            allow_methods=_METHODS,
            allow_headers=_TAKEN,
            expose_headers=_SHOWN,
        )
    app.add_middleware(Hosts, settings=settings)
    app.add_middleware(Headed, pages=page_policies(app))
    describe(app)


async def start(app: FastAPI, engine: Engine) -> None:
    """Take the tokens of the database; called by the lifespan of the application.

    Raises:
        SettingsUnsafe: tokens were made and every web page may use the service.
    """
    registry: Registry = app.state.registry
    settings: Settings = app.state.settings
    await registry.open(engine)
    check_origins(settings, tokens=registry.is_on)
    if lines := exposure(settings.host, shared_token(settings), has_tokens=registry.is_on):
        _log.warning(" ".join(lines))


def check(settings: Settings, engine: Engine) -> bool:
    """Check the settings together with the tokens of the database; return whether requests need a token.

    Raises:
        SettingsUnsafe: they contradict each other.
    """
    is_on = shared_token(settings) is not None or bool(TokenStore(engine).all())
    check_origins(settings, tokens=is_on)
    return is_on


def warn(host: str, settings: Settings, *, has_tokens: bool) -> None:
    """Say on standard error, in several lines, when others can reach the service and nothing keeps them out."""
    if lines := exposure(host, shared_token(settings), has_tokens=has_tokens):
        width = max(len(line) for line in lines)
        sys.stderr.write("\n".join(["", "!" * width, *lines, "!" * width, "", ""]))
        sys.stderr.flush()
