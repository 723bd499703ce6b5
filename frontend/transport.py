"""Requests to the REST service and what can go wrong with them. Two things can, and each has its own exception::

BackendError
├── BackendUnreachableError    no answer: the service is down or busy; trying again may help
└── ApiProblemError            the service refused, and says which fields and why
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import httpx

from frontend.schemas import ProblemEntry

__all__ = ["ApiProblemError", "BackendError", "BackendUnreachableError", "Transport"]

PREFIX = "/api/v1"


class BackendError(Exception):
    """Base of everything that a call to the service can raise."""


class BackendUnreachableError(BackendError):
    """No answer came. ``address`` is what was tried, ``reason`` what the network said."""

    def __init__(self, address: str, reason: str) -> None:
        """Keep address and reason apart, so that a page can word its own sentence."""
        super().__init__(f"No answer from {address}: {reason}")
        self.address = address
        self.reason = reason


class ApiProblemError(BackendError):
    """The service refused the request (RFC 9457). ``errors`` has one entry per wrong field."""

    def __init__(self, status: int, title: str, detail: str, errors: Sequence[ProblemEntry] = ()) -> None:
        """Keep the parts of the problem document."""
        super().__init__(detail or title)
        self.status = status
        self.title = title
        self.detail = detail
        self.errors = tuple(errors)

    @property
    def wants_token(self) -> bool:
        """Whether the service asks for a token, or for another one."""
        return self.status == 401


class Transport:
    """Sends requests and reads answers; every call may raise :class:`BackendError`."""

    def __init__(self, http: httpx.Client, token: str | None = None, name: str | None = None) -> None:
        """Wrap ``http``, whose base address is that of the service; ``token`` and ``name`` go with every request.

        ``name`` says who asks where no token does: the service's queue is fair between names.

        The token belongs to this object alone: ``http`` and its connections may be shared by sessions with different ones.
        """
        self._http = http
        self._headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        if name is not None:
            self._headers["X-Dyad-Client"] = name

    @property
    def address(self) -> str:
        """Address of the service, without a trailing slash."""
        return str(self._http.base_url).rstrip("/")

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def _json(self, method: str, path: str, **options: Any) -> Any:
        return self._send(method, path, **options).json()

    def _send(self, method: str, path: str, **options: Any) -> httpx.Response:
        return self._request(method, PREFIX + path, **options)

    def _request(self, method: str, path: str, **options: Any) -> httpx.Response:
        try:
            headers = {**(options.pop("headers", None) or {}), **self._headers}
            response = self._http.request(method, path, headers=headers, **options)
        except httpx.TransportError as error:
            raise BackendUnreachableError(self.address, str(error) or type(error).__name__) from error
        if response.status_code >= 400:
            raise _problem(response)
        return response


def _problem(response: httpx.Response) -> ApiProblemError:
    """Read a problem document; an answer in another shape keeps its text as the detail."""
    try:
        body = response.json()
    except ValueError:
        body = None
    if not isinstance(body, dict):
        return ApiProblemError(response.status_code, response.reason_phrase, response.text[:500])
    errors = body.get("errors") or []
    title = str(body.get("title") or response.reason_phrase)
    return ApiProblemError(response.status_code, title, str(body.get("detail") or ""), errors)
