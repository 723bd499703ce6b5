"""Whether the settings of security fit together, before anything listens.

The token itself never stands in a message.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from urllib.parse import urlsplit

from backend.settings import Settings
from dyad_core.errors import DyadError

__all__ = ["SettingsUnsafe", "check_origins", "exposure", "is_loopback", "shared_token"]

SHORTEST_GOOD = 16
_TOKEN = re.compile(r"[\x21-\x7e]+", re.ASCII)
_HOST_PATTERN = re.compile(r"\*|(\*\.)?[A-Za-z0-9._-]+|\[?[0-9A-Fa-f:.]+\]?", re.ASCII)


class SettingsUnsafe(DyadError):  # noqa: N818 - the event, as the library's family names it
    """Settings that would open the service by mistake; the message says which and what to do."""


def shared_token(settings: Settings) -> str | None:
    """The token of ``DYAD_API_TOKEN``; None where it is empty or not set.

    Raises:
        SettingsUnsafe: no header could carry it.
    """
    given = "" if settings.api_token is None else settings.api_token.get_secret_value()
    token = given.strip()  # of the line end of a file it was read from
    if given and not _TOKEN.fullmatch(token):
        raise SettingsUnsafe("DYAD_API_TOKEN must be visible ASCII characters without spaces or line ends.")
    return token or None


def check_origins(settings: Settings, *, tokens: bool) -> None:
    """Return when the names of origins and hosts can be used.

    Args:
        settings: of the service.
        tokens: whether requests need a token.

    Raises:
        SettingsUnsafe: one is no origin or no name, or every page would be let in beside tokens.
    """
    for origin in settings.cors_origins:
        if origin != "*" and not _is_origin(origin):
            raise SettingsUnsafe(
                f"DYAD_CORS_ORIGINS must list origins such as https://lab.example or http://localhost:3000, with commas between; {origin!r} is none."
            )
    for name in settings.allowed_hosts:
        if not _HOST_PATTERN.fullmatch(name):
            raise SettingsUnsafe(
                f"DYAD_ALLOWED_HOSTS must list names such as dyad.example or *.lab.example, without ports and with commas between; {name!r} is none."
            )
    if tokens and "*" in settings.cors_origins:
        raise SettingsUnsafe(
            "DYAD_CORS_ORIGINS=* lets every web page use the service, and tokens are there to keep others out: "
            "name the pages that may use it."
        )


def _is_origin(text: str) -> bool:
    try:
        parts = urlsplit(text)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
    return usable and text == f"{parts.scheme}://{parts.netloc}" and "@" not in text and text.isascii()


def is_loopback(host: str) -> bool:
    """Whether only programs of this machine reach a server that listens on ``host``."""
    try:
        found = socket.getaddrinfo(host or "0.0.0.0", None, type=socket.SOCK_STREAM)
    except OSError:
        return False
    return all(ipaddress.ip_address(address[0]).is_loopback for *_, address in found)


def exposure(host: str, token: str | None, *, has_tokens: bool) -> list[str]:
    """Lines of warning where others can reach the service and nothing, or little, keeps them out; else none."""
    if is_loopback(host):
        return []
    if token is None and not has_tokens:
        return [
            "WARNING: THIS SERVICE IS OPEN TO OTHERS.",
            f"It listens on {host}, beyond this machine, and asks nobody for a token: whoever reaches it can run and delete jobs,",
            "read every result and upload files. (A container's port that is published on loopback only is reached by its network alone.)",
            "Set DYAD_API_TOKEN to a long random text, or run `dyad tokens create NAME`, or listen on 127.0.0.1 (DYAD_HOST).",
            "What travels is not encrypted: put a reverse proxy with TLS in front.",
        ]
    if token is not None and len(token) < SHORTEST_GOOD:
        return [
            "WARNING: DYAD_API_TOKEN IS SHORT.",
            f"It has fewer than {SHORTEST_GOOD} characters and the service listens on {host}, beyond this machine: it can be guessed.",
        ]
    return []
