"""Uploaded files: kept in a folder each, named by an id of our own, once their header was found good.

A file arrives in a hidden folder that is removed unless the upload is kept, so that one that was refused or broken off
leaves nothing. The hidden file is locked while it is written: what a server that was killed has left is unlocked, and
the next start removes it. No name from outside is ever part of a path.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import re
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from io import FileIO
from pathlib import Path
from typing import Any

from backend.settings import Settings
from dyad_core.errors import DyadError, Problem, SpecError
from dyad_core.weights.entries import FLOATING, Contents, TensorEntry, choose
from dyad_core.weights.loading import list_tensors
from dyad_core.weights.source import FileFormat, open_source, readable_bytes, sniff

__all__ = ["Incoming", "NoSpace", "TooLarge", "UnknownUpload", "Upload", "Uploads"]

DATA, FACTS = "upload", "facts.json"
HIDDEN = "."
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_ID = re.compile(r"[0-9a-f]{32}", re.ASCII)


class UnknownUpload(SpecError):  # noqa: N818 - the event, as the library's family names it
    """No upload has this id."""

    def __init__(self, upload_id: str) -> None:
        """Say which."""
        rule = "must be the id of an upload; none has this one"
        super().__init__([Problem("upload", rule, upload_id, "GET /api/v1/uploads lists them")])


class TooLarge(DyadError):  # noqa: N818 - the event, as the library's family names it
    """A file is larger than may be uploaded."""


class NoSpace(DyadError):  # noqa: N818 - the event, as the library's family names it
    """The disk has no room for a file."""


@dataclass(frozen=True)
class Upload:
    """One kept file.

    Attributes:
        id: of the upload.
        name: what the sender calls it; shown, never used as a path.
        format: told by its content.
        bytes: its size.
        created_at: ISO 8601 in UTC.
        tensors: what it holds.
        max_matrix_bytes: the largest matrix that is read from it.
    """

    id: str
    name: str
    format: FileFormat
    bytes: int
    created_at: str
    tensors: tuple[TensorEntry, ...]
    max_matrix_bytes: int

    def choose(self, tensor: str | None) -> TensorEntry:
        """The matrix of this name, or the only one.

        Raises:
            SpecError: field ``tensor``; there is none, it is no matrix of floating-point numbers, or it is too large.
        """
        entry = choose(Contents(self.format, self.tensors, _unread), tensor)
        if entry_bytes(entry) > self.max_matrix_bytes:
            raise SpecError([Problem("tensor", self._size_rule(), _size_of(entry), RAISE_MATRIX_LIMIT)])
        return entry

    def summary(self) -> dict[str, Any]:
        """JSON-ready values without the tensors."""
        return {
            "id": self.id,
            "name": self.name,
            "format": self.format,
            "bytes": self.bytes,
            "created_at": self.created_at,
            "tensor_count": len(self.tensors),
            "projectable_count": sum(self._reason(entry) is None for entry in self.tensors),
        }

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready values; ``reason`` says why a tensor cannot be projected."""
        tensors = []
        for entry in self.tensors:
            reason = self._reason(entry)
            facts = {"name": entry.name, "shape": list(entry.shape), "dtype": entry.dtype, "bytes": entry.bytes}
            tensors.append({**facts, "projectable": reason is None, "reason": reason})
        return {**self.summary(), "tensors": tensors}

    def _reason(self, entry: TensorEntry) -> str | None:
        if len(entry.shape) != 2:
            return f"Its rank is {len(entry.shape)}; that of a matrix is 2."
        if 0 in entry.shape:
            return "It holds no value."
        if entry.dtype not in FLOATING:
            return f"It holds {entry.dtype}; a weight holds floating-point numbers."
        if entry_bytes(entry) > self.max_matrix_bytes:
            return f"It {self._size_rule()}; it needs {_size_of(entry)}. {RAISE_MATRIX_LIMIT[0].upper()}{RAISE_MATRIX_LIMIT[1:]}."
        return None

    def _size_rule(self) -> str:
        return f"must need at most {readable_bytes(self.max_matrix_bytes)} in memory"


RAISE_MATRIX_LIMIT = "DYAD_MAX_MATRIX_BYTES changes the limit"


def entry_bytes(entry: TensorEntry) -> int:
    """What a matrix takes in memory: float64 stays, everything else becomes float32."""
    return entry.shape[0] * entry.shape[1] * (8 if entry.dtype == "float64" else 4)


def _size_of(entry: TensorEntry) -> str:
    return readable_bytes(entry_bytes(entry))


def _unread(entry: TensorEntry) -> Any:
    raise RuntimeError(f"{entry.name} is chosen here and read elsewhere")


class Incoming:
    """A file that is being written.

    Args:
        path: where it lies, in a hidden folder of its own.
        file: open for writing, unbuffered, and locked.
        limit: most bytes it may have.
    """

    def __init__(self, path: Path, file: FileIO, limit: int) -> None:
        """Start with nothing written."""
        self.path, self._file, self._limit, self._size = path, file, limit, 0

    def write(self, data: bytes) -> None:
        """Append.

        Raises:
            TooLarge: the limit is passed.
            NoSpace: the disk is full.
        """
        self._size += len(data)
        if self._size > self._limit:
            raise too_large(self._limit)
        rest = memoryview(data)
        with _room():
            while rest:
                rest = rest[self._file.write(rest) :]

    @property
    def size(self) -> int:
        """Bytes written."""
        return self._size


def too_large(limit: int) -> TooLarge:
    """The refusal of a file above ``limit`` bytes."""
    return TooLarge(f"The file is larger than {readable_bytes(limit)}; DYAD_MAX_UPLOAD_BYTES changes the limit.")


class Uploads:
    """The kept files of one ``DYAD_HOME``; safe to use from several threads and servers."""

    def __init__(self, settings: Settings) -> None:
        """Keep files in ``home/uploads``; nothing is made before the first upload."""
        self._folder = settings.home / "uploads"
        self._max_bytes, self._max_matrix_bytes = settings.max_upload_bytes, settings.max_matrix_bytes

    def sweep(self) -> None:
        """Remove what killed servers have left; files that are being written now stay."""
        for folder in self._folder.glob(f"{HIDDEN}*"):
            with contextlib.suppress(OSError), (folder / DATA).open("ab") as file:  # it is locked, or gone already
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder, ignore_errors=True)

    def check_declared(self, size: int) -> None:
        """Refuse a file by the size that its sender declares.

        Raises:
            TooLarge: it is above the limit.
        """
        if size > self._max_bytes:
            raise too_large(self._max_bytes)

    @contextmanager
    def incoming(self) -> Iterator[Incoming]:
        """A place for a new file; whatever is not kept by the end of the ``with`` block is removed."""
        folder = self._folder / f"{HIDDEN}{uuid.uuid4().hex}"
        try:
            with _room():
                folder.mkdir(parents=True)
            with (folder / DATA).open("xb", buffering=0) as file:
                fcntl.flock(file, fcntl.LOCK_EX)
                yield Incoming(folder / DATA, file, self._max_bytes)
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def keep(self, incoming: Incoming, name: str) -> Upload:
        """Check the header of a file that has arrived whole, and keep it.

        Raises:
            SpecError: it is in no known format, damaged, lies about its sizes, or is a pickle.
            NoSpace: the disk is full.
        """
        with open_source(incoming.path) as source:
            found = sniff(source)
        tensors = list_tensors(incoming.path)
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        upload = Upload(uuid.uuid4().hex, name, found, incoming.size, now, tensors, self._max_matrix_bytes)
        facts = upload.summary() | {
            "tensors": [[entry.name, entry.dtype, entry.shape, entry.bytes] for entry in tensors]
        }
        with _room():
            (incoming.path.parent / FACTS).write_text(json.dumps(facts), encoding="utf-8")
            incoming.path.parent.rename(self._folder / upload.id)
        return upload

    def get(self, upload_id: str) -> Upload:
        """One upload.

        Raises:
            UnknownUpload: none has this id.
        """
        if not _ID.fullmatch(upload_id):
            raise UnknownUpload(upload_id)
        try:
            facts = json.loads((self._folder / upload_id / FACTS).read_text(encoding="utf-8"))
        except FileNotFoundError as error:
            raise UnknownUpload(upload_id) from error
        tensors = tuple(TensorEntry(name, dtype, tuple(shape), size) for name, dtype, shape, size in facts["tensors"])
        known = {field: facts[field] for field in ("id", "name", "format", "bytes", "created_at")}
        return Upload(**known, tensors=tensors, max_matrix_bytes=self._max_matrix_bytes)

    def path(self, upload: Upload) -> Path:
        """Where the file lies."""
        return (self._folder / upload.id / DATA).absolute()

    def page(self, *, limit: int, offset: int) -> tuple[list[Upload], int]:
        """One page of uploads, newest first, and how many there are in all."""
        found = []
        for folder in self._folder.glob("[0-9a-f]*"):
            with contextlib.suppress(UnknownUpload):  # deleted in between
                found.append(self.get(folder.name))
        found.sort(key=lambda upload: (upload.created_at, upload.id), reverse=True)
        return found[offset : offset + limit], len(found)

    def delete(self, upload_id: str) -> None:
        """Forget an upload; a job that reads it now goes on, one that has not begun will fail.

        Raises:
            UnknownUpload: none has this id.
        """
        hidden = self._folder / f"{HIDDEN}{self.get(upload_id).id}"
        try:
            (self._folder / upload_id).rename(hidden)  # at once for every reader, whatever happens to the removal
        except FileNotFoundError as error:
            raise UnknownUpload(upload_id) from error
        shutil.rmtree(hidden, ignore_errors=True)


@contextmanager
def _room() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno not in FULL:
            raise
        reason = os.strerror(error.errno or errno.ENOSPC)
        raise NoSpace(f"The disk of the service has no room for this file: {reason}. Nothing was kept.") from error
