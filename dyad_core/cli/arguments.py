"""``--blocks 4 8``: several values after one flag, which click by itself does not take.

The arguments are rewritten before click sees them: ``--blocks 4 8`` and ``--blocks 4,8`` become
``--blocks 4 --blocks 8``. Only options that may be repeated are touched, and the command must have no positional
arguments, so a bare word after such a flag can belong to nothing else.
"""

from __future__ import annotations

from typing import Any

from typer.core import TyperCommand

__all__ = ["MultiValueCommand", "expanded"]


class MultiValueCommand(TyperCommand):
    """A command whose repeatable options take several values at once."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Rewrite, then parse."""
        repeatable = {
            name
            for option in self.params
            if getattr(option, "multiple", False)
            for name in (*option.opts, *option.secondary_opts)
        }
        return super().parse_args(ctx, expanded(args, repeatable))


def expanded(arguments: list[str], repeatable: set[str]) -> list[str]:
    """Return ``arguments`` with every value of a repeatable option behind a flag of its own."""
    result: list[str] = []
    flag = ""
    first = False
    for word in arguments:
        name, equals, value = word.partition("=")
        if name in repeatable:
            flag, first = name, True
            if equals:
                result += _repeated(flag, value)
                first = False
        elif flag and not _is_flag(word):
            result += _repeated(flag, word)
            first = False
        else:
            if first:
                result.append(flag)  # without a value: click says what is missing
            flag, first = "", False
            result.append(word)
    if first:
        result.append(flag)
    return result


def _is_flag(word: str) -> bool:
    """A negative number is a value, and a wrong one that the request's own check names."""
    return word.startswith("-") and not word[1:2].isdigit()


def _repeated(flag: str, word: str) -> list[str]:
    values = [value for value in word.split(",") if value] or [word]
    return [f"{flag}={value}" for value in values]
