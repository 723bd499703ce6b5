"""A verdict in words and records: the decision, its figures, and what it rests on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from frontend.logic import words
from frontend.logic.outcomes import words_of
from frontend.logic.run_words import pass_words
from frontend.schemas_verdict import VerdictJson

__all__ = ["DECISIONS", "decision_words", "figure_lines", "other_records", "quality_records"]

DECISIONS = {
    "swap": ("Swap", "green", ":material/check_circle:"),
    "do_not_swap": ("Do not swap", "red", ":material/block:"),
    "depends": ("Depends", "orange", ":material/balance:"),
    "not_distinguishable": ("Not distinguishable from 1.0x", "gray", ":material/drag_handle:"),
    "no_evidence": ("No evidence", "gray", ":material/help:"),
}
"""Word, badge colour and icon of each decision."""

MEMORY = {"parameters": "parameters", "gradients": "gradients", "optimizer": "optimizer state", "peak": "peak"}


def decision_words(verdict: Mapping[str, Any]) -> tuple[str, str, str]:
    """Return word, badge colour and icon; what it depends on is part of the word."""
    decision = str(verdict["decision"])
    word, color, icon = DECISIONS.get(decision, (decision.replace("_", " "), "gray", ":material/help:"))
    return (f"{word} on {verdict['depends_on']}" if verdict.get("depends_on") else word), color, icon


def figure_lines(verdict: VerdictJson) -> list[str]:
    """Return time and memory of every pass and the reach, one line each (Markdown)."""
    lines = [line for each in verdict.get("passes") or [] for line in _pass_lines(each)]
    reach = verdict.get("reach")
    if reach:
        lines.append(f"**Reach**: {reach['text']}")
    quality = verdict.get("quality") or {}
    if quality.get("reading"):
        lines.append(f"**Quality**: {quality['reading']}")
    return lines


def _pass_lines(each: Mapping[str, Any]) -> list[str]:
    name = pass_words(each["pass"])
    name = f"{name[:1].upper()}{name[1:]}"
    time = each.get("time")
    if time is None:
        detail = f": {each['detail']}" if each.get("detail") else ""
        lines = [f"**{name}**: {words_of(each.get('outcome') or 'failed')}{detail}"]
    else:
        saved = (
            f"{words.milliseconds(time['saved_ms'])} saved a call"
            if time["saved_ms"] >= 0
            else f"{words.milliseconds(-time['saved_ms'])} lost a call"
        )
        lines = [
            f"**{name}**: {words_of(each['outcome'])}, {words.factor(time['speedup'])} of dense (95 % interval "
            f"{words.factor(time['speedup_low'])} to {words.factor(time['speedup_high'])}), {saved}: "
            f"{words.milliseconds(time['dense_ms'])} becomes {words.milliseconds(time['candidate_ms'])}"
        ]
    memory = each.get("memory")
    if memory:
        parts = [
            f"{label} {_saving(memory[key])}"
            for key, label in MEMORY.items()
            if memory.get(key) and memory[key]["dense_bytes"]
        ]
        lines.append(f"**Memory of {pass_words(each['pass'])}**: " + ", ".join(parts))
    return lines


def _saving(saving: Mapping[str, Any]) -> str:
    """``768 KiB less (−75 %)``; the share is of what dense needs."""
    saved, share = saving["saved_bytes"], saving.get("share")
    change = (
        f"{words.data_size(saved)} less"
        if saved > 0
        else f"{words.data_size(-saved)} more"
        if saved < 0
        else "the same"
    )
    return change if not share else f"{change} ({'−' if share > 0 else '+'}{words.percent(abs(share))})"


def quality_records(verdict: VerdictJson) -> list[dict[str, Any]]:
    """Return the published evidence on quality, one record per model, corpus and aggregate."""
    return [
        {
            "model": each["model"],
            "trained on": each["training_words"],
            "layer": f"{str(each['variant']).upper()} n={each['n_blocks']}",
            "seeds": each["seeds"],
            "aggregate": aggregate["name"],
            "dense": aggregate["dense"],
            "DYAD": aggregate["candidate"],
            "of dense": aggregate["ratio"],
        }
        for each in (verdict.get("quality") or {}).get("evidence") or []
        for aggregate in each["aggregates"]
    ]


def other_records(verdict: VerdictJson) -> list[dict[str, str]]:
    """Return the decisions on the other candidates of the run."""
    return [
        {
            "candidate": f"{other['geometry']['label']} ({other['geometry'].get('implementation')})",
            "decision": decision_words(other)[0],
            "in one sentence": other["sentence"],
        }
        for other in verdict.get("others") or []
    ]
