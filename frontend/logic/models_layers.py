"""The linear layers of a model, blocks that repeat told once: ``12 × model.decoder.layers.*.fc1``."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from frontend.logic import words
from frontend.logic.models_cost import kind_words
from frontend.schemas_models import LayerRowJson

__all__ = ["Group", "found_records", "group_records", "groups_of", "layers_sentence", "pattern_of"]

_FOUND = re.compile(r"(\d+) × (\S+) \((\d+ → \d+)\)")
"""How the service lists layers in the sentence about an architecture that it does not know."""


@dataclass(frozen=True)
class Group:
    """Layers that differ in the numbers of their names only."""

    pattern: str
    kind: str
    in_features: int
    out_features: int
    bias: bool
    picked: bool
    reason: str
    legal_n_blocks: tuple[int, ...]
    count: int = 1

    @property
    def parameters(self) -> int:
        """Of all of them, as they are now."""
        return self.count * (self.in_features * self.out_features + (self.out_features if self.bias else 0))


def pattern_of(name: str) -> str:
    """Return a dotted name with ``*`` for each part that is a number."""
    return ".".join("*" if part.isdigit() else part for part in name.split("."))


def groups_of(layers: Iterable[LayerRowJson]) -> list[Group]:
    """Return the layers by what is alike in them, in the order in which each kind first appears; replaced ones first."""
    found: dict[Group, int] = {}
    for row in layers:
        alike = Group(
            pattern=pattern_of(row["name"]),
            kind=row.get("kind", "other"),
            in_features=row["in_features"],
            out_features=row["out_features"],
            bias=bool(row.get("bias")),
            picked=bool(row.get("picked")),
            reason=row.get("reason") or "",
            legal_n_blocks=tuple(row.get("legal_n_blocks") or ()),
        )
        found[alike] = found.get(alike, 0) + 1
    groups = [replace(group, count=count) for group, count in found.items()]
    return [group for group in groups if group.picked] + [group for group in groups if not group.picked]


def layers_sentence(groups: Sequence[Group]) -> str:
    """Say what is replaced in one sentence (Markdown)."""
    picked = [group for group in groups if group.picked]
    every = sum(group.count for group in groups)
    if not picked:
        return f"**No layer is replaced**, of {words.plural(every, 'linear layer')}."
    names = ", ".join(f"{group.count} × `{group.pattern}`" for group in picked)
    count = sum(group.count for group in picked)
    return f"**{words.count(count)} of {words.plural(every, 'linear layer')} are replaced**: {names}."


def group_records(groups: Sequence[Group]) -> list[dict[str, Any]]:
    """Return one record per group."""
    return [
        {
            "layers": group.count,
            "name": group.pattern,
            "sizes": f"{group.in_features} → {group.out_features}" + ("" if group.bias else ", no bias"),
            "becomes": "DYAD" if group.picked else f"stays: {group.reason}" if group.reason else "stays",
            "kind": kind_words(group.kind),
            "parameters of all": group.parameters,
            "n_blocks that fit": ", ".join(str(n) for n in group.legal_n_blocks),
        }
        for group in groups
    ]


def found_records(errors: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return one record per group of layers that a refusal lists; none where it is about something else."""
    return [
        {"layers": int(count), "name": name, "sizes": sizes}
        for error in errors
        if error.get("field") == "names"
        for count, name, sizes in _FOUND.findall(str(error.get("rule")))
    ]
