"""Where the service is: the one setting of the dashboard."""

from __future__ import annotations

import os

__all__ = ["DEFAULT_API_URL", "api_url"]

DEFAULT_API_URL = "http://127.0.0.1:8000"


def api_url() -> str:
    """Return the address of the service, from ``DYAD_API_URL``, without a trailing slash."""
    return (os.environ.get("DYAD_API_URL") or DEFAULT_API_URL).rstrip("/")
