"""Read JSON of unknown origin: bounded before it is parsed, looked at value by value, and able to say where.

JSON declares no lengths, so what a text will take is told by counting its brackets and commas: a few bytes such as ``{},``
become a hundred in memory. Whatever Python's parser would let through and no field can take (NaN, numbers beyond 64 bits, a
name given twice, half of a surrogate pair, deep nesting) becomes a problem with the name of the field, its line and column.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from dyad_core.errors import Problem, SpecError

__all__ = ["JsonText", "NotJson", "check_header", "read_json"]

DEEPEST = 32
LARGEST_INTEGER = 2**63 - 1
LONGEST_LIST = 100_000
LONGEST_OBJECT = 10_000
LONGEST_TEXT = 20_000
MOST_CONTAINERS = 1_000_000
MOST_VALUES = 10_000_000
MOST_PROBLEMS = 20
MOST_PLACES = 5

BOM = b"\xef\xbb\xbf"
FOREIGN = {
    b"\x1f\x8b": "is compressed by gzip",
    b"PK\x03\x04": "is a zip archive",
    b"BZh": "is compressed by bzip2",
    b"\xfd7zXZ": "is compressed by xz",
    b"\x28\xb5\x2f\xfd": "is compressed by zstd",
    b"PAR1": "is a Parquet table",
    b"SQLite format 3": "is an SQLite database",
    b"\x93NUMPY": "is a NumPy array",
    b"\xff\xfe": "is not UTF-8, it seems to be UTF-16",
    b"\xfe\xff": "is not UTF-8, it seems to be UTF-16",
}
"""First bytes of what is sometimes handed over instead; nothing is ever unpacked."""

_BLANK = re.compile(r"[ \t\n\r]*")
_DECODER = json.JSONDecoder()


class NotJson(SpecError):  # noqa: N818 - the event, as the library's family names it
    """The bytes are no JSON text that is read here; the one problem has the field ``file``."""

    def __init__(self, rule: str, received: object = None, suggestion: str = "") -> None:
        """Say what they are instead."""
        super().__init__([Problem("file", f"must be JSON, and {rule}", received, suggestion)])


class _Twice:
    """Stands for the value of a name that one object gives twice."""


@dataclass(frozen=True)
class JsonText:
    """A parsed text.

    Attributes:
        text: as it came.
        values: what it says; finite, within 64 bits, nested at most 32 deep.
    """

    text: str
    values: Any

    def placed(self, problems: Sequence[Problem]) -> SpecError:
        """The error that says these problems, the first of them with line and column, and how many more there are."""
        said = [self._with_place(problem) for problem in problems[:MOST_PLACES]] + list(
            problems[MOST_PLACES:MOST_PROBLEMS]
        )
        if len(problems) > MOST_PROBLEMS:
            said.append(Problem("file", f"has {len(problems) - MOST_PROBLEMS:,} further wrong fields"))
        return SpecError(said)

    def _with_place(self, problem: Problem) -> Problem:
        at = position_of(self.text, problem.field)
        line, column = self.text.count("\n", 0, at) + 1, at - self.text.rfind("\n", 0, at)
        return Problem(
            problem.field, f"{problem.rule} (line {line}, column {column})", problem.received, problem.suggestion
        )


def check_header(head: bytes) -> None:
    """Look at the first bytes of a file, before the rest is read.

    Raises:
        NotJson: they are those of something else, or nothing is there.
    """
    for signature, what in FOREIGN.items():
        if head.startswith(signature):
            raise NotJson(f"the file {what}", suggestion="hand over the JSON text itself; nothing is unpacked here")
    begin = head.removeprefix(BOM).lstrip(b" \t\r\n")[:1]
    if not head:
        raise NotJson("the file is empty")
    if begin and begin not in b'{["-0123456789tfnNI':
        raise NotJson("the file does not begin like JSON, which begins with {", begin.decode("latin-1"))


def read_json(data: bytes) -> JsonText:
    """Parse ``data``, whose size the caller has bounded.

    Raises:
        NotJson: it is something else, too much for its size, damaged, or nested so deeply that it cannot be parsed.
        SpecError: single values are unfit; each is named, the first ones with line and column.
    """
    check_header(data[:64])
    _bound(data.count(b"{") + data.count(b"["), MOST_CONTAINERS, "objects and lists")
    _bound(data.count(b","), MOST_VALUES, "values")
    try:
        text = data.removeprefix(BOM).decode("utf-8")
        values = json.loads(text, object_pairs_hook=_object, parse_int=_integer, parse_constant=_not_a_number)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise NotJson(f"byte {error.start} in line {line} is not UTF-8", f"0x{data[error.start]:02x}") from error
    except RecursionError as error:
        raise NotJson(f"the text is nested deeper than {DEEPEST} levels") from error
    except json.JSONDecodeError as error:
        ended = error.pos >= len(error.doc.rstrip()) or error.msg.startswith("Unterminated")
        hint = "; is the file cut off?" if ended else ""
        raise NotJson(f"is damaged at line {error.lineno}, column {error.colno}: {error.msg}{hint}") from error
    read = JsonText(text, values)
    if problems := list(islice(_unfit(values, (), 0), MOST_PROBLEMS)):
        raise read.placed(problems)
    return read


def _bound(count: int, most: int, what: str) -> None:
    if count > most:
        raise NotJson(f"at most {most:,} {what} are read", f"about {count:,}")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    _bound(len(pairs), LONGEST_OBJECT, "fields of one object")
    values = dict(pairs)
    if len(values) != len(pairs):
        times = Counter(name for name, _ in pairs)
        values.update({name: _Twice() for name, count in times.items() if count > 1})
    return values


def _integer(digits: str) -> float:
    """An integer of 64 bits; a longer one is beyond every field, and converting a long text would cost time."""
    value = int(digits) if len(digits) <= 20 else math.inf
    return value if abs(value) <= LARGEST_INTEGER else math.inf


def _not_a_number(_name: str) -> float:
    return math.nan


def _unfit(value: Any, path: tuple[str, ...], depth: int) -> Iterator[Problem]:
    if isinstance(value, dict | list):
        yield from _unfit_container(value, path, depth)
    elif rule := _scalar_rule(value):
        yield Problem(".".join(path) or "file", rule, None if isinstance(value, _Twice) else _short(str(value)))


def _unfit_container(value: dict[str, Any] | list[Any], path: tuple[str, ...], depth: int) -> Iterator[Problem]:
    where = ".".join(path) or "file"
    if depth >= DEEPEST:
        yield Problem(where, f"must not be nested deeper than {DEEPEST} levels")
        return
    if isinstance(value, list) and len(value) > LONGEST_LIST:
        yield Problem(where, f"must be a list of at most {LONGEST_LIST:,} values", f"{len(value):,} values")
        return
    for name, item in value.items() if isinstance(value, dict) else enumerate(value):
        if type(item) is float and math.isfinite(item):
            continue  # nearly all there is
        if isinstance(name, str) and (rule := _text_rule(name)):
            yield Problem(where, f"the name of a field {rule}", _short(name))
        yield from _unfit(item, (*path, str(name)), depth + 1)


def _scalar_rule(value: Any) -> str:
    if isinstance(value, float) and not math.isfinite(value):
        return "must be a finite number; an integer must fit into 64 bits"
    if isinstance(value, _Twice):
        return "is given twice in one object"
    return _text_rule(value) if isinstance(value, str) else ""


def _text_rule(text: str) -> str:
    if len(text) > LONGEST_TEXT:
        return f"must be at most {LONGEST_TEXT:,} characters"
    if "\x00" in text:
        return "must not contain the character NUL"
    if not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text):
        return "must not contain half of a surrogate pair"
    return ""


def _short(value: Any) -> Any:
    text = repr(value)
    return value if len(text) <= 80 else f"{text[:77]}..."


def position_of(text: str, field: str) -> int:
    """Where the value of a dotted field begins in a valid JSON text; of what encloses it where it is missing.

    A part ``run`` that is no name in the text is passed over: so records name a run as a whole.
    """
    at = _skip(text, 0)
    for part in field.split("."):
        inside = _member(text, at, part)
        if inside is not None:
            at = inside
        elif part != "run":
            break
    return at


def _member(text: str, at: int, name: str) -> int | None:
    """Begin of the value called ``name`` in the object, or counted so in the list, that begins at ``at``."""
    if text[at : at + 1] not in ("{", "["):
        return None
    is_object, number = text[at] == "{", 0
    at = _skip(text, at + 1)
    while text[at] not in "}]":
        found = str(number)
        if is_object:
            found, at = _DECODER.raw_decode(text, at)
            at = _skip(text, _skip(text, at) + 1)  # past the colon
        if found == name:
            return at
        _, at = _DECODER.raw_decode(text, at)
        at = _skip(text, at)
        if text[at] == ",":
            at = _skip(text, at + 1)
        number += 1
    return None


def _skip(text: str, at: int) -> int:
    """The first position from ``at`` on that is not blank."""
    found = _BLANK.match(text, at)
    return at if found is None else found.end()
