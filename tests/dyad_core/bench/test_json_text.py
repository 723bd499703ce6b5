"""JSON that nobody vouches for: what is refused, at what cost, and where it says the fault is."""

from __future__ import annotations

import gzip
import json
import tracemalloc

import pytest

from dyad_core.bench import json_text
from dyad_core.bench.json_text import NotJson, position_of, read_json
from dyad_core.errors import SpecError


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "is empty"),
        (gzip.compress(b"{}"), "compressed by gzip"),
        (b"PK\x03\x04rest", "zip archive"),
        (b"PAR1", "Parquet table"),
        (b"\xff\xfe{\x00", "UTF-16"),
        ("{}".encode("utf-32-be"), "not begin like JSON"),
        (b'{"a":\n "\xff"}', "byte 8 in line 2 is not UTF-8"),
        (b"<html>", "not begin like JSON"),
        (b'{"a": 1,\n "b"}', "line 2, column 5"),
        (b'{"a": "b', "cut off"),
        (b'{"a": [1, 2', "cut off"),
        (b"[" * 100_000, "nested deeper"),
        (b'{"a":' * 100_000, "nested deeper"),
    ],
)
def test_what_is_no_json_is_told_from_what_it_is(data: bytes, words: str) -> None:
    with pytest.raises(NotJson) as caught:
        read_json(data)
    (problem,) = caught.value.problems
    assert problem.field == "file"
    assert words in problem.rule


@pytest.mark.parametrize(
    ("text", "field", "words"),
    [
        ('{"a": [1, NaN]}', "a.1", "finite number"),
        ('{"a": -Infinity}', "a", "finite number"),
        ('{"a": 1e999}', "a", "finite number"),
        ('{"a": 9223372036854775808}', "a", "64 bits"),
        ('{"a": 1' + "0" * 100_000 + "}", "a", "64 bits"),
        ('{"a": {"b": 1, "b": 2}}', "a.b", "given twice"),
        ('{"a": "x\\u0000"}', "a", "NUL"),
        ('{"a": "\\ud800"}', "a", "surrogate"),
        ('{"\\udfff": 1}', "file", "the name of a field must not contain half"),
        ('{"a": "' + "x" * 20_001 + '"}', "a", "at most 20,000 characters"),
        ("[" * 40 + "]" * 40, ".".join("0" * 32), "nested deeper than 32"),
    ],
)
def test_single_values_that_no_field_can_take_are_named(text: str, field: str, words: str) -> None:
    with pytest.raises(SpecError) as caught:
        read_json(text.encode())
    assert caught.value.problems[0].field == field
    assert words in caught.value.problems[0].rule
    assert "(line 1, column " in caught.value.problems[0].rule
    assert not isinstance(caught.value, NotJson)


@pytest.mark.parametrize("value", ["{}", "[]", "0", '{"a":{}}'])
def test_a_text_that_would_grow_in_memory_is_refused_before_it_is_parsed(value: str) -> None:
    data = ("[" + ",".join([value] * (12_000_000 // len(value))) + "]").encode()
    tracemalloc.start()
    try:
        if value == "0":
            data = data[: data.rindex(b",")].replace(b"]", b"") + b",0]"
        with pytest.raises(SpecError, match="at most"):
            read_json(data)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 300 * 2**20 if value == "0" else peak < 2**20


def test_many_faults_are_counted_and_not_all_said(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SpecError) as caught:
        read_json(json.dumps([float("nan")] * 1000).encode())
    assert len(caught.value.problems) == json_text.MOST_PROBLEMS


def test_a_long_list_is_refused_once() -> None:
    with pytest.raises(SpecError) as caught:
        read_json(json.dumps({"a": [-1] * 100_001}).encode())
    (problem,) = caught.value.problems
    assert (problem.field, problem.received) == ("a", "100,001 values")


def test_good_text_is_read_as_it_is_with_or_without_a_byte_order_mark() -> None:
    values = {"a": [1, 2.5, -1e-300, 2**63 - 1, None, True, "é"], "b": {}}
    for mark in (b"", json_text.BOM):
        assert read_json(mark + json.dumps(values).encode()).values == values


@pytest.mark.parametrize(
    ("field", "begin"),
    [
        ("a", "{"),
        ("a.b", "["),
        ("a.b.1", "22"),
        ("a.c d", "33"),
        ("a.none", "{"),
        ("run.z", "44"),
        ("run", "{"),
        ("a.b.9", "["),
    ],
)
def test_a_field_is_found_in_the_text(field: str, begin: str) -> None:
    text = ' {"y": [[], {"a": 1}] , "a" : { "b":[ 11, 22 ],\n"c d":33}, "z":44}'
    assert text[position_of(text, field) :].startswith(begin)
