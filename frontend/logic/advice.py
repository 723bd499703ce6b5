"""The advisor's choices as records of a table."""

from __future__ import annotations

from typing import Any

from frontend.logic import words
from frontend.schemas_chain import AdviceJson

__all__ = ["choice_records", "padding_records"]


def choice_records(found: AdviceJson) -> list[dict[str, Any]]:
    """Return one record per legal choice, the recommended one marked."""
    return [
        {
            "": "recommended" if at == found["recommended"] else "" if choice["saves"] else "saves nothing",
            "n": choice["n_blocks"],
            "variant": choice["variant"].upper(),
            "grain": choice["grain"],
            "parameters": choice["parameters"],
            "of dense (%)": 100 * choice["share_of_dense"],
            "saves (%)": 100 * (1 - choice["share_of_dense"]),
            "limit (x)": choice["limit"],
            "density (%)": 100 * choice["density"],
            "full reach from depth": str(choice["first_full_depth"] or "never"),
            "reach of two (%)": None
            if choice["reached_share_of_two"] is None
            else 100 * choice["reached_share_of_two"],
        }
        for at, choice in enumerate(found["choices"])
    ]


def padding_records(found: AdviceJson) -> list[dict[str, Any]]:
    """Return one record per padded layer."""
    return [
        {
            "n": padded["n_blocks"],
            "padded sizes": f"{padded['in_features']} → {padded['out_features']}",
            "parameters": words.count(padded["parameters"]),
            "of the dense layer asked about": words.percent(padded["share_of_dense"], 1),
        }
        for padded in found["padding"]
    ]
