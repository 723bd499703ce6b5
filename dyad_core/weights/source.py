"""A file or bytes that may be hostile: its size, parts of it, and what it is by its first bytes.

Nothing here trusts a name or an ending: the format is told by content, every read is inside the file, and
arrays are mapped, not loaded, so that a wrong size costs nothing. A mapped file must not shrink while it is in use.
"""

from __future__ import annotations

import io
import math
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Literal, NoReturn

import numpy as np
import numpy.typing as npt

from dyad_core.errors import Problem, SpecError

__all__ = ["MAX_HEADER_BYTES", "FileFormat", "Source", "open_source", "readable_bytes", "refuse", "sniff"]

FileFormat = Literal["npy", "safetensors", "torch"]

MAX_HEADER_BYTES = 16 * 2**20
"""The longest header or zip directory that is read; about 100 000 tensors."""

SUPPORTED = "give a .npy file, a .safetensors file or a state dict written by torch.save"


class Source:
    """An open file, or bytes, with a known size.

    Attributes:
        file: positioned binary reader.
        size: in bytes, taken once when it was opened.
        path: where it lies; None for bytes.
    """

    def __init__(self, file: BinaryIO, size: int, path: Path | None) -> None:
        """Keep the three."""
        self.file, self.size, self.path = file, size, path

    @property
    def label(self) -> str:
        """The file's name without its folder, for messages."""
        return "bytes" if self.path is None else self.path.name

    def read(self, start: int, count: int) -> bytes:
        """The ``count`` bytes from ``start``.

        Raises:
            SpecError: when the file ends before.
        """
        if start < 0 or start + count > self.size:
            refuse("file", f"is cut off: {start + count:,} bytes are needed", f"{self.size:,} bytes", SUPPORTED)
        self.file.seek(start)
        data = self.file.read(count)
        if len(data) != count:
            refuse("file", "became shorter while it was read", self.label, "load it again when nothing writes to it")
        return data

    def array(
        self, start: int, shape: tuple[int, ...], dtype: np.dtype[Any], order: Literal["C", "F"] = "C"
    ) -> npt.NDArray[Any]:
        """The values from ``start`` as an array: mapped from a file (changes to it stay private), copied from bytes."""
        end = start + math.prod(shape) * dtype.itemsize
        if end > self.size:
            refuse("file", f"is cut off: {end:,} bytes are needed", f"{self.size:,} bytes", SUPPORTED)
        if self.path is not None:
            return np.memmap(self.file, dtype=dtype, mode="c", offset=start, shape=shape, order=order)
        flat = np.frombuffer(self.read(start, end - start), dtype=dtype)
        return flat.reshape(shape, order=order).copy(order=order)


@contextmanager
def open_source(source: str | os.PathLike[str] | bytes) -> Iterator[Source]:
    """Open a path or bytes; only this one file is ever opened.

    Raises:
        SpecError: when it is no regular file or cannot be read.
    """
    if isinstance(source, bytes):
        yield Source(io.BytesIO(source), len(source), None)
        return
    path = Path(source)
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            refuse("file", "must be a regular file, no folder or device", path.name, SUPPORTED)
        file = path.open("rb")
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise SpecError([Problem("file", f"must be readable: {reason}", path.name, "check the path")]) from error
    with file:
        yield Source(file, os.fstat(file.fileno()).st_size, path)


def sniff(source: Source) -> FileFormat:
    """Tell the format by the first bytes.

    Raises:
        SpecError: for a pickle, which is never run, an empty file, or anything unknown.
    """
    head = source.read(0, min(16, source.size))
    if head.startswith(b"\x93NUMPY"):
        return "npy"
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return "torch"
    # A safetensors header of 640 bytes begins like a pickle, but with the zeros of a length and a brace behind it.
    if head[8:9] == b"{" and not any(head[4:8]):
        return "safetensors"
    if head[:1] == b"\x80" and head[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05"):
        legacy = b"l\xfc\x9cF\xf9 j\xa8P\x19" in head
        written = "written by torch.save before 1.6, which is" if legacy else ""
        refuse(
            "file",
            f"is a bare Python pickle{', ' + written if written else ''}: loading one can run any program, so none is opened",
            source.label,
            "load it where it comes from and save the tensors as .safetensors",
        )
    if head[8:9] == b"{":
        return "safetensors"
    return refuse(
        "file", "is in no format known here", f"{source.label}, begins with {head.hex(' ') or 'nothing'}", SUPPORTED
    )


def readable_bytes(count: int) -> str:
    """A size for people, with the exact number."""
    for name, unit in (("TiB", 2**40), ("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10)):
        if count >= unit:
            return f"{count / unit:.4g} {name} ({count:,} bytes)"
    return f"{count} bytes"


def refuse(field: str, rule: str, received: object, suggestion: str = "") -> NoReturn:
    """Raise the :class:`SpecError` that says this one thing."""
    raise SpecError([Problem(field, rule, received, suggestion)])
