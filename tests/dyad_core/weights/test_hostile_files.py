"""Files that lie or want to do harm, one by one: each is refused with a sentence, runs nothing and takes no memory."""

from __future__ import annotations

import json
import pickle
import struct
import zipfile
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dyad_core import SpecError
from dyad_core.weights import list_tensors, load_matrix

from .files import (
    Trap,
    archive,
    npy,
    npy_with_header,
    records_of,
    safetensors,
    torch_file,
    trap_pickle,
    with_header,
)

ENTRY = {"dtype": "F32", "shape": [2, 2], "data_offsets": [0, 16]}
VALUES = b"\0" * 16


def refused(data: bytes, tmp_path: Path) -> str:
    """The message, the same for bytes and for a file, in all of its functions."""
    path = tmp_path / "upload"
    path.write_bytes(data)
    messages = []
    for source in (data, path):
        with pytest.raises(SpecError) as caught:
            load_matrix(source)
        messages.append(str(caught.value).replace("upload", "bytes"))
        assert all(problem.field and problem.rule for problem in caught.value.problems)
    with pytest.raises(SpecError):
        list_tensors(data)
    assert messages[0] == messages[1]
    return messages[0]


SAFETENSORS = {
    "header longer than the file": (struct.pack("<Q", 2**63) + b"{}", "promise a header of 9,223,372,036,854,775,808"),
    "header cut off": (with_header({"w": ENTRY}, VALUES)[:20], "promise a header"),
    "no JSON": (with_header('{"w": '), "must be JSON"),
    "not UTF-8": (struct.pack("<Q", 4) + b'{"\xff}', "must be JSON"),
    "no object": (struct.pack("<Q", 1) + b"{", "must be JSON"),
    "nested without end": (with_header('{"w":' * 100_000), "flat JSON object"),
    "NaN": (with_header('{"w": NaN}'), "no JSON number"),
    "a number of a million digits": (with_header('{"w": ' + "9" * 1_000_000 + "}"), "must be JSON"),
    "a name twice": (
        with_header(f'{{"w": {json.dumps(ENTRY)}, "w": {json.dumps(ENTRY)}}}', VALUES),
        "the name 'w' comes twice",
    ),
    "a key twice": (
        with_header('{"w": {"dtype": "F32", "dtype": "F32", "shape": [2, 2], "data_offsets": [0, 16]}}', VALUES),
        "the name 'dtype' comes twice",
    ),
    "metadata of numbers": (with_header({"__metadata__": {"a": 1}, "w": ENTRY}, VALUES), "__metadata__"),
    "a missing key": (with_header({"w": {"dtype": "F32", "shape": [2, 2]}}, VALUES), "must have dtype, shape and"),
    "an unknown key": (with_header({"w": {**ENTRY, "file": "/etc/passwd"}}, VALUES), "must have dtype, shape and"),
    "an unknown type": (with_header({"w": {**ENTRY, "dtype": "O"}}, VALUES), "one of the types F64"),
    "a type that is a list": (with_header({"w": {**ENTRY, "dtype": ["F32"]}}, VALUES), "one of the types F64"),
    "a negative size": (with_header({"w": {**ENTRY, "shape": [-2, -2]}}, VALUES), "sizes that are not negative"),
    "a size that is true": (with_header({"w": {**ENTRY, "shape": [True, 4]}}, VALUES), "sizes that are not negative"),
    "a size that overflows": (with_header({"w": {**ENTRY, "shape": [2**63, 2]}}, VALUES), "sizes that are not"),
    "sizes whose product overflows": (
        with_header({"w": {**ENTRY, "shape": [2**32, 2**32], "data_offsets": [0, 0]}}, b""),
        "must fill data_offsets",
    ),
    "shape larger than the span": (with_header({"w": {**ENTRY, "shape": [2, 3]}}, VALUES), "24 bytes"),
    "type wider than the span": (with_header({"w": {**ENTRY, "dtype": "F64"}}, VALUES), "32 bytes"),
    "offsets past the end": (with_header({"w": {**ENTRY, "data_offsets": [16, 32]}}, VALUES), "inside the 16 bytes"),
    "negative offsets": (with_header({"w": {**ENTRY, "data_offsets": [-16, 0]}}, VALUES), "ascend inside"),
    "offsets in reverse": (with_header({"w": {**ENTRY, "data_offsets": [16, 0]}}, VALUES), "ascend inside"),
    "offsets of fractions": (with_header({"w": {**ENTRY, "data_offsets": [0.0, 16.0]}}, VALUES), "two whole"),
    "three offsets": (with_header({"w": {**ENTRY, "data_offsets": [0, 8, 16]}}, VALUES), "two whole"),
    "overlap": (
        with_header({"a": ENTRY, "b": {**ENTRY, "data_offsets": [8, 24]}}, VALUES + b"\0" * 8),
        "'a' and 'b' must not overlap; received 'bytes 8 to 16",
    ),
    "the same bytes twice": (with_header({"a": ENTRY, "b": ENTRY}, VALUES), "must not overlap"),
    "a hole": (
        with_header({"a": ENTRY, "b": {**ENTRY, "data_offsets": [20, 36]}}, VALUES * 2 + b"\0" * 4),
        "every byte of its values must belong to a tensor; received 'bytes 16 to 20",
    ),
    "bytes behind the last": (with_header({"w": ENTRY}, VALUES + b"x"), "bytes 16 to 17 do not"),
    "values cut off": (with_header({"w": ENTRY}, VALUES[:-1]), "inside the 15 bytes"),
}

HEADER = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 2), }"

NPY = {
    "objects": (npy(np.array([[{}, []]], dtype=object), allow_pickle=True), "an object array is a Python pickle"),
    "records": (npy(np.zeros((2, 2), dtype="f4,f4")), "no records"),
    "raw bytes": (npy(np.zeros((2, 2), dtype="V2")), "no text, dates or raw bytes"),
    "text": (npy(np.array([["a"]])), "no text"),
    "dates": (npy(np.zeros((2, 2), dtype="M8[s]")), "no text, dates"),
    "a type of no such width": (npy_with_header(HEADER.replace("f4", "f9"), VALUES), "number type of numpy"),
    "cut off": (npy(np.ones((4, 4)))[:-1], "promises 128 bytes of values for shape [4, 4] of float64"),
    "bytes behind the last": (npy(np.ones((4, 4))) + b"x", "received '129 bytes'"),
    "a shape that lies": (npy_with_header(HEADER.replace("(2, 2)", "(2000000, 2000000)"), VALUES), "14.55"),
    "a negative size": (npy_with_header(HEADER.replace("(2, 2)", "(-2, -2)"), VALUES), "tuple of sizes"),
    "a size that is true": (npy_with_header(HEADER.replace("(2, 2)", "(True, 4)"), VALUES), "tuple of sizes"),
    "a shape that is a list": (npy_with_header(HEADER.replace("(2, 2)", "[2, 2]"), VALUES), "tuple of sizes"),
    "an order that is no truth": (npy_with_header(HEADER.replace("False", "'C'"), VALUES), "fortran_order"),
    "a call in the header": (npy_with_header("__import__('os').system('true')"), "must name descr"),
    "a header without end": (npy_with_header("(" * 9_000), "must name descr"),
    "a header of another file": (npy_with_header("{'descr': '<f4'}"), "must name descr"),
    "a header that is too long": (npy_with_header(HEADER + " " * 20_000, VALUES), "at most 10,000 bytes"),
    "a header longer than the file": (npy_with_header(HEADER)[:40], "is cut off"),
    "a version to come": (npy_with_header(HEADER, VALUES, (4, 0)), "version 1.0, 2.0 or 3.0"),
    "the magic alone": (b"\x93NUMPY", "is cut off"),
}

GOOD = torch_file({"w": torch.ones(4, 4)})
RECORDS = records_of(GOOD)
PREFIX = next(iter(RECORDS)).split("/")[0]


def changed(**records: bytes) -> bytes:
    """The good archive with other records."""
    return archive({**RECORDS, **{f"{PREFIX}/{name}": data for name, data in records.items()}})


def swapped(old: bytes, new: bytes) -> bytes:
    """The good archive with other words in its pickle, of the same or another length."""
    data = RECORDS[f"{PREFIX}/data.pkl"]
    assert old in data
    return archive({**RECORDS, f"{PREFIX}/data.pkl": data.replace(old, new)})


def itself() -> bytes:
    looped: dict[str, object] = {}
    looped["again"] = looped
    return torch_file(looped)


ARCHIVES = {
    "cut off": (GOOD[:-1], "must end with a zip directory"),
    "cut in the middle": (GOOD[: len(GOOD) // 2], "must end with a zip directory"),
    "the magic alone": (b"PK\x03\x04", "ends inside its zip directory"),
    "no archive of torch": (archive({"readme.txt": b"hello"}), "none that torch.save wrote"),
    "several pickles": (archive({"a/data.pkl": b"", "b/data.pkl": b""}), "none that torch.save wrote"),
    "npz": (archive({"a.npy": npy(np.ones((2, 2)))}), "an .npz archive"),
    "a program of TorchScript": (archive({**RECORDS, f"{PREFIX}/constants.pkl": b"."}), "a TorchScript program"),
    "compressed": (archive(RECORDS, zipfile.ZIP_DEFLATED), "neither compressed nor encrypted"),
    "a zip bomb": (
        archive({**RECORDS, f"{PREFIX}/data/1": b"\0" * 2**26}, zipfile.ZIP_DEFLATED),
        "neither compressed nor encrypted",
    ),
    "a pickle of nothing": (archive({f"{PREFIX}/data.pkl": b""}), "pickle is damaged"),
    "a pickle cut off": (archive({**RECORDS, f"{PREFIX}/data.pkl": RECORDS[f"{PREFIX}/data.pkl"][:-30]}), "damaged"),
    "a pickle without end": (archive({f"{PREFIX}/data.pkl": b"N" * 2**23}), "list of names and shapes must have"),
    "another way to name an object": (
        archive({f"{PREFIX}/data.pkl": pickle.dumps(OrderedDict(), protocol=4)}),
        "asks for something else, so it is not opened; received 'STACK_GLOBAL'",
    ),
    "memory by a call": (
        archive({f"{PREFIX}/data.pkl": b"c__builtin__\nbytearray\n(\x8a\x05\0\0\0\0\x01tR."}),
        "bytearray",
    ),
    "no storage": (archive({k: v for k, v in RECORDS.items() if not k.endswith("data/0")}), "that torch can read"),
    "a storage that is too short": (archive({**RECORDS, f"{PREFIX}/data/0": b"\0" * 8}), "record"),
    "big-endian": (archive({**RECORDS, f"{PREFIX}/byteorder": b"big"}), "must be little-endian"),
    "a storage of more values": (swapped(b"K\x10t", b"J\0\0\0\x10t"), "record"),
    "a shape of more values": (swapped(b"K\x04K\x04\x86", b"M\0\x10M\0\x10\x86"), "must be a state dict"),
    "nothing in it": (itself(), "must have a matrix"),
}

OTHERS = {
    "nothing": (b"", "begins with nothing"),
    "text": (b"hello, world", "no format known here"),
    "a pickle of old": (pickle.dumps({"w": [1.0]}, protocol=0), "no format known here"),
    "torch before 1.6": (torch_file({"w": torch.ones(2)}, _use_new_zipfile_serialization=False), "before 1.6"),
    "GGUF": (b"GGUF\x03\0\0\0" + b"\0" * 16, "no format known here"),
}


@pytest.mark.parametrize("kind", SAFETENSORS)
def test_safetensors(kind: str, tmp_path: Path):
    data, words = SAFETENSORS[kind]
    assert words in refused(data, tmp_path)


@pytest.mark.parametrize("kind", NPY)
def test_npy(kind: str, tmp_path: Path):
    data, words = NPY[kind]
    assert words in refused(data, tmp_path)


@pytest.mark.parametrize("kind", ARCHIVES)
def test_archives(kind: str, tmp_path: Path):
    data, words = ARCHIVES[kind]
    path = tmp_path / "model.pt"
    path.write_bytes(data)
    for source in (data, path):
        with pytest.raises(SpecError) as caught:
            load_matrix(source)
        assert words in str(caught.value)


@pytest.mark.parametrize("kind", OTHERS)
def test_other_files(kind: str, tmp_path: Path):
    data, words = OTHERS[kind]
    assert words in refused(data, tmp_path)


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_a_pickle_in_disguise_is_not_run(protocol: int, tmp_path: Path):
    made = tmp_path / "made"
    data = pickle.dumps(Trap(str(made)), protocol=protocol)
    assert "bare Python pickle: loading one can run any program" in refused(data, tmp_path)
    for ending in ("npy", "safetensors", "pt"):
        path = tmp_path / f"weights.{ending}"
        path.write_bytes(data)
        with pytest.raises(SpecError, match="bare Python pickle"):
            load_matrix(path)
    assert not made.exists()


def test_a_pickle_inside_an_archive_is_not_run_and_what_it_wanted_is_said(tmp_path: Path):
    made = tmp_path / "made"
    assert "asks for something else, so it is not opened; received 'io.open'" in refused(
        archive({**RECORDS, f"{PREFIX}/data.pkl": trap_pickle(str(made))}), tmp_path
    )
    nested = torch_file({"w": torch.ones(2, 2), "args": Trap(str(made))})
    assert "received 'io.open'" in refused(nested, tmp_path)
    assert not made.exists()
    pickle.loads(trap_pickle(str(made))).close()  # noqa: S301 - the trap works: had it been run, the file would be there
    assert made.exists()


def directory_of(data: bytes) -> int:
    return data.index(b"PK\x01\x02")


def test_a_directory_that_points_elsewhere(tmp_path: Path):
    data = bytearray(changed())
    place = directory_of(data) + 42  # offset of the first record
    data[place : place + 4] = struct.pack("<L", 7)
    assert "agree with the zip directory" in refused(bytes(data), tmp_path)


def test_records_that_overlap(tmp_path: Path):
    data = bytearray(changed())
    place = directory_of(data) + 20  # compressed and plain size of the first record
    data[place : place + 8] = struct.pack("<LL", 500, 500)
    assert "overlap no other" in refused(bytes(data), tmp_path)


def test_a_directory_of_more_than_memory(tmp_path: Path):
    data = bytearray(changed())
    data[-10:-6] = struct.pack("<L", 2**31)  # size of the directory
    assert "must have at most 16 MiB" in refused(bytes(data), tmp_path)


def test_dictionaries_that_double_are_walked_once():
    value: dict[str, object] = {"w": torch.ones(2, 2)}
    for _ in range(12):
        value = {"a": value, "b": value}
    assert len(list_tensors(torch_file(value))) == 1


@settings(max_examples=150)
@given(
    st.sampled_from([safetensors({"w": torch.ones(3, 2), "b": torch.ones(2)}), npy(np.ones((3, 2))), GOOD]),
    st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 255)), max_size=3),
    st.one_of(st.none(), st.integers(0, 2000)),
)
def test_any_damage_ends_in_a_matrix_or_in_a_sentence(data: bytes, edits: list[tuple[int, int]], length: int | None):
    damaged = bytearray(data[:length])
    for place, value in edits:
        if damaged:
            damaged[place % len(damaged)] = value
    try:
        loaded = load_matrix(bytes(damaged))
    except SpecError:
        return  # any other exception fails the test
    assert loaded.values.ndim == 2
    assert torch.isfinite(loaded.values).all()
