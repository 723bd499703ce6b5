"""What disturbed a run, in words; and what else the machine did while it was measured."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from frontend.logic import words
from frontend.logic.run_words import pass_words

__all__ = ["disturbances", "noise_records", "noise_sentence", "quiet_warnings"]

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


def noise_sentence(noise: Mapping[str, Any] | None) -> str:
    """Say how much of the processors other work took over the whole run; empty where it is not known."""
    if not noise or noise.get("others_share") is None:
        return ""
    return (
        f"Other work kept {words.percent(noise['others_share'])} of {words.plural(int(noise['processors']), 'processor')} busy "
        "from before to after"
    )


def noise_records(noise: Mapping[str, Any] | None) -> list[dict[str, Any]]:
    """Return the readings before, during and after as records of a table; columns that say nothing are left out."""
    if not noise:
        return []
    readings = [
        ("before", noise["before"]),
        *(("during", each) for each in noise.get("during") or []),
        ("after", noise["after"]),
    ]
    records = [
        {
            "when": when,
            "after (s)": each.get("at_s"),
            "load average": each.get("load_average_1min"),
            "taken by others (%)": None if each.get("others_share") is None else 100 * each["others_share"],
            "clock (MHz)": each.get("cpu_mhz"),
            "temperature (°C)": each.get("temperature_c"),
            "slowed by heat (times)": each.get("throttle_count"),
            **{
                f"GPU {name}": value
                for name, value in (each.get("gpu") or {}).items()
                if not isinstance(value, list | dict)
            },
        }
        for when, each in readings
    ]
    known = {name for record in records for name, value in record.items() if value is not None}
    return [{name: value for name, value in record.items() if name in known} for record in records]
