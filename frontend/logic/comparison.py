"""Runs side by side: what differs, what may be compared, and the ratios, as sentences and records."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from frontend.logic import words
from frontend.logic.outcomes import words_of
from frontend.logic.run_words import pass_words
from frontend.schemas_verdict import ComparedJson, ComparisonJson

__all__ = [
    "QUANTITIES",
    "Ratio",
    "difference_records",
    "finding_words",
    "pair_sentences",
    "passes_in",
    "ratio_records",
    "ratios_of",
    "run_line",
]

QUANTITIES = {"time": "time", "speedup": "speed-up over dense"}
"""What a ratio is of: time needs equal sizes, a speed-up does not."""

_COMPARABLE = {
    "all": "times and speed-ups can be compared",
    "speedups": "only speed-ups can be compared",
    "nothing": "cannot be compared",
}
_MACHINES = {True: "on the same machine", False: "on different machines", None: "whether on one machine is not known"}


@dataclass(frozen=True)
class Ratio:
    """One candidate of one run against the same candidate of the first; None where it cannot be compared."""

    label: str
    pass_name: str
    base: str
    other: str
    value: float | None
    low: float | None
    high: float | None
    finding: str
    reason: str

    @property
    def row(self) -> str:
        """Its row in a chart that holds one pass."""
        return self.label


def ratios_of(comparison: ComparisonJson, quantity: str) -> list[Ratio]:
    """Return every ratio of times or of speed-ups."""
    prefix = f"{quantity}_ratio"
    found = []
    for candidate in comparison["candidates"]:
        for ratio in candidate["ratios"]:
            value = ratio.get(prefix)
            finding = (
                ratio["finding"]
                if quantity == "time"
                else _finding(ratio.get(f"{prefix}_low"), ratio.get(f"{prefix}_high"))
            )
            found.append(
                Ratio(
                    candidate["label"],
                    candidate["pass"],
                    ratio["base"],
                    ratio["other"],
                    value,
                    ratio.get(f"{prefix}_low"),
                    ratio.get(f"{prefix}_high"),
                    finding if value is not None else "not_comparable",
                    ratio.get("reason") or "",
                )
            )
    return found


def _finding(low: float | None, high: float | None) -> str:
    if low is None or high is None:
        return "not_comparable"
    return "faster" if low > 1 else "slower" if high < 1 else "not_distinguishable"


def finding_words(finding: str) -> str:
    """Say how a run came out against the first: ``▲ faster``."""
    return "– not comparable" if finding == "not_comparable" else words_of(finding)


def difference_records(comparison: ComparisonJson, *, momentary: bool = False) -> list[dict[str, Any]]:
    """Return one record per field that differs; load and free memory, which always do, only when asked for."""
    records = []
    for part in ("spec", "environment"):
        for each in comparison["differences"]:
            if each["part"] == part and bool(each.get("momentary")) == momentary:
                values = dict(zip(comparison["names"], (_plain(value) for value in each["values"]), strict=True))
                records.append({"of": "request" if part == "spec" else part, "field": each["field"], **values})
    return records


def _plain(value: Any) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(_plain(item) for item in value) or "none"
    if isinstance(value, Mapping):
        return ", ".join(f"{name}={_plain(item)}" for name, item in value.items()) or "none"
    return "not told" if value in (None, "") else f"{value:g}" if isinstance(value, float) else str(value)


def pair_sentences(comparison: ComparisonJson) -> list[str]:
    """Say of every run whether it can be held against the first, and why not where the reading does not."""
    sentences = []
    for pair in comparison["pairs"]:
        how = _COMPARABLE.get(pair["comparable"], pair["comparable"])
        machine = _MACHINES[pair.get("same_machine")]
        said = comparison.get("reading") or ""
        reasons = " ".join(
            f"{reason.rstrip('.')}." for reason in pair.get("reasons") or [] if reason.rstrip(".") not in said
        )
        text = f"**{pair['other']} against {pair['base']}**: {how} ({machine})."
        sentences.append(f"{text} {reasons}".strip())
    return sentences


def ratio_records(comparison: ComparisonJson) -> list[dict[str, Any]]:
    """Return every candidate with its figures in every run and its ratios, as records of a table."""
    records = []
    for candidate in comparison["candidates"]:
        record: dict[str, Any] = {"candidate": candidate["label"], "pass": candidate["pass"]}
        for name, entry in zip(comparison["names"], candidate["entries"], strict=True):
            record[f"{name}: median (ms)"] = None if entry is None else entry.get("median_ms")
            record[f"{name}: speed-up (x)"] = None if entry is None else entry.get("speedup")
        for ratio in candidate["ratios"]:
            name = f"{ratio['other']} / {ratio['base']}"
            record[f"{name}: time (x)"] = ratio.get("time_ratio")
            record[f"{name}: 95 % low"] = ratio.get("time_ratio_low")
            record[f"{name}: 95 % high"] = ratio.get("time_ratio_high")
            record[f"{name}: speed-up (x)"] = ratio.get("speedup_ratio")
            record[f"{name}: finding"] = finding_words(ratio["finding"]) + (
                f": {ratio['reason']}" if ratio.get("reason") else ""
            )
        records.append(record)
    return records


def run_line(compared: ComparedJson, place: int) -> str:
    """Say which run a name stands for."""
    run = compared["runs"][place]
    machine = run.get("machine") or {}
    origin = "" if run.get("origin") in (None, "local") else f" · {run['origin']}"
    where = str(machine.get("name") or "machine not told")
    host = f" ({machine['hostname']})" if machine.get("hostname") else ""
    return f"**{run['name']}**: {where}{host}{origin} · {words.moment(run.get('measured_at'))} · run {run['id'][:8]}"


def passes_in(ratios: Sequence[Ratio]) -> dict[str, str]:
    """Return the passes that have ratios, each with its words."""
    return {ratio.pass_name: pass_words(ratio.pass_name) for ratio in ratios}
