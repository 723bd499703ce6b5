"""Where the service is: for the dashboard itself, and for the people who read an address on it."""

from __future__ import annotations

import os

__all__ = ["DEFAULT_API_URL", "api_token", "api_url", "public_api_url"]

DEFAULT_API_URL = "http://127.0.0.1:8000"


def api_url() -> str:
    """Return the address that the dashboard calls, from ``DYAD_API_URL``, without a trailing slash."""
    return (os.environ.get("DYAD_API_URL") or DEFAULT_API_URL).rstrip("/")


def api_token() -> str | None:
    """Return the token of ``DYAD_API_TOKEN``, which every session of this dashboard uses that gives none of its own."""
    return os.environ.get("DYAD_API_TOKEN", "").strip() or None


def public_api_url() -> str:
    """Return the address to show to people, from ``DYAD_PUBLIC_API_URL``; the dashboard's own where that is not set.

    The two differ where the dashboard reaches the service by a name that only its own network knows.
    """
    return (os.environ.get("DYAD_PUBLIC_API_URL") or api_url()).rstrip("/")
