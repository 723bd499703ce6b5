"""Numbers as people read them, always with their unit."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime

__all__ = [
    "as_it_is",
    "count",
    "data_size",
    "duration",
    "factor",
    "formula",
    "milliseconds",
    "moment",
    "percent",
    "plural",
    "problem_sentence",
]


def count(number: float) -> str:
    """Write a whole number with thin separators: ``1 179 648``."""
    return f"{round(number):,}".replace(",", "\u202f")


def plural(number: int, noun: str) -> str:
    """Write a number with its noun: ``1 candidate``, ``4 candidates``."""
    return f"{count(number)} {noun}" if number == 1 else f"{count(number)} {noun}s"


def factor(ratio: float | None) -> str:
    """Write a speed-up: ``1.87x``; a dash when there is none."""
    if ratio is None:
        return "–"
    return f"{ratio:.2f}x" if ratio < 100 else f"{ratio:.0f}x"


def milliseconds(time_ms: float | None) -> str:
    """Write a time per call with three significant digits and its unit; a dash when there is none."""
    if time_ms is None:
        return "–"
    if time_ms >= 10_000:
        return f"{time_ms / 1000:.3g} s"
    if time_ms >= 1:
        digits = max(0, 2 - math.floor(math.log10(time_ms)))
        return f"{time_ms:.{digits}f} ms"
    return f"{time_ms * 1000:.3g} µs"


def percent(share: float | None, digits: int = 0) -> str:
    """Write a share as percent; a dash when there is none."""
    return "–" if share is None else f"{100 * share:.{digits}f} %"


def data_size(size_bytes: float | None) -> str:
    """Write bytes in the binary unit that keeps it below 1024; "unknown" for None."""
    if size_bytes is None:
        return "unknown"
    value = float(size_bytes)
    for unit in ("B", "KiB", "MiB", "GiB", "TiB"):
        if abs(value) < 1024 or unit == "TiB":
            break
        value /= 1024
    if unit == "B":
        return f"{value:.0f} B"
    return f"{value:.2f} {unit}" if value < 10 else f"{value:.1f} {unit}" if value < 100 else f"{value:.0f} {unit}"


def duration(seconds: float | None) -> str:
    """Write a duration: ``8 s``, ``2 min 05 s``, ``1 h 04 min``; a dash when unknown."""
    if seconds is None:
        return "–"
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min"


def moment(iso: str | None) -> str:
    """Write an ISO 8601 time as ``2026-03-01 14:05 UTC``; a dash when there is none."""
    if not iso:
        return "–"
    read = datetime.fromisoformat(iso)
    known = read if read.tzinfo else read.replace(tzinfo=UTC)
    return known.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")


def formula(text: str) -> str:
    """Mark the conditions of a layer's definition as code and end it as a sentence (Markdown)."""
    return re.sub(r"\bwhen ([^;]+)", r"when `\1`", text) + "."


def problem_sentence(field: str, rule: str, received: object, suggestion: str) -> str:
    """Word one wrong field as sentences: field, rule, what came, what would do (Markdown)."""
    came = "" if received is None else f" (received `{received}`)"
    advice = f" {as_it_is(suggestion[0].upper() + suggestion[1:])}." if suggestion else ""
    return _counted(f"**{field}** {as_it_is(rule)}{came}.{advice}")


def as_it_is(text: str) -> str:
    """Keep Markdown from reading the stars of a pattern of names as emphasis."""
    return text.replace("*", "\\*")


def _counted(sentence: str) -> str:
    """Name places in a list as people count them: ``layers.2.in_features`` is in_features of layer 3."""
    sentence = re.sub(r"\blayers\.(\d+)\.(\w+)", lambda found: f"{found[2]} of layer {int(found[1]) + 1}", sentence)
    return re.sub(r"\blayers\.(\d+)", lambda found: f"layer {int(found[1]) + 1}", sentence)
