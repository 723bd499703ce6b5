"""Which names the service answers under, and which web pages may use it.

Without a token the only thing between a service on loopback and a web page in the same browser is this. A page may let its own name
point to 127.0.0.1 (DNS rebinding), so the name in ``Host`` must be one of ours. A page may send a form without asking, so
whatever changes something must come from no page, from our own, or from one that ``DYAD_CORS_ORIGINS`` names.
"""

from __future__ import annotations

import ipaddress
import re

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from backend.problems import problem_response
from backend.security.scopes import READING_METHODS
from backend.settings import Settings
from dyad_core.errors import Problem

__all__ = ["Hosts", "Origins", "host_name"]

LOOPBACK_NAMES = ("localhost", "*.localhost")
_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^\[\]:/?#@\\\s]+)(?::\d{1,5})?", re.ASCII)


def host_name(host: str) -> str | None:
    """The name in a ``Host`` header without its port, in lower case; None when it is malformed."""
    found = _HOST.fullmatch(host)
    return found[1].strip("[]").lower() if found else None


class Hosts:
    """ASGI middleware that answers under known names only.

    An address in digits is always known: no foreign page can have one of ours. So are loopback's names, the bound host, the name that the
    connection itself came to, and those that ``DYAD_ALLOWED_HOSTS`` adds.
    """

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        """Stand before ``app``."""
        self._app = app
        self._patterns = [name.lower() for name in (*LOOPBACK_NAMES, settings.host, *settings.allowed_hosts)]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer 400."""
        if scope["type"] != "http" or self._is_known(host := Headers(scope=scope).get("host", ""), scope):
            await self._app(scope, receive, send)
            return
        problem = Problem(
            "Host", "must be a name of this service", host, "DYAD_ALLOWED_HOSTS adds names, with commas between"
        )
        await problem_response(400, "The service does not answer under this name.", [problem])(scope, receive, send)

    def _is_known(self, host: str, scope: Scope) -> bool:
        name = host_name(host)
        if name is None:
            return False
        try:
            ipaddress.ip_address(name)
        except ValueError:
            listening = (scope.get("server") or ("",))[0]
            return name == listening or any(_matches(name, pattern) for pattern in self._patterns)
        return True


def _matches(name: str, pattern: str) -> bool:
    return pattern in ("*", name) or (pattern.startswith("*.") and name.endswith(pattern[1:]))


class Origins:
    """ASGI middleware that lets no foreign web page change anything, whether or not its browser asks first."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        """Stand before ``app``."""
        self._app, self._allowed = app, frozenset(settings.cors_origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer 403."""
        if scope["type"] != "http" or scope["method"] in READING_METHODS or self._is_welcome(Headers(scope=scope)):
            await self._app(scope, receive, send)
            return
        origin = Headers(scope=scope).get("origin", "")
        suggestion = "DYAD_CORS_ORIGINS names the pages that may, with commas between"
        problem = Problem("Origin", "must not be another web page", origin, suggestion)
        await problem_response(403, "Another web page must not do this.", [problem])(scope, receive, send)

    def _is_welcome(self, headers: Headers) -> bool:
        origin = headers.get("origin")
        if origin is None:  # no browser; those of today send it with everything but GET and HEAD
            return True
        host = headers.get("host", "").lower()
        own = (f"http://{host}", f"https://{host}")
        return origin.lower() in own or origin in self._allowed or "*" in self._allowed
