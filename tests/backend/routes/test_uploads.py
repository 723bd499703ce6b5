"""Uploads: honest files are kept and described, hostile ones are refused in a sentence and leave nothing on disk."""

import io
import json
import os
import pickle
import struct
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from fastapi.testclient import TestClient
from service_tools import NewSettings, npy, safetensors, send

from backend.app import create_app
from backend.settings import Settings

UPLOADS = "/api/v1/uploads"
MATRIX = np.arange(12, dtype=np.float32).reshape(3, 4)


@pytest.fixture(scope="module")
def service(new_settings: NewSettings) -> Iterator[TestClient]:
    with (
        new_settings(max_upload_bytes=8192, max_matrix_bytes=1024) as own,
        TestClient(create_app(own)) as client,
    ):
        yield client


@pytest.fixture
def client(service: TestClient) -> TestClient:
    """A service that keeps nothing yet."""
    for upload in service.get(UPLOADS).json()["items"]:
        service.delete(f"{UPLOADS}/{upload['id']}")
    return service


def on_disk(client: TestClient) -> list[Path]:
    folder = client.app.state.settings.home / "uploads"  # type: ignore[attr-defined]
    return [path for path in folder.rglob("*") if path.is_file()] if folder.exists() else []


def saved_by_torch(values: Any) -> bytes:
    file = io.BytesIO()
    torch.save(values, file)
    return file.getvalue()


def header_of(header: Any, data: bytes = b"", length: int | None = None) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + data


class Trap:
    """Unpickling this makes a folder: who finds it has run foreign code."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize(
    ("content", "found", "names"),
    [
        (npy(MATRIX), "npy", ["array"]),
        (safetensors(up=MATRIX, down=MATRIX.T.copy()), "safetensors", ["up", "down"]),
        (
            saved_by_torch({"fc1.weight": torch.ones(3, 4), "fc1.bias": torch.ones(3)}),
            "torch",
            ["fc1.weight", "fc1.bias"],
        ),
    ],
)
def test_a_file_of_each_format_is_kept_and_described(
    client: TestClient, content: bytes, found: str, names: list[str]
) -> None:
    answer = send(client, content, name="a model.bin")

    assert answer.status_code == 201
    kept = answer.json()
    assert answer.headers["location"] == f"{UPLOADS}/{kept['id']}"
    assert (kept["name"], kept["format"], kept["bytes"]) == ("a model.bin", found, len(content))
    assert [tensor["name"] for tensor in kept["tensors"]] == names
    assert kept["tensors"][0]["shape"] == [3, 4]
    assert kept["tensors"][0]["dtype"] == "float32"
    assert client.get(f"{UPLOADS}/{kept['id']}").json() == kept
    (data,) = [path for path in on_disk(client) if path.name == "upload"]
    assert data.read_bytes() == content


def test_what_cannot_be_projected_says_why(client: TestClient) -> None:
    file = safetensors(
        good=MATRIX,
        bias=np.ones(3, dtype=np.float32),
        ids=np.ones((2, 2), dtype=np.int64),
        empty=np.ones((0, 2), dtype=np.float32),
        large=np.ones((32, 32), dtype=np.float32),
    )
    kept = send(client, file).json()

    reasons = {tensor["name"]: tensor["reason"] for tensor in kept["tensors"]}
    assert {tensor["name"] for tensor in kept["tensors"] if tensor["projectable"]} == {"good"}
    assert reasons["good"] is None
    assert reasons["bias"] == "Its rank is 1; that of a matrix is 2."
    assert "int64" in reasons["ids"]
    assert reasons["empty"] == "It holds no value."
    assert "DYAD_MAX_MATRIX_BYTES" in reasons["large"]
    assert (kept["tensor_count"], kept["projectable_count"]) == (5, 1)


def test_the_name_is_shown_and_never_a_path(client: TestClient) -> None:
    name = "../../../etc/\x07passwd"
    kept = send(client, npy(MATRIX), name=name).json()

    assert kept["name"] == "../../../etc/passwd"
    home = client.app.state.settings.home  # type: ignore[attr-defined]
    assert {path.parent for path in on_disk(client)} == {home / "uploads" / kept["id"]}
    assert client.post(UPLOADS, params={"name": "x" * 201}, content=b"").status_code == 422


def test_uploads_are_listed_newest_first_and_forgotten(client: TestClient) -> None:
    first, second = (send(client, npy(MATRIX), name=name).json() for name in ("first", "second"))
    page = client.get(UPLOADS, params={"limit": 1}).json()
    assert (page["total"], page["limit"], page["offset"]) == (2, 1, 0)
    assert [item["name"] for item in page["items"]] == ["second"]
    assert "tensors" not in page["items"][0]
    assert client.get(UPLOADS, params={"offset": 1}).json()["items"][0]["id"] == first["id"]

    assert client.delete(f"{UPLOADS}/{first['id']}").status_code == 204
    assert client.delete(f"{UPLOADS}/{first['id']}").status_code == 404
    assert client.get(f"{UPLOADS}/{first['id']}").status_code == 404
    assert [item["id"] for item in client.get(UPLOADS).json()["items"]] == [second["id"]]
    assert {path.parent.name for path in on_disk(client)} == {second["id"]}


@pytest.mark.parametrize("wrong", ["0" * 32, "..", "%2e%2e", "..%2f..%2fetc", "A" * 32, "é"])
def test_an_unknown_upload_is_not_found(client: TestClient, wrong: str) -> None:
    for method in ("GET", "DELETE"):
        answer = client.request(method, f"{UPLOADS}/{wrong}")
        assert answer.status_code in (404, 405)  # ".." is taken out of the address by the client
        assert answer.headers["content-type"] == "application/problem+json"


F32 = {"dtype": "F32", "shape": [2, 2], "data_offsets": [0, 16]}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "no format known"),
        (b"hello, this is no weight", "no format known"),
        (pickle.dumps({"weight": [1.0] * 30}), "pickle"),
        (npy(MATRIX)[:-1], "promises"),
        (npy(MATRIX) + b"more", "promises"),
        (npy(np.array([None, {}], dtype=object)), "object array is a Python pickle"),
        (safetensors(weight=MATRIX)[:-1], "data_offsets"),
        (safetensors(weight=MATRIX) + b"more", "belong to a tensor"),
        (header_of({"w": F32}, b"\0" * 16, length=2**40), "promise a header"),
        (header_of({"w": {**F32, "shape": [2**40, 2**20]}}, b"\0" * 16), "must fill data_offsets"),
        (header_of({"w": {**F32, "data_offsets": [16, 32]}}, b"\0" * 16), "data_offsets"),
        (header_of({"a": F32, "b": F32}, b"\0" * 16), "must not overlap"),
        (header_of(b'{"w": ' + b"[" * 4000), "its header must be"),
    ],
)
def test_a_damaged_or_lying_file_is_refused_and_leaves_nothing(client: TestClient, content: bytes, words: str) -> None:
    answer = send(client, content)

    assert answer.status_code == 422
    (error,) = answer.json()["errors"]
    assert error["field"] == "file"
    assert words in error["rule"]
    assert on_disk(client) == []
    assert list((client.app.state.settings.home / "uploads").iterdir()) == []  # type: ignore[attr-defined]


def test_a_pickle_in_the_guise_of_a_state_dict_is_not_run(client: TestClient, tmp_path: Path) -> None:
    trap = tmp_path / "trap"
    legacy = io.BytesIO()
    torch.save({"weight": Trap(trap)}, legacy, _use_new_zipfile_serialization=False)
    renamed = io.BytesIO()
    with zipfile.ZipFile(renamed, "w") as archive:
        archive.writestr("model/data.pkl", pickle.dumps({"weight": Trap(trap)}, protocol=2))
        archive.writestr("model/version", "3")
    for content in (saved_by_torch({"weight": Trap(trap)}), legacy.getvalue(), renamed.getvalue()):
        answer = send(client, content)
        assert answer.status_code == 422
        assert "pickle" in answer.json()["errors"][0]["rule"]

    assert not trap.exists()
    assert on_disk(client) == []


def pieces() -> Iterator[bytes]:
    """Without a declared length."""
    for _ in range(9):
        yield b"\0" * 1024


@pytest.mark.parametrize("content", [b"\0" * 8193, pieces()], ids=["declared", "in pieces"])
def test_a_file_above_the_limit_is_refused_with_the_way_to_raise_it(client: TestClient, content: Any) -> None:
    answer = send(client, content)

    assert answer.status_code == 413
    assert answer.json()["detail"] == (
        "The file is larger than 8 KiB (8,192 bytes); DYAD_MAX_UPLOAD_BYTES changes the limit."
    )
    assert on_disk(client) == []


def test_an_upload_may_be_larger_than_other_bodies(settings: Settings) -> None:
    own = settings.model_copy(update={"max_body_bytes": 1024})
    with TestClient(create_app(own)) as client:
        assert send(client, npy(np.ones((64, 64), dtype=np.float32))).status_code == 201


@pytest.mark.parametrize("media_type", ["application/json", "multipart/form-data; boundary=x"])
def test_only_the_file_itself_is_taken(client: TestClient, media_type: str) -> None:
    answer = client.post(UPLOADS, content=npy(MATRIX), headers={"Content-Type": media_type})

    assert answer.status_code == 415
    assert answer.json()["errors"][0]["suggestion"] == "send the file itself as the body"
    assert on_disk(client) == []


def test_the_limits_are_told(client: TestClient) -> None:
    limits = client.get("/api/v1/system").json()["limits"]

    assert limits == {"max_upload_bytes": 8192, "max_matrix_bytes": 1024, "max_realised_entries": 2**22}
