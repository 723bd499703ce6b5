"""Ports: is one free, which one is, and the sentence for one that is not."""

from __future__ import annotations

import errno
import socket

from dyad_core.errors import DyadError

__all__ = ["PortUnusable", "check_port", "free_port", "url_of"]


class PortUnusable(DyadError):  # noqa: N818 - the event, as the library's family names it
    """A server cannot listen there; the message says why and which setting changes it."""


def check_port(host: str, port: int, setting: str) -> None:
    """Return when a server can listen on ``host`` and ``port``; ``setting`` names what changes the port.

    Raises:
        PortUnusable: the port is taken or not allowed, or the host is not an address of this machine.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except socket.gaierror as error:
        raise PortUnusable(f"{host} is not an address of this machine; --host or DYAD_HOST names another.") from error
    except OSError as error:
        reasons = {
            errno.EADDRINUSE: f"Port {port} on {host} is taken by another program; choose another with {setting}.",
            errno.EACCES: f"Port {port} needs more rights than this program has; choose one above 1023 with {setting}.",
            errno.EADDRNOTAVAIL: f"{host} is not an address of this machine; --host or DYAD_HOST names another.",
        }
        fallback = f"Nothing can listen on port {port} of {host} ({error.strerror}); choose another with {setting}."
        raise PortUnusable(reasons.get(error.errno or 0, fallback)) from error


def free_port(host: str) -> int:
    """A port of ``host`` that is free now."""
    family, kind, protocol, _, address = socket.getaddrinfo(host, 0, type=socket.SOCK_STREAM)[0]
    with socket.socket(family, kind, protocol) as probe:
        probe.bind(address)
        port: int = probe.getsockname()[1]
        return port


def url_of(host: str, port: int) -> str:
    """The address a browser on this machine uses for a server that listens on ``host``."""
    reachable = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return f"http://[{reachable}]:{port}" if ":" in reachable else f"http://{reachable}:{port}"
