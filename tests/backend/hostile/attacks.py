"""Files that lie or want to do harm, made here, so that none lies in the repository: a name, the bytes, and nothing else.

They are small on disk; what they claim, and what a careless reader would take for them, is not.
"""

from __future__ import annotations

import io
import json
import os
import pickle
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from service_tools import npy

MIB = 2**20
VALUES = b"\0" * 16
F32 = {"dtype": "F32", "shape": [2, 2], "data_offsets": [0, 16]}
NPY = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 2), }"
STORED, PACKED = zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED


class Trap:
    """Unpickling this makes a folder: where there is one, foreign code has run."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.path),)


def headed(header: Any, data: bytes = b"", length: int | None = None) -> bytes:
    """A .safetensors file with any header, and any claim about its length."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + data


def npy_headed(header: str, data: bytes = VALUES, length: int | None = None, version: bytes = b"\x02\x00") -> bytes:
    """A .npy file with any header, and any claim about its length."""
    text = header.encode("latin-1")
    return b"\x93NUMPY" + version + struct.pack("<I", len(text) if length is None else length) + text + data


def archive(pickled: bytes, method: int = STORED, **records: bytes) -> bytes:
    """A zip archive as ``torch.save`` writes it, with any pickle in it."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as opened:
        for name, data in {"data.pkl": pickled, "version": b"3", **records}.items():
            opened.writestr(f"model/{name}", data)
    return file.getvalue()


def saved(values: Any, **options: Any) -> bytes:
    """What ``torch.save`` writes."""
    file = io.BytesIO()
    torch.save(values, file, **options)
    return file.getvalue()


def forged_zip(place: int, text: bytes, *, data: bytearray | None = None, record: int = 22) -> bytes:
    """An honest archive whose last record, the end of its directory, says something else at ``place``.

    One that torch wrote has a long record too, 98 bytes before the end.
    """
    data = bytearray(saved({"w": torch.ones(2, 2)})) if data is None else data
    start = len(data) - record + place
    data[start : start + len(text)] = text
    return bytes(data)


SAFETENSORS: dict[str, Callable[[], bytes]] = {
    "a header of 10 GB": lambda: headed({"w": F32}, VALUES, length=10 * 2**30),
    "a header of all there is": lambda: headed({"w": F32}, VALUES, length=2**64 - 1),
    "a header longer than the file": lambda: headed({"w": F32}, length=4096),
    "a shape that overflows 64 bits": lambda: headed({"w": {**F32, "shape": [2**40, 2**40]}}, VALUES),
    "a shape that wraps to the right size": lambda: headed({"w": {**F32, "shape": [2**62, 4 * 2**2 + 2**62]}}, VALUES),
    "a shape of a million digits": lambda: headed(b'{"w":{"dtype":"F32","shape":[' + b"9" * MIB + b'],"data_offsets":[0,16]}}', VALUES),
    "a negative size": lambda: headed({"w": {**F32, "shape": [-2, -2]}}, VALUES),
    "a size that is no integer": lambda: headed({"w": {**F32, "shape": [2.0, 2]}}, VALUES),
    "a size that is NaN": lambda: headed(b'{"w":{"dtype":"F32","shape":[NaN,2],"data_offsets":[0,16]}}', VALUES),
    "offsets that overlap": lambda: headed({"a": F32, "b": {**F32, "data_offsets": [8, 24]}}, VALUES + VALUES[:8]),
    "offsets from below": lambda: headed({"w": {**F32, "data_offsets": [-16, 0]}}, VALUES),
    "offsets beyond the end": lambda: headed({"w": {**F32, "data_offsets": [2**40, 2**40 + 16]}}, VALUES),
    "offsets in reverse": lambda: headed({"w": {**F32, "data_offsets": [16, 0]}}, VALUES),
    "a hole": lambda: headed({"w": {**F32, "data_offsets": [16, 32]}}, VALUES + VALUES),
    "a name twice": lambda: headed(b'{"w":%b,"w":%b}' % (json.dumps(F32).encode(), json.dumps(F32).encode()), VALUES),
    "a key twice": lambda: headed(b'{"w":{"dtype":"F32","dtype":"F64","shape":[2,2],"data_offsets":[0,16]}}', VALUES),
    "nested a million deep": lambda: headed(b'{"w":' + b"[" * MIB),
    "five million empty lists": lambda: headed(b'{"w":[' + b"[]," * (5 * MIB) + b"[]]}"),
    "four million empty objects": lambda: headed(b'{"w":[' + b"{}," * (4 * MIB) + b"{}]}"),
    "a million tensors": lambda: headed(b"{" + b",".join(b'"%d":{}' % i for i in range(MIB)) + b"}"),
    "a header that is not UTF-8": lambda: headed(b'{"w\xff":1}'),
    "an object type": lambda: headed({"w": {**F32, "dtype": "O"}}, VALUES),
}  # fmt: skip

NUMPY: dict[str, Callable[[], bytes]] = {
    "a header of 4 GB": lambda: npy_headed(NPY, length=2**32 - 1),
    "10 GB of values": lambda: npy_headed(NPY.replace("(2, 2)", "(51200, 51200)")),
    "a shape that overflows 64 bits": lambda: npy_headed(NPY.replace("(2, 2)", "(4294967296, 4294967296, 4294967296)")),
    "a shape of zero and more": lambda: npy_headed(NPY.replace("(2, 2)", "(0, 9223372036854775808)"), b""),
    "a negative size": lambda: npy_headed(NPY.replace("(2, 2)", "(-2, -2)")),
    "a size by calculation": lambda: npy_headed(NPY.replace("(2, 2)", "(9**9**9, 2)")),
    "a size by a call": lambda: npy_headed(NPY.replace("(2, 2)", "(__import__('os').getpid(), 2)")),
    "brackets without end": lambda: npy_headed("(" * 9000),
    "a header of blanks": lambda: npy_headed(NPY + " " * MIB),
    "a key twice": lambda: npy_headed(NPY.replace("}", "'shape': (2,), }")),
    "records": lambda: npy(np.zeros(2, dtype=[("a", "<f4"), ("b", "<i2")])),
    "text": lambda: npy(np.array([["a"]])),
    "values cut off": lambda: npy(np.ones((64, 64)))[:-8],
    "values too many": lambda: npy(np.ones((64, 64))) + b"\0",
    "a version of tomorrow": lambda: npy_headed(NPY, version=b"\x09\x00"),
}  # fmt: skip

ARCHIVES: dict[str, Callable[[], bytes]] = {
    "a bomb of zeros": lambda: archive(b"\x80\x02}.", PACKED, **{"data/0": b"\0" * (256 * MIB)}),
    "a bomb in the pickle": lambda: archive(b"\x80\x02" + b"}" * (64 * MIB) + b".", PACKED),
    "four million dictionaries": lambda: archive(b"\x80\x02" + b"}" * (4 * MIB - 100) + b"."),
    "four million sets": lambda: archive(b"\x80\x02" + b"\x8f" * (4 * MIB - 100) + b"."),
    "four million marks": lambda: archive(b"\x80\x02" + b"(" * (4 * MIB - 100) + b"."),
    "a text of 4 GB": lambda: archive(b"\x80\x02X\xff\xff\xff\xff."),
    "bytes of 2**63": lambda: archive(b"\x80\x04\x8e" + struct.pack("<Q", 2**63) + b"."),
    "memory by a call": lambda: archive(b"c__builtin__\nbytearray\n(\x8a\x05\0\0\0\0\x01tR."),
    "memory by a tensor": lambda: archive(b"ctorch\nzeros\n(\x8a\x05\0\0\0\0\x01tR."),
    "a name by two texts": lambda: archive(b"\x80\x04\x8c\x02os\x8c\x06system\x93\x8c\x04true\x85R."),
    "a name by a number": lambda: archive(b"\x80\x02\x82\x01."),
    "a pickle cut off": lambda: archive(b"\x80\x02}q\x00(X"),
    "a directory of 4 GB": lambda: forged_zip(12, struct.pack("<L", 2**32 - 2)),
    "a directory that lies elsewhere": lambda: forged_zip(16, struct.pack("<L", 0)),
    "more records than there are": lambda: forged_zip(8, struct.pack("<HH", 60000, 60000)),
    "a short directory of 4 GB": lambda: forged_zip(12, struct.pack("<L", 2**32 - 2), data=bytearray(archive(b"\x80\x02}."))),
    "a long directory of 2**63": lambda: forged_zip(40, struct.pack("<Q", 2**63), record=98),
    "a long directory that lies elsewhere": lambda: forged_zip(48, struct.pack("<Q", 2**40), record=98),
    "a pointer to another directory": lambda: forged_zip(8, struct.pack("<Q", 64), record=42),
    "a way out of the folder": lambda: archive(b"\x80\x02}.", **{"../../../../tmp/out": b"x"}).replace(b"model/data.pkl", b"../..//dat.pkl"),
    "an archive of arrays": lambda: archive(b"", **{"w.npy": npy(np.ones((2, 2)))}),
    "a program": lambda: archive(b"\x80\x02}.", **{"code/model.py": b"import os", "constants.pkl": b"."}),
    "nothing of torch": lambda: archive(b"").replace(b"data.pkl", b"data.txt"),
}  # fmt: skip

OTHERS: dict[str, Callable[[], bytes]] = {
    "nothing": lambda: b"",
    "one byte": lambda: b"\x93",
    "a script": lambda: b"#!/bin/sh\nrm -rf /\n",
    "JSON": lambda: b'{"w": [[1.0]]}',
    "a picture": lambda: b"\x89PNG\r\n\x1a\n" + b"\0" * 64,
    "gzip": lambda: b"\x1f\x8b\x08" + b"\0" * 64,
    "GGUF": lambda: b"GGUF\x03\0\0\0" + b"\xff" * 64,
}


def traps(path: Path) -> dict[str, bytes]:
    """Files that make the folder ``path`` when their pickle is run, in every disguise a reader might fall for."""
    pickled = {protocol: pickle.dumps({"w": Trap(path)}, protocol=protocol) for protocol in range(6)}
    objects = io.BytesIO()
    np.save(objects, np.array([[Trap(path)]], dtype=object), allow_pickle=True)
    return {
        **{f"a pickle of protocol {protocol}": data for protocol, data in pickled.items()},
        **{f"the same in an archive, {protocol}": archive(data) for protocol, data in pickled.items()},
        "objects in .npy": objects.getvalue(),
        "a state dict": saved({"w": torch.ones(2, 2), "extra": Trap(path)}),
        "a state dict of old": saved({"w": Trap(path)}, _use_new_zipfile_serialization=False),
        "behind a safetensors length": struct.pack("<Q", len(pickled[2])) + pickled[2],
    }


IMPORTS: dict[str, Callable[[], bytes]] = {
    "nested a million deep": lambda: b'{"a":' * MIB,
    "lists a million deep": lambda: b"[" * MIB,
    "five million empty lists": lambda: b'{"a":[' + b"[]," * (5 * MIB) + b"[]]}",
    "eight million numbers": lambda: b'{"runs":[' + b"1," * (7 * MIB) + b"1]}",
    "a million fields": lambda: b"{" + b",".join(b'"%x":1' % i for i in range(MIB)) + b"}",
    "a number of a million digits": lambda: b'{"schema_version":' + b"9" * MIB + b"}",
    "a number of an exponent": lambda: b'{"schema_version":1e999999999}',
    "NaN": lambda: b'{"schema_version":NaN,"in_features":NaN}',
    "Infinity": lambda: b'{"schema_version":-Infinity,"in_features":-Infinity}',
    "a name twice": lambda: b'{"schema_version":1,"schema_version":2,"in_features":1,"in_features":2}',
    "half of a surrogate pair": lambda: b'{"schema_version":"\\ud800","in_features":"\\ud800"}',
    "NUL": lambda: b'{"schema_version":"\\u0000","in_features":"\\u0000"}',
    "not UTF-8": lambda: b'{"a":"\xff\xfe"}',
    "UTF-16": lambda: '{"a":1}'.encode("utf-16"),
    "not closed": lambda: b'{"runs":[',
    "a list": lambda: b"[]",
    "nothing": lambda: b"",
    "a prototype": lambda: b'{"__proto__":{"a":1},"__class__":"os.system"}',
    "a path": lambda: b'{"upload":"../../../../etc/passwd","runs":"file:///etc/passwd"}',
    "a pickle": lambda: pickle.dumps({"a": 1}),
    "gzip": lambda: b"\x1f\x8b\x08" + b"\0" * 64,
}  # fmt: skip
