"""The published condition taken apart: how much of a headline is structure and how much is precision."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from frontend.logic import words
from frontend.logic.run_words import pass_words
from frontend.schemas_verdict import OriginalConditionsJson, PartJson

__all__ = ["Split", "passes_of", "split_records", "splits_of"]


@dataclass(frozen=True)
class Split:
    """One headline and its two factors; ``headline == structure * precision``."""

    label: str
    pass_name: str
    headline: float
    structure: float
    precision: float
    arithmetic: str


def passes_of(conditions: OriginalConditionsJson) -> list[str]:
    """Return the passes that have a headline, the total first."""
    found = dict.fromkeys(
        part["pass"]
        for each in conditions.get("decompositions") or []
        for part in each["parts"]
        if part.get("headline")
    )
    return sorted(found, key=lambda name: name != "total")


def splits_of(conditions: OriginalConditionsJson, pass_name: str) -> list[Split]:
    """Return the headlines of one pass that can be taken apart."""
    found = []
    for each in conditions.get("decompositions") or []:
        for part in each["parts"]:
            factors = [_ratio(part, name) for name in ("headline", "structure", "precision")]
            headline, structure, precision = factors
            if part["pass"] == pass_name and headline and structure and precision:
                name = each.get("model") or f"{each['in_features']} → {each['out_features']}"
                label = f"{name} {str(each['variant']).upper()} n={each['n_blocks']} {each.get('implementation') or ''}".strip()
                found.append(Split(label, pass_name, headline, structure, precision, part.get("arithmetic") or ""))
    return found


def _ratio(part: PartJson, name: str) -> float | None:
    ratio: Any = part.get(name)
    return None if ratio is None else float(ratio["ratio"])


def split_records(splits: Sequence[Split]) -> list[dict[str, Any]]:
    """Return the headlines as records of a table."""
    return [
        {
            "layer": each.label,
            "pass": each.pass_name if each.pass_name == "total" else pass_words(each.pass_name),
            "headline": words.factor(each.headline),
            "of structure": words.factor(each.structure),
            "of precision": words.factor(each.precision),
            "how": each.arithmetic,
        }
        for each in splits
    ]
