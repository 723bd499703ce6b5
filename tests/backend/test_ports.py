"""Sentences about ports."""

import socket

import pytest

from backend.ports import PortUnusable, check_port, free_port, url_of


def test_a_free_port_can_be_used() -> None:
    check_port("127.0.0.1", free_port("127.0.0.1"), "--port")


def test_a_taken_port_says_what_changes_it() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(PortUnusable, match=f"{port} on 127.0.0.1 is taken by another program; .* DYAD_PORT"):
            check_port("127.0.0.1", port, "--port or DYAD_PORT")


@pytest.mark.parametrize("host", ["192.0.2.1", "no such host", "999.1.1.1"])
def test_a_host_that_is_not_here_is_said(host: str) -> None:
    with pytest.raises(PortUnusable, match="is not an address of this machine; --host or DYAD_HOST"):
        check_port(host, 0, "--port")


@pytest.mark.parametrize(
    ("host", "url"),
    [("127.0.0.1", "http://127.0.0.1:80"), ("0.0.0.0", "http://127.0.0.1:80"), ("::", "http://[::1]:80")],
)
def test_the_address_for_a_browser_can_be_reached_from_here(host: str, url: str) -> None:
    assert url_of(host, 80) == url
