from __future__ import annotations

from dataclasses import dataclass

import pytest

from dyad_core.bench.records import read_record
from dyad_core.errors import SpecError


@dataclass(frozen=True)
class Inner:
    size: int
    pass_: str = "forward"


@dataclass(frozen=True)
class Outer:
    one: Inner
    several: tuple[Inner, ...] = ()
    perhaps: Inner | None = None
    scores: dict[str, float] | None = None


def test_records_inside_records_are_read_lists_and_missing_ones_too() -> None:
    found = read_record(
        Outer, {"one": {"size": 1, "pass": "decode"}, "several": [{"size": 2}], "perhaps": None}, "file"
    )

    assert found == Outer(Inner(1, "decode"), (Inner(2),))


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ([], "file"),
        ({"one": 3}, "file.one"),
        ({"one": {"size": "3"}}, "file.one.size"),
        ({"one": {"size": 1}, "several": [{"size": 1}, {}]}, "file.several.1.size"),
        ({"one": {"size": 1}, "several": {"size": 1}}, "file.several"),
        ({"one": {"size": 1, "pass": 3}}, "file.one.pass"),
        ({"one": {"size": 1}, "more": 1}, "file.more"),
        ({}, "file.one"),
    ],
)
def test_a_wrong_field_is_named_with_its_place(values: object, field: str) -> None:
    with pytest.raises(SpecError) as caught:
        read_record(Outer, values, "file")

    assert [problem.field for problem in caught.value.problems] == [field]


def test_an_integer_that_no_float_holds_is_refused() -> None:
    with pytest.raises(SpecError, match=r"file\.scores"):
        read_record(Outer, {"one": {"size": 1}, "scores": {"a": 10**400}}, "file")
