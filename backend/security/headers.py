"""Headers that every answer carries, problems and mistakes included: what a browser must not do with it."""

from __future__ import annotations

import base64
import hashlib
import re

from fastapi import FastAPI
from fastapi.openapi.docs import get_redoc_html, get_swagger_ui_html
from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["Headed", "page_policies"]

ALWAYS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}
SEALED = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
"""What an answer may load when a browser shows it as a page: nothing."""

PAGE_SCRIPTS = "https://cdn.jsdelivr.net"
PAGE_PICTURES = "https://fastapi.tiangolo.com"
_INLINE = re.compile(r"<script>(.*?)</script>", re.DOTALL)


def page_policies(app: FastAPI) -> dict[str, str]:
    """Path → policy of the pages that describe the interface: their own script by its hash, FastAPI's usual libraries."""
    address, title = str(app.openapi_url), app.title
    pages = {
        app.docs_url: get_swagger_ui_html(
            openapi_url=address, title=f"{title} - Swagger UI", oauth2_redirect_url=app.swagger_ui_oauth2_redirect_url
        ),
        app.redoc_url: get_redoc_html(openapi_url=address, title=f"{title} - ReDoc"),
    }
    return {path: _policy(bytes(page.body).decode()) for path, page in pages.items() if path}


def _policy(page: str) -> str:
    digests = [hashlib.sha256(script.encode()).digest() for script in _INLINE.findall(page)]
    own = " ".join(f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests)
    return (
        f"{SEALED}; connect-src 'self'; worker-src blob:; img-src 'self' data: {PAGE_PICTURES}; "
        f"style-src 'unsafe-inline' {PAGE_SCRIPTS} https://fonts.googleapis.com; font-src https://fonts.gstatic.com; "
        f"script-src {PAGE_SCRIPTS} {own}"
    ).rstrip()


class Headed:
    """ASGI middleware, the outermost one, that adds the headers; a header that the answer has already stays.

    A mistake of the service is answered here, before the framework would: its answer lies outside of every middleware.
    """

    def __init__(self, app: ASGIApp, pages: dict[str, str]) -> None:
        """Stand before ``app``; ``pages`` are the policies of pages by their path."""
        self._app, self._pages = app, pages

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on and add to its answer."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        policy, begun = self._pages.get(scope["path"], SEALED), False

        async def headed(message: Message) -> None:
            nonlocal begun
            if message["type"] == "http.response.start":
                begun = True
                message["headers"] = list(message.get("headers", ()))
                headers = MutableHeaders(raw=message["headers"])
                for name, value in ALWAYS.items():
                    headers.setdefault(name, value)
                headers.setdefault("Content-Security-Policy", policy)
            await send(message)

        try:
            await self._app(scope, receive, headed)
        except Exception as error:
            if not begun:
                answer = scope["app"].exception_handlers[Exception](Request(scope), error)
                await answer(scope, receive, headed)
            raise  # the server logs it
