"""What disturbed a run, in words; and what else the machine did while it was measured."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from frontend.logic.run_words import pass_words

__all__ = ["disturbances", "quiet_warnings"]

DISTURBED = "disturbed:"
"""How the service begins the sentence of a disturbance, after the name of the pass."""


def disturbances(result: Mapping[str, Any], pass_name: str | None = None) -> list[str]:
    """Return the sentences that say a run was disturbed, of one pass or of all; none when it was alone.

    Args:
        result: a finished run.
        pass_name: only what concerns this pass; what names no pass concerns all.
    """
    found = []
    for warning in result.get("warnings") or []:
        begin, said, rest = str(warning).partition(DISTURBED)
        named = begin.strip().rstrip(":")
        if said and (pass_name is None or named in ("", pass_name)):
            place = f" in {pass_words(named)}" if named else ""
            found.append(f"Disturbed{place}: {rest.strip()}")
    return list(dict.fromkeys(found))


def quiet_warnings(warnings: Iterable[str]) -> Sequence[str]:
    """Return the warnings that are about something else."""
    return [warning for warning in warnings if DISTURBED not in warning]
