"""The folder of uploads: what broke off, what a killed server left, and a full disk."""

import socket
from pathlib import Path

import httpx
import numpy as np
import pytest
from service_tools import npy, send, serving, wait_until

from backend.settings import Settings
from backend.uploads import Incoming, NoSpace, UnknownUpload, Uploads

FILE = npy(np.ones((4, 4), dtype=np.float32))


def kept(uploads: Uploads) -> str:
    with uploads.incoming() as incoming:
        incoming.write(FILE)
        return uploads.keep(incoming, "kept").id


def test_a_start_removes_what_a_killed_server_left_and_nothing_else(settings: Settings) -> None:
    uploads, folder = Uploads(settings), settings.home / "uploads"
    uploads.sweep()  # before there is a folder
    upload_id = kept(uploads)
    left = folder / ".left"
    left.mkdir()
    (left / "upload").write_bytes(FILE[:-3])
    with uploads.incoming() as incoming:
        incoming.write(FILE)
        Uploads(settings).sweep()

        assert not left.exists()
        assert incoming.path.exists()
        assert uploads.keep(incoming, "still arriving").bytes == len(FILE)
    assert uploads.get(upload_id).name == "kept"
    assert [path for path in folder.iterdir() if path.name.startswith(".")] == []


def test_whatever_is_not_kept_is_removed(settings: Settings) -> None:
    def broken_off() -> None:
        with Uploads(settings).incoming() as incoming:
            incoming.write(FILE)
            raise LookupError("the sender is gone")

    with pytest.raises(LookupError, match="gone"):
        broken_off()
    assert list((settings.home / "uploads").iterdir()) == []


def test_a_full_disk_is_said_so() -> None:
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("this system has no device that is always full")
    with full.open("wb", buffering=0) as file, pytest.raises(NoSpace, match="has no room .* Nothing was kept"):
        Incoming(full, file, 2**20).write(FILE)


def test_an_upload_that_was_deleted_is_unknown(settings: Settings) -> None:
    uploads = Uploads(settings)
    upload_id = kept(uploads)
    uploads.delete(upload_id)

    with pytest.raises(UnknownUpload, match="none has this one"):
        uploads.get(upload_id)
    assert list((settings.home / "uploads").iterdir()) == []


def test_an_upload_that_breaks_off_or_is_too_large_leaves_nothing_and_the_server_goes_on(settings: Settings) -> None:
    home = settings.home
    with serving(settings, DYAD_MAX_UPLOAD_BYTES="1048576") as (client, _process):
        address = client.base_url
        with socket.create_connection((address.host, address.port)) as connection:
            head = f"POST /api/v1/uploads HTTP/1.1\r\nHost: {address.host}\r\nContent-Length: 1000000\r\n"
            connection.sendall(f"{head}Content-Type: application/octet-stream\r\n\r\n".encode() + FILE)
            wait_until(lambda: list((home / "uploads").glob(".*/upload")), "the start of the upload")
        wait_until(lambda: not list((home / "uploads").iterdir()), "the end of what was broken off")

        large = httpx.Client(base_url=address, trust_env=False, timeout=30)
        with large:
            assert send(large, b"\0" * 2**24).status_code == 413
        assert list((home / "uploads").iterdir()) == []
        assert send(client, FILE).status_code == 201
