"""Answers about layers and chains as records of a table: what a CSV file of each picture holds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from frontend.logic.arrays import decode_array
from frontend.schemas import ConnectivityJson, FeatureSetJson
from frontend.schemas_chain import AlternativeJson, HeatMapsJson, LocalityJson, ReachabilityJson, StepJson

__all__ = [
    "alternative_records",
    "depth_records",
    "heat_records",
    "hub_records",
    "locality_records",
    "path_records",
    "reach_records",
]

Records = list[dict[str, Any]]


def hub_records(graph: ConnectivityJson) -> Records:
    """One record per block of the weight: what it reads and feeds."""
    return [
        {
            "component": hub["component"],
            "block": hub["block"],
            "inputs": hub["inputs"]["description"],
            "input_count": hub["inputs"]["count"],
            "outputs": hub["outputs"]["description"],
            "output_count": hub["outputs"]["count"],
        }
        for hub in graph["hubs"]
    ]


def reach_records(chains: Mapping[str, ReachabilityJson]) -> Records:
    """One record per variant and depth."""
    return [
        {"variant": variant, **{name: entry[name] for name in _REACH}}  # type: ignore[literal-required] # keys of a depth
        for variant, chain in chains.items()
        for entry in chain["depths"]
    ]


_REACH = ("depth", "in_features", "out_features", "reached_pairs", "total_pairs", "reached_share")


def depth_records(chain: ReachabilityJson) -> Records:
    """One record per depth with everything that is known of it; logarithms say so in a column of their own."""
    found = []
    for layer, entry in zip(chain["layers"], chain["depths"], strict=True):
        record: dict[str, Any] = {name: entry[name] for name in _REACH}  # type: ignore[literal-required] # keys of a depth
        record["connected_parts"] = entry["connected_parts"]
        record |= {f"layer_{name}": layer[name] for name in ("variant", "n_blocks", "grain")}
        paths = entry.get("paths")
        if paths is not None:
            record |= {f"paths_{name}": value for name, value in paths.items()}
        found.append(record)
    return found


def heat_records(maps: HeatMapsJson) -> Records:
    """One record per pair of groups; no hops where some pair is never joined."""
    shape = maps["rows"], maps["columns"]
    hops = decode_array(maps["hops"]["values"], maps["hops"]["dtype"], shape)
    paths = decode_array(maps["paths_log10"]["values"], maps["paths_log10"]["dtype"], shape)
    return [
        {
            "inputs": _named(maps["input_groups"][row]),
            "outputs": _named(maps["output_groups"][column]),
            "hops": int(hops[row, column]) or None,
            "log10_mean_paths": float(paths[row, column]) if np.isfinite(paths[row, column]) else None,
        }
        for row in range(shape[0])
        for column in range(shape[1])
    ]


def _named(group: FeatureSetJson) -> str:
    return f"{group['description']} ({group['count']} features)"


def locality_records(curve: LocalityJson) -> Records:
    """One record per distance."""
    unit = "log10_paths" if curve["logarithmic"] else "paths"
    names = ("min", "mean", "max")
    return [
        {"distance_cells": distance, "pairs": curve["pairs"][at]}
        | {f"{name}_{unit}": curve[name][at] for name in names}  # type: ignore[literal-required] # the three curves
        for at, distance in enumerate(curve["distance"])
    ]


def alternative_records(alternatives: list[AlternativeJson]) -> Records:
    """One record per structure and depth."""
    return [
        {
            "structure": one["name"],
            "depth": depth,
            "reached_share": share,
            "parameters": one["parameters"],
            "flops_per_token": one["flops_per_token"],
            "rank_bound": one["rank_bound"],
        }
        for one in alternatives
        for depth, share in enumerate(one["reached_share"], start=1)
    ]


def path_records(path: list[StepJson]) -> Records:
    """One record per step of a path."""
    return [dict(step) for step in path]
