"""From where on it pays: one border on each line of a map, if the map is in order.

A map is read along one of four directions: for each number of tokens from a width on or up to one, or for each width from
a number of tokens on or up to one. A direction fits when on every line all that pays lies on one side.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

__all__ = ["Border", "Finest", "borders"]

Finest = Literal["tokens", "widths"]


@dataclass(frozen=True)
class Border:
    """One line of a map.

    Attributes:
        line_name: what is the same along the line: ``"tokens"`` or ``"widths"``.
        line: its value.
        upward: whether it pays from the border on rather than up to it.
        first: the value nearest to the border at which it pays; 0 when it never does.
        last: the value on the other side of the border; 0 when it always pays.
        last_side: what was found there, -1 or 0.
    """

    line_name: Finest
    line: int
    upward: bool
    first: int
    last: int
    last_side: int

    @property
    def never(self) -> bool:
        """Whether nothing on the line pays."""
        return self.first == 0

    @property
    def always(self) -> bool:
        """Whether everything on the line pays."""
        return self.last == 0

    def same(self, other: Border) -> bool:
        """Whether both say the same of their lines."""
        if self.never or self.always:
            return (self.never, self.always) == (other.never, other.always)
        return (self.first, self.last, self.last_side) == (other.first, other.last, other.last_side)

    def place(self, value: int) -> tuple[int, int]:
        """Width and tokens of a value on the line."""
        return (value, self.line) if self.line_name == "tokens" else (self.line, value)


def borders(sides: Mapping[tuple[int, int], int]) -> list[Border] | None:
    """The borders along the direction that fits with the fewest words; None when none fits.

    Args:
        sides: 1 pays, -1 slower, 0 not distinguishable, by width and tokens.
    """
    ways: list[tuple[Finest, bool]] = [("tokens", True), ("widths", True), ("tokens", False), ("widths", False)]
    fitting = [found for name, upward in ways if (found := _along(sides, name, upward=upward)) is not None]
    return min(fitting, key=_words, default=None)


def _along(sides: Mapping[tuple[int, int], int], name: Finest, *, upward: bool) -> list[Border] | None:
    lines: dict[int, dict[int, int]] = {}
    for (width, tokens), side in sides.items():
        line, position = (tokens, width) if name == "tokens" else (width, tokens)
        lines.setdefault(line, {})[position] = side
    found = [_border(name, line, lines[line], upward=upward) for line in sorted(lines)]
    whole = [border for border in found if border is not None]
    if len(whole) != len(found):
        return None
    positions = [position for along in lines.values() for position in along]
    ends = (max(positions), min(positions)) if upward else (min(positions), max(positions))
    return [border for border in whole if _tells(border, lines[border.line], *ends)] or None


def _tells(border: Border, along: Mapping[int, int], paying_end: int, other_end: int) -> bool:
    """Whether a line says something: one with a border, or one that is on one side as far as its telling end.

    A sweep measures some lines near the border alone; "nowhere" and "everywhere" would say too much of those.
    """
    if border.never:
        return paying_end in along
    return other_end in along if border.always else True


def _border(name: Finest, line: int, along: Mapping[int, int], *, upward: bool) -> Border | None:
    """The border of one line; None when what pays does not lie on one side."""
    order = sorted(along, reverse=not upward)
    paying = [position for position in order if along[position] == 1]
    others = [position for position in order if along[position] != 1]
    if paying and others and order.index(paying[0]) < order.index(others[-1]):
        return None
    last = others[-1] if others and paying else 0
    return Border(name, line, upward, paying[0] if paying else 0, last, along.get(last, 0))


def _words(found: Sequence[Border]) -> int:
    """How many different things have to be said; a line that says only "always" or "never" counts as one too."""
    return 1 + sum(not first.same(second) for first, second in zip(found, found[1:], strict=False))
