"""A typed client of the REST service.

:class:`ApiClient` is *given* an :class:`httpx.Client`, so a test hands it the client of the real application and both
sides are checked without a network. Two things can go wrong and each has its own exception::

    BackendError
    ├── BackendUnreachableError    no answer: the service is down or busy; trying again may help
    └── ApiProblemError            the service refused, and says which fields and why
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, cast

import httpx

from frontend.schemas import (
    ConnectivityJson,
    GeometryJson,
    PatternJson,
    ProblemEntry,
    ReachabilityJson,
    RunPage,
    RunRecord,
    SystemJson,
    WindowJson,
)

__all__ = ["ApiClient", "ApiProblemError", "BackendError", "BackendUnreachableError", "connect"]

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


def connect(address: str) -> ApiClient:
    """Return a client for the service at ``address``; nothing is sent yet."""
    return ApiClient(httpx.Client(base_url=address, timeout=httpx.Timeout(20.0, connect=2.0)))


class ApiClient:
    """Calls of the service, one method each. Every method may raise :class:`BackendError`."""

    def __init__(self, http: httpx.Client) -> None:
        """Wrap ``http``, whose base address is that of the service."""
        self._http = http

    @property
    def address(self) -> str:
        """Address of the service, without a trailing slash."""
        return str(self._http.base_url).rstrip("/")

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    # --- runs --------------------------------------------------------------------------------

    def submit(self, request: Mapping[str, Any]) -> RunRecord:
        """Queue a benchmark and return its record."""
        return cast(RunRecord, self._json("POST", "/benchmarks", json=dict(request)))

    def run(self, run_id: str) -> RunRecord:
        """Return one run with its progress and, when it succeeded, its result."""
        return cast(RunRecord, self._json("GET", f"/benchmarks/{run_id}"))

    def runs(
        self,
        filters: Mapping[str, str | None] | None = None,
        *,
        limit: int = 25,
        offset: int = 0,
        order: str = "-created_at",
    ) -> RunPage:
        """Return one page of runs, newest first.

        ``filters`` may name ``status``, ``variant``, ``device`` and ``origin``; one that is None is not applied.
        """
        query = {name: value for name, value in (filters or {}).items() if value is not None}
        params: dict[str, str | int] = {**query, "limit": limit, "offset": offset, "order": order}
        return cast(RunPage, self._json("GET", "/benchmarks", params=params))

    def cancel(self, run_id: str) -> RunRecord:
        """Stop a queued or running run."""
        return cast(RunRecord, self._json("POST", f"/benchmarks/{run_id}/cancel"))

    def delete(self, run_id: str) -> None:
        """Remove a run that is not running."""
        self._send("DELETE", f"/benchmarks/{run_id}")

    def export(self, run_id: str, form: Literal["json", "csv"]) -> bytes:
        """Return a finished run as a file: the versioned JSON or one CSV row per candidate and pass."""
        return self._send("GET", f"/benchmarks/{run_id}/export", params={"format": form}).content

    def import_run(self, content: bytes) -> RunRecord:
        """Keep a result file that was made elsewhere. ``content`` is its JSON text."""
        headers = {"Content-Type": "application/json"}
        answer = self._send("POST", "/benchmarks/import", content=content, headers=headers)
        return cast(RunRecord, answer.json())

    # --- structure ---------------------------------------------------------------------------

    def pattern(self, geometry: GeometryJson, *, window: WindowJson | None = None, max_cells: int = 256) -> PatternJson:
        """Return the weight pattern of a window, reduced to at most ``max_cells`` cells a side."""
        body: dict[str, Any] = {**geometry, "max_cells": max_cells}
        if window is not None:
            body["window"] = window
        return cast(PatternJson, self._json("POST", "/structure/pattern", json=body))

    def connectivity(self, geometry: GeometryJson) -> ConnectivityJson:
        """Return which features meet in which block."""
        return cast(ConnectivityJson, self._json("POST", "/structure/connectivity", json=dict(geometry)))

    def reachability(self, layers: Sequence[GeometryJson]) -> ReachabilityJson:
        """Return the share of input-output pairs connected after 1, 2, … of ``layers``."""
        return cast(ReachabilityJson, self._json("POST", "/structure/reachability", json={"layers": list(layers)}))

    # --- machine -----------------------------------------------------------------------------

    def system(self) -> SystemJson:
        """Return devices, versions and queue of the service."""
        return cast(SystemJson, self._json("GET", "/system"))

    def check(self) -> None:
        """Return when the service answers, raise :class:`BackendUnreachableError` when it does not."""
        self._request("GET", "/healthz")

    # --- transport ---------------------------------------------------------------------------

    def _json(self, method: str, path: str, **options: Any) -> Any:
        return self._send(method, path, **options).json()

    def _send(self, method: str, path: str, **options: Any) -> httpx.Response:
        return self._request(method, PREFIX + path, **options)

    def _request(self, method: str, path: str, **options: Any) -> httpx.Response:
        try:
            response = self._http.request(method, path, **options)
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
